/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap filters are translated here, without privilege in the daemon's stead: it
 * gets classic BPF, which it checks. See pcapfilter.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include <xipsec/abi.h>

#include "cli/cli.h"
#include "cli/pcapfilter.h"
#include "util/cbpf.h"

#ifdef HAVE_PCAP
#include <pcap/pcap.h>

#define SNAPLEN	  262144
#define INSNS_MAX 2000 /* what fits the daemon's longest question */

static int check(const struct bpf_program *program)
{
	struct cbpf_insn *insns;
	int rc = 0;

	if (program->bf_len > INSNS_MAX) {
		fprintf(stderr,
			"xipsec monitor: the filter is too long (%u instructions, %d at most)\n",
			program->bf_len, INSNS_MAX);
		return CLI_USAGE;
	}
	insns = calloc(program->bf_len, sizeof(*insns));
	if (!insns)
		return CLI_FAILED;
	for (unsigned i = 0; i < program->bf_len; i++)
		insns[i] = (struct cbpf_insn){program->bf_insns[i].code, program->bf_insns[i].jt,
					      program->bf_insns[i].jf, program->bf_insns[i].k};
	if (cbpf_check(insns, program->bf_len, XI_SAMPLE_BYTES)) {
		fprintf(stderr,
			"xipsec monitor: the filter looks beyond the first %d bytes of a frame, "
			"which is all that a sample has\n",
			XI_SAMPLE_BYTES);
		rc = CLI_USAGE;
	}
	free(insns);
	return rc;
}

static json_t *to_json(const struct bpf_program *program)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *insn = &program->bf_insns[i];

		json_array_append_new(list, json_pack("[i, i, i, I]", insn->code, insn->jt,
						      insn->jf, (json_int_t)insn->k));
	}
	return list;
}

int pcapfilter_compile(const char *text, json_t **ret)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	struct bpf_program program;
	int rc;

	if (!pcap)
		return CLI_FAILED;
	if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN)) {
		fprintf(stderr, "xipsec monitor: '%s' is no pcap filter: %s\n", text,
			pcap_geterr(pcap));
		pcap_close(pcap);
		return CLI_USAGE;
	}
	rc = check(&program);
	if (!rc)
		*ret = to_json(&program);
	pcap_freecode(&program);
	pcap_close(pcap);
	return rc;
}
#else
int pcapfilter_compile(const char *text, json_t **ret)
{
	fprintf(stderr, "xipsec monitor: built without libpcap, so pcap filters are not there\n");
	return CLI_UNSUPPORTED;
}
#endif
