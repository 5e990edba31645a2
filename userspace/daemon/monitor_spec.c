/* SPDX-License-Identifier: BSD-2-Clause */
/* What a listener wants; see monitor_spec.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile/image.h"
#include "daemon/monitor_spec.h"
#include "view/live.h"

_Static_assert(XI_REASON_MAX <= 64, "reasons are bits of a word");

#define ALL_VERDICTS ((1u << (XI_ACT_NEGOTIATE + 1)) - 1)
#define ALL_DIRS     ((1u << XI_DIR_MAX) - 1)

/* Names in an array, each a bit by its number; *ret stays when the key is not there. */
static int take_bits(const json_t *question, const char *key, int (*number)(const char *name),
		     uint64_t *ret)
{
	const json_t *list = json_object_get(question, key), *name;
	uint64_t bits = 0;
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list) || !json_array_size(list))
		return -EINVAL;
	json_array_foreach(list, i, name) {
		int bit = json_is_string(name) ? number(json_string_value(name)) : -1;

		if (bit < 0)
			return -EINVAL;
		bits |= 1ull << bit;
	}
	*ret = bits;
	return 0;
}

static int dir_find(const char *name)
{
	if (!strcmp(name, "in"))
		return XI_DIR_IN;
	return strcmp(name, "out") ? -1 : XI_DIR_OUT;
}

static int take_rules(const json_t *question, struct monitor_spec *spec)
{
	const json_t *list = json_object_get(question, "rules"), *name;
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list) || json_array_size(list) > MONITOR_RULES_MAX)
		return -EINVAL;
	json_array_foreach(list, i, name) {
		if (!json_is_string(name))
			return -EINVAL;
		spec->rules[spec->rule_count] = strdup(json_string_value(name));
		if (!spec->rules[spec->rule_count])
			return -ENOMEM;
		spec->rule_count++;
	}
	return 0;
}

static bool take_field(const json_t *insn, size_t index, uint32_t max, uint32_t *ret)
{
	const json_t *value = json_array_get(insn, index);
	json_int_t number = json_integer_value(value);

	*ret = number;
	return json_is_integer(value) && number >= 0 && number <= max;
}

/* [[code, jt, jf, k], ...], as struct bpf_insn has them. */
static int take_filter(const json_t *question, struct monitor_spec *spec)
{
	const json_t *list = json_object_get(question, "filter"), *insn;
	uint32_t code, jt, jf, k;
	size_t i, count;

	if (!list)
		return 0;
	count = json_array_size(list);
	if (!count || count > CBPF_INSNS_MAX)
		return -EINVAL;
	spec->insns = calloc(count, sizeof(*spec->insns));
	if (!spec->insns)
		return -ENOMEM;
	spec->insn_count = count;
	json_array_foreach(list, i, insn) {
		if (json_array_size(insn) != 4 || !take_field(insn, 0, UINT16_MAX, &code) ||
		    !take_field(insn, 1, UINT8_MAX, &jt) || !take_field(insn, 2, UINT8_MAX, &jf) ||
		    !take_field(insn, 3, UINT32_MAX, &k))
			return -EINVAL;
		spec->insns[i] = (struct cbpf_insn){.code = code, .jt = jt, .jf = jf, .k = k};
	}
	return cbpf_check(spec->insns, count, XI_SAMPLE_BYTES);
}

static bool take_switch(const json_t *question, const char *key, bool otherwise)
{
	const json_t *value = json_object_get(question, key);

	return value ? json_is_true(value) : otherwise;
}

static int parse(const json_t *question, struct monitor_spec *spec, const char **ret_why)
{
	const json_t *every = json_object_get(question, "sample");
	uint64_t verdicts = ALL_VERDICTS, dirs = ALL_DIRS;
	int rc;

	spec->every = 1;
	*ret_why = "\"sample\" must be a number from 1 to 1000000000";
	if (every) {
		if (!json_is_integer(every) || json_integer_value(every) < 1 ||
		    json_integer_value(every) > MONITOR_EVERY_MAX)
			return -EINVAL;
		spec->every = json_integer_value(every);
	}
	*ret_why = "\"verdicts\" is a list of permit, block, secure, none";
	rc = take_bits(question, "verdicts", view_verdict_find, &verdicts);
	if (rc)
		return rc;
	*ret_why = "\"directions\" is a list of in, out";
	rc = take_bits(question, "directions", dir_find, &dirs);
	if (rc)
		return rc;
	*ret_why = "\"reasons\" is a list of reasons, as show stats names them";
	rc = take_bits(question, "reasons", view_reason_find, &spec->reasons);
	if (rc)
		return rc;
	spec->verdicts = verdicts;
	spec->dirs = dirs;
	spec->dropped = take_switch(question, "dropped", false);
	spec->packets = take_switch(question, "packets", true);
	spec->events = take_switch(question, "events", true);
	*ret_why = "\"rules\" is a list of at most 16 names";
	rc = take_rules(question, spec);
	if (rc)
		return rc;
	*ret_why = "\"filter\" is no classic BPF program";
	rc = take_filter(question, spec);
	if (rc == -ERANGE)
		*ret_why = "the filter looks at bytes that a sample does not have";
	return rc;
}

