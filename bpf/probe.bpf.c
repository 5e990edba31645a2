// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A program that does nothing, with what libxdp's dispatcher asks for: for `xipsec doctor`. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp.frags")
int xi_probe_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}
