/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain --live: the list in force about one packet, twice. The reference model
 * says who decides and why; a dry run of the BPF programs, on the kernel's own
 * tables, says what would really become of such a packet. Should the two ever
 * differ, the answer says so. Nothing is counted and nobody is woken.
 *
 * Weak spot: the programs are loaded anew for each question, which takes the
 * parent some tenths of a second.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "compile/explain.h"
#include "daemon/control_explain.h"
#include "daemon/daemon.h"
#include "daemon/links.h"
#include "datapath/datapath.h"
#include "datapath/dryrun.h"
#include "policy/policy.h"
#include "util/addr.h"
#include "util/synth.h"
#include "view/explain.h"
#include "view/view.h"

/* Values for what was not given, before it is left at that. */
#define TRIES 32

static struct xi_addr side_of(const struct xi_pkt *pkt, bool remote)
{
	struct xi_addr addr = {.family = pkt->family};

	memcpy(addr.b, remote ? pkt->remote : pkt->local, sizeof(addr.b));
	return addr;
}

static void decide_me(const struct daemon *d, struct xi_pkt *pkt)
{
	struct xi_addr local = side_of(pkt, false);

	pkt->flags &= ~XI_PKT_LOCAL_IS_ME;
	for (size_t i = 0; i < d->addr_count; i++) {
		if (xi_addr_equal(&d->addrs[i], &local))
			pkt->flags |= XI_PKT_LOCAL_IS_ME;
	}
}

/*
 * One packet of those that the question stands for, decided by the filter that was
 * named if there is one.
 */
static struct xi_pkt concrete(const struct image *image, const struct explain_question *q,
			      uint32_t deciding)
{
	struct xi_pkt pkt = q->pkt;
	uint32_t state = 1;

	for (int i = 0; i < TRIES; i++) {
		state = state * 1664525 + 1013904223;
		if (q->unknown & EXPLAIN_LOCAL_PORT)
			pkt.local_port = 32768 + (state >> 17);
		if (q->unknown & EXPLAIN_REMOTE_PORT)
			pkt.remote_port = 32768 + (state >> 16 & 0x7fff);
		if (q->unknown & EXPLAIN_ICMP_TYPE)
			pkt.icmp_type = state >> 24;
		if (q->unknown & EXPLAIN_ICMP_CODE)
			pkt.icmp_code = state >> 16;
		if (!(q->unknown & ~EXPLAIN_IFACE) ||
		    model_classify(image, &pkt).filter_idx == deciding)
			break;
	}
	return pkt;
}

/* ------------------------------------------------------------------ dry run */

static const char *fate_word(enum testrun_fate fate)
{
	switch (fate) {
	case TESTRUN_PASS:
		return "pass";
	case TESTRUN_DROP:
		return "drop";
	case TESTRUN_REDIRECT:
		return "worker";
	}
	return "?";
}

static json_t *reason_json(enum xi_reason reason)
{
	static const struct {
		const char *label, *text;
	} reasons[] = {
#define XI_REASON(NAME, label, text) {label, text},
#include <xipsec/reasons.def>
#undef XI_REASON
	};

	if (reason == XI_REASON_NONE || reason >= XI_REASON_MAX)
		return json_null();
	return json_pack("{s:s, s:s}", "name", reasons[reason].label, "text", reasons[reason].text);
}

static json_t *verdict_json(const struct image *image, enum xi_action action, uint32_t index)
{
	const struct filter *f = index < image->count ? &image->filters[index] : NULL;

	return json_pack("{s:s, s:o, s:o}", "verdict", view_verdict(action), "filter",
			 f ? json_integer(f->id) : json_null(), "rule",
			 f ? json_string(f->rule_name) : json_null());
}

/* Where such a packet would come in or leave. Its interface is a guess for what comes in. */
static enum xi_hook hook_of(const struct daemon *d, const struct xi_pkt *pkt, int *ret_ifindex)
{
	struct xi_addr local = side_of(pkt, false), remote = side_of(pkt, true);
	struct datapath_iface state = {0};
	int ifindex = links_route(&local, &remote);

	*ret_ifindex = 0;
	if (ifindex > 0 && !datapath_iface_state(d->dp, ifindex, &state))
		*ret_ifindex = ifindex;
	if (pkt->dir == XI_DIR_OUT)
		return XI_HOOK_TC_EGRESS;
	return state.ingress == DP_INGRESS_TC ? XI_HOOK_TC_INGRESS : XI_HOOK_XDP_INGRESS;
}

