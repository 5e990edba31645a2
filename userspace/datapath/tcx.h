/* SPDX-License-Identifier: BSD-2-Clause */
/* TCX links, see tcx.c. A negative errno where the kernel has none: -EINVAL. */
#ifndef DATAPATH_TCX_H
#define DATAPATH_TCX_H

#include <stdbool.h>
#include <stdint.h>

/* Attaches the program as the first one. Returns the link's fd. */
int tcx_create(int prog_fd, int ifindex, bool ingress);
/* The ids of the programs there in the order in which they run. Returns how many. */
int tcx_programs(int ifindex, bool ingress, uint32_t *ret, unsigned max);
/* Where a link is attached: ifindex 0 when its interface is gone. */
int tcx_of_link(int link_fd, int *ret_ifindex, bool *ret_ingress, uint32_t *ret_prog_id);

#endif
