// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs of one filter list, loaded once for each slot with tables of its
 * own and reached from the attached programs of xipsec.bpf.c. Each hook reads
 * on one page of its own:
 *
 *   xdp_ingress.bpf.h   NIC -> stack or worker
 *   tc_ingress.bpf.h    NIC -> stack, where there is no XDP
 *   tc_egress.bpf.h     stack -> NIC or worker
 *   tc_inject.bpf.h     worker -> stack
 *
 * and all of them use parse (frame -> packet), run (packet -> verdict), sa, count
 * and event. classify.bpf.h is the filter list itself.
 */
#include "maps.bpf.h"
#include "list.bpf.h"
#include "xdp_ingress.bpf.h"
#include "tc_ingress.bpf.h"
#include "tc_egress.bpf.h"
#include "tc_inject.bpf.h"

char _license[] SEC("license") = "Dual BSD/GPL";
