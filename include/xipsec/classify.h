/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tables of the classifier: what compile/ builds and bpf/classify.bpf.h reads. */
#ifndef XIPSEC_CLASSIFY_H
#define XIPSEC_CLASSIFY_H

#include <xipsec/abi.h>

/* The filter array, by rank: also what people read with bpftool. */
struct xi_filter {
	__u8 remote[16];
	__u8 local[16];
	__u8 remote_len, local_len;
	__u8 family;
	__u8 proto;
	__u16 remote_port_lo, remote_port_hi;
	__u16 local_port_lo, local_port_hi;
	__u8 flags; /* XI_F_* */
	__u8 icmp_type, icmp_code, iface_class;
	__u32 id; /* as `xipsec compile` prints it */
	__u32 rule; /* index of the rule in the policy */
	enum xi_dir dir;
	enum xi_action action;
	enum xi_band band;
};
XI_ASSERT_SIZE(struct xi_filter, 68 + 0);

#define XI_F_LOCAL_IS_ME 0x01
#define XI_F_PROTO	 0x02 /* protocol given */
#define XI_F_ICMP_TYPE	 0x04
#define XI_F_ICMP_CODE	 0x08
#define XI_F_IFACE	 0x10
#define XI_F_PASSTHROUGH 0x20 /* negotiate: accept clear text inbound, but acquire */
#define XI_F_SOFT	 0x40 /* negotiate: may fall back to clear */

#define XI_TABLE(NAME, name, type) XI_TABLE_##NAME,
enum xi_table {
#include <xipsec/tables.def>
	XI_TABLE_MAX
};
#undef XI_TABLE

#endif
