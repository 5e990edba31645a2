/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a version 1 message to its exchange. */
#include "ike/engine.h"
#include "util/addr.h"

void v1_feed(struct ike_engine *engine, const struct ike_path *path, const struct ike_header *hdr,
	     const uint8_t *msg, size_t len)
{
	char addr[XI_ADDR_STRLEN], number[IKE_NUMBER_TEXT];
	struct v1_mm *mm;

	/* RFC 2408 3.1: nothing of a minor version above ours. */
	if (hdr->minor) {
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine, "%s: dropped an IKE version 1.%u message",
				 xi_addr_text(&path->remote, addr), hdr->minor);
		return;
	}
	switch (hdr->exchange) {
	case IKE_EXCHANGE_MAIN:
		v1_main_feed(engine, path, hdr, msg, len);
		return;
	case IKE_EXCHANGE_QUICK:
		mm = v1_mm_find(engine, path, hdr);
		if (mm)
			v1_quick_feed(mm, hdr, msg, len);
		else
			engine->counters.dropped_unknown_spi++;
		return;
	case IKE_EXCHANGE_INFORMATIONAL:
		v1_info_feed(engine, v1_mm_find(engine, path, hdr), path, hdr, msg, len);
		return;
	default: /* a number from the network: aggressive mode and all the others */
		engine->counters.dropped_malformed++;
		ike_log_stranger(engine, "%s: %s exchange is not supported, dropped",
				 xi_addr_text(&path->remote, addr),
				 ike_name_or_number(ike_exchange_name(hdr->exchange), hdr->exchange,
						    number));
		return;
	}
}
