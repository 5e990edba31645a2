/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs in force would do with a frame, without anything happening:
 * the programs of the filter list are loaded once more on the tables, addresses
 * and SAs in force, but with counters, events and fragments of their own.
 */
#ifndef DATAPATH_DRYRUN_H
#define DATAPATH_DRYRUN_H

#include "datapath/testrun.h"

struct datapath;

/*
 * ifindex: the interface that it comes in by or leaves by; 0 = none, then it has no
 * worker either. -ENOENT: there is no list; -EOPNOTSUPP: another build of the
 * programs is in force. ret->out is NULL.
 */
int datapath_dry_run(struct datapath *dp, enum xi_hook hook, int ifindex, const void *frame,
		     size_t len, struct testrun_result *ret, struct diag *diag);

#endif