/* Adds what the programs do with the packet to `live`. */
static void add_program(struct daemon *d, json_t *live, const struct xi_pkt *pkt,
			const struct explain_answer *answer)
{
	uint8_t frame[SYNTH_MAX];
	char name[IF_NAMESIZE];
	struct testrun_result got;
	struct diag diag = {0};
	struct xi_verdict model;
	struct explain_question tried = {.pkt = *pkt};
	json_t *program;
	int ifindex, err;
	enum xi_hook hook = hook_of(d, pkt, &ifindex);

	err = datapath_dry_run(d->dp, hook, ifindex, frame, synth_frame(pkt, frame), &got, &diag);
	diag_free(&diag);
	json_object_set_new(live, "interface",
			    ifindex && if_indextoname(ifindex, name) ? json_string(name)
								     : json_null());
	if (err) {
		json_object_set_new(live, "program", json_null());
		json_object_set_new(live, "error",
				    json_string(err == -EOPNOTSUPP
							? "the programs in force are of another "
							  "build"
							: strerror(-err)));
		return;
	}
	program = verdict_json(d->image, got.action, got.filter_idx);
	json_object_set_new(program, "fate", json_string(fate_word(got.fate)));
	json_object_set_new(program, "reason", reason_json(got.reason));
	json_object_set_new(program, "generation", json_integer(got.generation));
	json_object_set_new(live, "program", program);
	tried.pkt.iface_class = got.pkt.iface_class;
	json_object_set_new(live, "tried", view_packet(&tried));
	if (!got.ip)
		return;
	/* The first fragment of this one was never seen, as a dry run remembers none. */
	if (answer->lone != EXPLAIN_LONE_NOT) {
		json_object_set_new(live, "agree", json_boolean(answer->lone_action == got.action));
		json_object_set_new(live, "model",
				    verdict_json(d->image, answer->lone_action, XI_NO_FILTER));
		return;
	}
	model = model_classify(d->image, &got.pkt);
	json_object_set_new(
		live, "agree",
		json_boolean(model.action == got.action && model.filter_idx == got.filter_idx));
	json_object_set_new(live, "model", verdict_json(d->image, model.action, model.filter_idx));
}

/* ----------------------------------------------------------- SAs, counters */

struct sa_search {
	const struct xi_pkt *pkt;
	const struct sad_entry *found;
};

static bool port_fits(uint16_t selector, uint16_t port)
{
	return !selector || selector == port;
}

/* The one in use goes before one that only receives. */
static void look_at_sa(void *arg, const struct sad_entry *entry)
{
	struct sa_search *search = arg;
	const struct xi_selector *sel = &entry->params.sel;
	struct xi_addr local = side_of(search->pkt, false), remote = side_of(search->pkt, true);

	if (!xi_prefix_covers(&sel->local, &local) || !xi_prefix_covers(&sel->remote, &remote) ||
	    (sel->proto && sel->proto != search->pkt->proto) ||
	    !port_fits(sel->local_port, search->pkt->local_port) ||
	    !port_fits(sel->remote_port, search->pkt->remote_port))
		return;
	if (!search->found || search->found->state == SA_OLD || entry->state == SA_ESTABLISHED)
		search->found = entry;
}

static json_t *sa_json(struct daemon *d, const struct xi_pkt *pkt)
{
	struct sa_search search = {.pkt = pkt};
	struct view_clock clock;

	sad_each(d->sad, look_at_sa, &search);
	if (!search.found)
		return json_null();
	view_clock_now(&clock);
	return view_qm(
		search.found, sad_backend_name(d->sad),
		config_rule_name(d, search.found->params.rule, search.found->params.generation),
		sad_idle_at(d->sad, search.found), &clock);
}

/* What the deciding filter has counted. */
static void add_counters(struct daemon *d, json_t *live, uint32_t index)
{
	struct xi_hits *hits = calloc(d->image->count + 1, sizeof(*hits));
	struct view_clock clock;

	view_clock_now(&clock);
	if (hits && !datapath_filter_counts(d->dp, hits, d->image->count))
		json_object_set_new(live, "counters",
				    view_filter(&d->image->filters[index], &hits[index], &clock));
	free(hits);
}

/* ------------------------------------------------------------------- method */

static json_t *live_json(struct daemon *d, const struct explain_question *q,
			 const struct explain_answer *answer)
{
	struct xi_pkt pkt = concrete(d->image, q, answer->deciding);
	uint32_t index = model_classify(d->image, &pkt).filter_idx;
	json_t *live = json_pack("{s:s, s:s, s:I, s:b}", "policy", d->policy->name, "file",
				 d->policy_path, "generation", (json_int_t)d->generation, "counted",
				 0);

	if (!live)
		return NULL;
	add_program(d, live, &pkt, answer);
	if (index != XI_NO_FILTER) {
		add_counters(d, live, index);
		if (d->image->filters[index].action == XI_ACT_NEGOTIATE)
			json_object_set_new(live, "sa", sa_json(d, &pkt));
	}
	return live;
}

json_t *method_explain(struct daemon *d, const json_t *question)
{
	struct explain_question q;
	struct explain_answer answer;
	json_t *data = NULL;

	if (view_packet_parse(json_object_get(question, "packet"), &q))
		return json_pack("{s:b, s:s}", "ok", 0, "error",
				 "\"packet\" does not describe a packet");
	decide_me(d, &q.pkt);
	if (!explain(d->image, &q, json_is_true(json_object_get(question, "near")), &answer)) {
		data = view_explain(d->image, d->policy, &q, &answer);
		if (data)
			json_object_set_new(data, "live", live_json(d, &q, &answer));
	}
	explain_free(&answer);
	return data ? json_pack("{s:b, s:o}", "ok", 1, "data", data) : NULL;
}
