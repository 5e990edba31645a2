/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the generator of traffic puts into the headers of a frame: a file is FLOWS of these. */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#define FLOWS (1 << 17)

struct flow {
	__u32 src, dst;	    /* network order */
	__u16 sport, dport; /* host order */
	__u16 check;	    /* of the IPv4 header, as it goes on the wire */
	__u8 proto;
	__u8 pad;
};

/* Every frame is this long: 60 bytes and the FCS that a veth does not have. */
#define FRAME_LEN 60
#define IP_LEN	  (FRAME_LEN - 14)

#endif
