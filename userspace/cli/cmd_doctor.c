/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec doctor: what this machine can do for xipsec, found out by trying. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/utsname.h>

#include "cli/cli.h"
#include "datapath/probe.h"
#include "esp/tap.h"
#include "view/view.h"

static bool is_denied(int err)
{
	return err == -EPERM || err == -EACCES;
}

/* *ret_lacks: something that is needed is surely not there. */
static json_t *features_json(const struct datapath_features *features, bool *ret_unknown,
			     bool *ret_lacks)
{
	json_t *list = json_array();

	for (int i = 0; i < DP_FEATURE_MAX; i++) {
		const struct dp_feature_info *info = datapath_feature_info((enum dp_feature)i);
		int err = features->err[i];
		const struct view_feature feature = {
			.name = info->name,
			.what = info->what,
			.without = info->without,
			.error = err ? strerror(-err) : NULL,
			.have = features->have[i],
			.needed = info->needed,
			/* To root, a refusal is an answer. */
			.unknown = is_denied(err) && geteuid(),
		};

		*ret_unknown |= feature.unknown;
		*ret_lacks |= feature.needed && !feature.have && !feature.unknown;
		json_array_append_new(list, view_feature(&feature));
	}
	return list;
}

/* How the daemon would filter it, or does. */
static void advise(const struct datapath_survey *survey, bool sharing, char *buf, size_t size)
{
	if (!survey->ethernet)
		snprintf(buf, size, "not an Ethernet interface, it cannot be filtered yet");
	else if (tap_is_name(survey->name) && !strcmp(survey->driver, "tun"))
		snprintf(buf, size, "of an ESP worker of xipsec, not filtered");
	else if (*survey->instance)
		snprintf(buf, size, "filtered by instance %s, %s XDP%s", survey->instance,
			 survey->xdp_generic ? "generic" : "native",
			 survey->xdp_shares ? ", shared" : "");
	else if (*survey->xdp && !(survey->xdp_shares && sharing))
		snprintf(buf, size,
			 "another XDP program (%s) is there and does not share: would be filtered "
			 "at TC ingress, without ESP in userspace",
			 survey->xdp);
	else if (*survey->xdp)
		snprintf(buf, size, "would share XDP with another program (%s)", survey->xdp);
	else if (survey->native == DP_NATIVE_YES)
		snprintf(buf, size, "would be filtered with native XDP%s",
			 survey->zero_copy ? ", AF_XDP without copies" : "");
	else if (survey->native == DP_NATIVE_NO)
		snprintf(buf, size,
			 "the driver has no XDP: would be filtered with slower generic XDP");
	else
		snprintf(buf, size,
			 "would be filtered with native XDP if its driver has it "
			 "(this kernel does not tell), else generic");
}

static json_t *links_json(bool sharing)
{
	struct if_nameindex *ifs = if_nameindex();
	json_t *list = json_array();
	char advice[200];

	for (struct if_nameindex *i = ifs; i && i->if_index; i++) {
		struct datapath_survey survey;

		if (datapath_survey(i->if_index, &survey))
			continue;
		advise(&survey, sharing, advice, sizeof(advice));
		json_array_append_new(list,
				      view_link(&(struct view_link){
					      .name = survey.name,
					      .driver = survey.driver,
					      .mtu = survey.mtu,
					      .rx_queues = survey.rx_queues,
					      .ethernet = survey.ethernet,
					      .native = survey.native == DP_NATIVE_YES,
					      .native_unknown = survey.native == DP_NATIVE_UNKNOWN,
					      .zero_copy = survey.zero_copy,
					      .xdp = survey.xdp,
					      .xdp_generic = survey.xdp_generic,
					      .xdp_shares = survey.xdp_shares,
					      .instance = survey.instance,
					      .tcx_in = survey.tcx_in,
					      .tcx_out = survey.tcx_out,
					      .advice = advice,
				      }));
	}
	if_freenameindex(ifs);
	return list;
}

int cmd_doctor(int argc, char **argv)
{
	bool json = argc == 2 && !strcmp(argv[1], "--json"), unknown = false, lacks = false;
	bool usable;
	struct datapath_features features;
	struct utsname uts = {0};
	json_t *data, *list;

	if (argc > 1 && !json)
		return cli_usage("doctor", "unexpected '%s'", argv[1]);
	uname(&uts);
	datapath_probe(&features);
	usable = datapath_usable(&features);
	list = features_json(&features, &unknown, &lacks);
	data = json_pack("{s:s, s:s, s:o, s:o, s:b, s:b, s:s}", "release", uts.release, "machine",
			 uts.machine, "features", list, "interfaces",
			 links_json(features.have[DP_FEATURE_DISPATCHER]), "usable", usable,
			 "unknown", unknown, "verdict",
			 usable	 ? "xipsec can filter and protect here"
			 : lacks ? "xipsec cannot work here"
				 : "Whether xipsec can work here, only root can find out");
	if (json)
		view_print_json(stdout, data);
	else
		view_print_doctor(stdout, data);
	json_decref(data);
	if (usable)
		return CLI_OK;
	return lacks ? CLI_UNSUPPORTED : CLI_FAILED;
}
