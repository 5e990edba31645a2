/* SPDX-License-Identifier: BSD-2-Clause */
/* See verdict_host.h. */
#include "tests/lib/verdict_host.h"

int verdict_host_open(struct verdict_host *host, const struct filter_spec *specs, size_t count)
{
	struct xi_addr me[] = {verdict_addr(ME4), verdict_addr(ME6)};
	struct testrun_opts opts = {.me = me, .me_count = 2, .owns_esp = true};

	host->image = filters_compile(specs, count);
	host->run = verdict_open(host->image, &opts);
	host->dp = testrun_datapath(host->run);
	return 0;
}

int verdict_host_close(struct verdict_host *host)
{
	testrun_close(host->run);
	image_free(host->image);
	return 0;
}
