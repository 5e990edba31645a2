/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From text to tables: milliseconds to read a policy and to compile it, and the
 * bytes that a filter takes in each stage, at 1,000 to 1,000,000 filters. The yardstick
 * is libyaml reading the same text alone. CPU time, so that a busy machine shows less.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compile/image.h"
#include "policy/policy.h"
#include "policy/yaml_doc.h"

static uint64_t state = 88172645463325252ull;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static size_t heap(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* One filter a line, as people and programs write them. */
static char *make_text(size_t filters, size_t *ret_len)
{
	static const unsigned lens[] = {8, 16, 20, 24, 24, 28, 32, 32, 32, 32};
	static const unsigned ports[] = {22, 25, 53, 80, 443, 8080};
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (!out)
		return NULL;
	fprintf(out, "policy: bench\nfilter-lists:\n  all:\n");
	for (size_t i = 0; i < filters; i++) {
		unsigned len = lens[draw(10)];
		uint32_t a = draw(UINT32_MAX) & ~0u << (32 - len);

		fprintf(out,
			"    - {src: %u.%u.%u.%u/%u, dst: me, proto: %s, dst-port: %u, "
			"mirrored: false}\n",
			a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255, len, draw(2) ? "tcp" : "udp",
			draw(3) ? ports[draw(6)] : 1 + draw(65535));
	}
	fprintf(out, "rules:\n  - {name: all, filter-list: all, action: block}\n");
	return fclose(out) ? NULL : text;
}

static double libyaml_ms(const char *text, size_t len)
{
	struct yaml_doc *doc = NULL;
	struct diag diag = {0};
	double start = cpu_ms();

	if (yaml_doc_parse_events(text, len, "bench", &doc, &diag))
		return 0; /* more nodes than it takes */
	yaml_doc_free(doc);
	return cpu_ms() - start;
}

static int measure(size_t filters)
{
	double yaml, start, parsed, compiled;
	struct compile_opts opts = {0};
	struct policy *policy = NULL;
	struct image *image = NULL;
	struct diag diag = {0};
	size_t len, before, of_policy, of_image, tables = 0;
	char *text = make_text(filters, &len);
	int err;

	if (!text)
		return 1;
	yaml = libyaml_ms(text, len);
	before = heap();
	start = cpu_ms();
	err = policy_parse(text, len, "bench", &policy, &diag);
	parsed = cpu_ms();
	of_policy = heap() - before;
	if (!err)
		err = compile_policy(policy, &opts, &image, &diag);
	compiled = cpu_ms();
	of_image = heap() - before - of_policy;
	if (err) {
		fprintf(stderr, "%zu filters do not compile: %s\n", filters, strerror(-err));
		return 1;
	}
	for (int t = 0; t < XI_TABLE_MAX; t++)
		tables += (size_t)image->tables[t].value_size * image->tables[t].count;
	printf("%9zu %9.1f %9.1f ", image->count, parsed - start, compiled - parsed);
	if (yaml)
		printf("%8.2f", (compiled - start) / yaml);
	else
		printf("%8s", "-");
	printf(" %9zu %9zu %9zu %9zu\n", len / filters, of_policy / filters,
	       (of_image - tables) / filters, tables / filters);
	image_free(image);
	policy_free(policy);
	diag_free(&diag);
	free(text);
	return 0;
}

int main(void)
{
	static const size_t sizes[] = {1000, 10000, 100000, 1000000};

	printf("                  ms        ms  parse+compile    bytes a filter\n");
	printf("  filters     parse   compile /libyaml      text    policy   filters    tables\n");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (measure(sizes[i]))
			return 1;
	return 0;
}