int monitor_spec_parse(const json_t *question, struct monitor_spec *ret, const char **ret_why)
{
	struct monitor_spec spec = {0};
	int rc = parse(question, &spec, ret_why);

	if (rc == -ENOMEM)
		*ret_why = "out of memory";
	if (rc)
		monitor_spec_free(&spec);
	else
		*ret = spec;
	return rc;
}

void monitor_spec_free(struct monitor_spec *spec)
{
	for (unsigned i = 0; i < spec->rule_count; i++)
		free(spec->rules[i]);
	free(spec->insns);
	memset(spec, 0, sizeof(*spec));
}

static bool wants_rule(const struct monitor_spec *spec, const char *rule)
{
	if (!spec->rule_count)
		return true;
	for (unsigned i = 0; rule && i < spec->rule_count; i++)
		if (!strcmp(spec->rules[i], rule))
			return true;
	return false;
}

struct datapath_listener monitor_spec_listener(const struct monitor_spec *spec)
{
	return (struct datapath_listener){
		.every = spec->every,
		.verdicts = spec->verdicts,
		.dirs = spec->dirs,
		.reasons = spec->reasons,
		.dropped = spec->dropped,
		.insns = spec->insns,
		.insn_count = spec->insn_count,
	};
}

/* Names begin with the policy's rules, by number; those of the built-in filters have none. */
static void number_rules(const struct monitor_spec *spec, const struct image *image,
			 struct datapath_rules *rules)
{
	for (unsigned i = 0; i < spec->rule_count; i++)
		for (size_t j = 0; j < image->name_count; j++)
			if (!strcmp(image->names[j], spec->rules[i])) {
				rules->rule[rules->count++] = j;
				break;
			}
}

int monitor_spec_rules(const struct monitor_spec *spec, const struct image *image,
		       uint32_t generation, struct datapath_rules *ret)
{
	struct datapath_rules rules = {.generation = generation};

	number_rules(spec, image, &rules);
	/* What is built in is of higher bands, so it comes first. */
	for (size_t i = 0; i < image->count && image->filters[i].rule == FILTER_BUILTIN; i++) {
		if (!wants_rule(spec, image->filters[i].rule_name))
			continue;
		if (rules.builtin_count == DATAPATH_BUILTIN_MAX)
			return -E2BIG;
		rules.builtin[rules.builtin_count++] = i;
	}
	*ret = rules;
	return 0;
}

static bool wants_reason(const struct monitor_spec *spec, uint32_t reason)
{
	return !spec->reasons || (reason < XI_REASON_MAX && spec->reasons >> reason & 1);
}

bool monitor_spec_wants(const struct monitor_spec *spec, const struct xi_sample *sample,
			const char *rule)
{
	uint32_t captured = sample->captured < XI_SAMPLE_BYTES ? sample->captured : XI_SAMPLE_BYTES;

	if (!spec->packets || sample->action > XI_ACT_NEGOTIATE ||
	    !(spec->verdicts >> sample->action & 1) || !(spec->dirs >> (sample->pkt.dir & 1) & 1) ||
	    !wants_reason(spec, sample->reason) || !wants_rule(spec, rule))
		return false;
	if (spec->dropped && view_fate_of(sample) != VIEW_DROPPED)
		return false;
	return !spec->insns || cbpf_run(spec->insns, sample->frame, sample->frame_len, captured);
}

bool monitor_spec_wants_event(const struct monitor_spec *spec, const struct xi_event *event,
			      const char *rule)
{
	return spec->events && spec->dirs >> (event->pkt.dir & 1) & 1 &&
	       wants_reason(spec, event->reason) && wants_rule(spec, rule) &&
	       (!spec->dropped || event->kind == XI_EVENT_DROP ||
		event->kind == XI_EVENT_INVALID_SPI);
}

bool monitor_spec_wants_change(const struct monitor_spec *spec, const char *rule)
{
	return spec->events && !spec->dropped && !spec->reasons && wants_rule(spec, rule);
}

bool monitor_spec_wants_worker(const struct monitor_spec *spec, uint32_t reason)
{
	return spec->events && wants_reason(spec, reason) && !spec->rule_count;
}
