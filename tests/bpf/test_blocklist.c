/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address lists through `src-file`, as far as the verdict of the BPF program. What
 * a list covers is worked out here from its text, as sorted intervals of numbers,
 * with nothing of ours but the program under test. Asked are the first and the last
 * address of every prefix, their neighbours outside, and addresses at random.
 * XI_DATA/blocklists holds the published lists; nested ones are made here.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/classify_load.h"
#include "../lib/data.h"
#include "../lib/verdict.h"
#include "compile/image.h"
#include "policy/policy.h"

typedef unsigned __int128 wide;

struct interval {
	wide first, last;
};

/* What one list covers. */
struct coverage {
	int family;
	struct interval *prefixes; /* as the lines have them */
	struct interval *merged;   /* disjoint, ascending */
	size_t count, merged_count;
};

static struct box *box;
static uint64_t state = 20260822;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ------------------------------------------------------ the list, by itself */

static unsigned bits_of(int family)
{
	return family == 4 ? 32 : 128;
}

static wide number_of(const uint8_t *bytes, int family)
{
	wide number = 0;

	for (unsigned i = 0; i < bits_of(family) / 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

static void bytes_of(wide number, int family, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	for (int i = bits_of(family) / 8 - 1; i >= 0; i--, number >>= 8)
		bytes[i] = number;
}

static wide top_of(int family)
{
	return family == 4 ? (wide)UINT32_MAX : ~(wide)0;
}

static int by_first(const void *pa, const void *pb)
{
	const struct interval *a = pa, *b = pb;

	return a->first < b->first ? -1 : a->first > b->first;
}

/* One line of a list: an address, perhaps a length. */
static struct interval parse_line(char *line, int family)
{
	char *slash = strchr(line, '/');
	unsigned bits = bits_of(family), len = slash ? (unsigned)atoi(slash + 1) : bits;
	uint8_t bytes[16];
	wide hosts;

	if (slash)
		*slash = '\0';
	assert_int_equal(inet_pton(family == 4 ? AF_INET : AF_INET6, line, bytes), 1);
	hosts = len == 0 ? top_of(family) : ((wide)1 << (bits - len)) - 1;
	return (struct interval){number_of(bytes, family), number_of(bytes, family) | hosts};
}

static void merge(struct coverage *list)
{
	struct interval *all = malloc(list->count * sizeof(*all));
	size_t out = 0;

	assert_non_null(all);
	memcpy(all, list->prefixes, list->count * sizeof(*all));
	qsort(all, list->count, sizeof(*all), by_first);
	for (size_t i = 0; i < list->count; i++) {
		if (out && all[i].first <= all[out - 1].last) {
			if (all[i].last > all[out - 1].last)
				all[out - 1].last = all[i].last;
		} else {
			all[out++] = all[i];
		}
	}
	list->merged = all;
	list->merged_count = out;
}

static struct coverage coverage_of(const char *text)
{
	struct coverage list = {.family = strchr(text, ':') && strstr(text, "::") ? 6 : 4};
	char *copy = strdup(text), *save = NULL;
	size_t cap = 0;

	assert_non_null(copy);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, "# \r\t")] = '\0';
		if (!*line)
			continue;
		if (list.count == cap) {
			cap = cap ? 2 * cap : 1024;
			list.prefixes = realloc(list.prefixes, cap * sizeof(*list.prefixes));
			assert_non_null(list.prefixes);
		}
		list.prefixes[list.count++] = parse_line(line, list.family);
	}
	free(copy);
	assert_true(list.count > 0);
	merge(&list);
	return list;
}

static void coverage_free(struct coverage *list)
{
	free(list->prefixes);
	free(list->merged);
}

static bool covered(const struct coverage *list, wide address)
{
	size_t lo = 0, hi = list->merged_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (list->merged[mid].first <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && list->merged[lo - 1].last >= address;
}

/* ---------------------------------------------------------------- questions */

/* Packets to one of our addresses, from whom is to be decided. */
struct questions {
	const struct coverage *list;
	const struct image *image;
	struct xi_pkt *pkts;
	size_t count;
	uint64_t asked, matched;
};

static void flush(struct questions *q)
{
	const struct box_answer *answers = NULL;

	assert_int_equal(box_run(box, q->pkts, q->count, &answers, NULL), 0);
	for (size_t i = 0; i < q->count; i++) {
		const struct xi_pkt *pkt = &q->pkts[i];
		bool want = covered(q->list, number_of(pkt->remote, q->list->family));

		assert_int_equal(answers[i].err, 0);
		assert_int_equal(answers[i].verdict.action, want ? XI_ACT_BLOCK : XI_ACT_NONE);
		if (want)
			assert_true(filter_matches(
				&q->image->filters[answers[i].verdict.filter_idx], pkt));
		/* And of nested prefixes the longest, as the model has it. */
		if (i % 997 == 0)
			assert_int_equal(answers[i].verdict.filter_idx,
					 model_classify(q->image, pkt).filter_idx);
		q->matched += want;
	}
	q->asked += q->count;
	q->count = 0;
}

static void ask(struct questions *q, wide address)
{
	struct xi_pkt *pkt = &q->pkts[q->count];

	*pkt = (struct xi_pkt){.dir = XI_DIR_IN,
			       .family = q->list->family,
			       .flags = XI_PKT_LOCAL_IS_ME,
			       .proto = draw() & 1 ? PROTO_TCP : PROTO_UDP,
			       .remote_port = draw(),
			       .local_port = draw()};
	bytes_of(address, q->list->family, pkt->remote);
	bytes_of(draw(), q->list->family, pkt->local);
	if (++q->count == BOX_TRACE_MAX)
		flush(q);
}

static void ask_everything(struct questions *q)
{
	const struct coverage *list = q->list;
	wide top = top_of(list->family);

	for (size_t i = 0; i < list->count; i++) {
		const struct interval *p = &list->prefixes[i];

		ask(q, p->first);
		ask(q, p->last);
		if (p->first)
			ask(q, p->first - 1);
		if (p->last < top)
			ask(q, p->last + 1);
		ask(q, p->first + (wide)draw() % (p->last - p->first + 1 ? p->last - p->first + 1
									 : ~(wide)0));
	}
	for (int i = 0; i < (getenv("XI_QUICK") ? 5000 : 100000); i++) {
		wide random = (wide)draw() << 64 | draw();

		/* IPv6: where the list lies, else nothing would ever match. */
		if (list->family == 6)
			random = random >> 3 | (wide)1 << 125;
		ask(q, random & top);
	}
	flush(q);
}

/* The same through a frame and the program at XDP. */
static void ask_frames(const struct coverage *list, const struct image *image)
{
	struct testrun_opts opts = {.all_me = true};
	struct testrun *run = verdict_open(image, &opts);
	char src[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	for (int i = 0; i < 2000; i++) {
		const struct interval *p = &list->prefixes[draw() % list->count];
		wide at = i % 4 == 0   ? p->first
			  : i % 4 == 1 ? p->last
			  : i % 4 == 2 ? p->first - 1
				       : p->last + 1;
		struct frame_spec spec = {.src = src,
					  .dst = list->family == 4 ? "192.0.2.1" : "2001:db8::1",
					  .proto = PROTO_UDP};
		struct testrun_result result;

		bytes_of(at & top_of(list->family), list->family, bytes);
		inet_ntop(list->family == 4 ? AF_INET : AF_INET6, bytes, src, sizeof(src));
		result = verdict_of(run, XI_HOOK_XDP_INGRESS, &spec);
		assert_true(result.ip);
		assert_int_equal(result.action, covered(list, number_of(bytes, list->family))
							? XI_ACT_BLOCK
							: XI_ACT_NONE);
	}
	testrun_close(run);
}

/* ----------------------------------------------------------------- the lists */

static const char policy_text[] = "policy: lists\n"
				  "filter-lists:\n"
				  "  unwanted:\n"
				  "    - {src-file: '%s', dst: me, mirrored: false}\n"
				  "rules:\n"
				  "  - {name: drop, filter-list: unwanted, action: block}\n";

static struct image *compile_list(const char *file)
{
	struct compile_opts opts = {.seed = draw()};
	struct policy *policy = NULL;
	struct image *image = NULL;
	struct diag diag = {0};
	char text[1024];

	snprintf(text, sizeof(text), policy_text, file);
	assert_int_equal(policy_parse(text, strlen(text), "/nowhere/p.yaml", &policy, &diag), 0);
	assert_int_equal(compile_policy(policy, &opts, &image, &diag), 0);
	assert_int_equal(diag.errors, 0);
	diag_free(&diag);
	policy_free(policy);
	return image;
}

static void check_list(const char *name, const char *file, const char *text)
{
	struct coverage list = coverage_of(text);
	struct image *image = compile_list(file);
	struct questions q = {.list = &list, .image = image};
	size_t bytes = 0;

	for (int t = 0; t < XI_TABLE_MAX; t++)
		bytes += (size_t)image->tables[t].value_size * image->tables[t].count;
	q.pkts = calloc(BOX_TRACE_MAX, sizeof(*q.pkts));
	assert_non_null(q.pkts);
	assert_int_equal(box_load(box, image), 0);
	ask_everything(&q);
	assert_true(q.matched > 0 && q.matched < q.asked);
	ask_frames(&list, image);
	print_message("%s: %zu prefixes, %llu addresses asked, %llu of them in the list, "
		      "%zu bytes a filter\n",
		      name, list.count, (unsigned long long)q.asked, (unsigned long long)q.matched,
		      bytes / image->count);
	free(q.pkts);
	image_free(image);
	coverage_free(&list);
}

static void published_lists_match_exactly(void **unused)
{
	char **lists, *text, *file = NULL;
	size_t count = data_list("blocklists", "netset", &lists), len;

	if (!count)
		data_skip("blocklists");
	for (size_t i = 0; i < count; i++) {
		text = data_read(lists[i], &len);
		assert_non_null(text);
		assert_true(asprintf(&file, "%s/%s", data_root(), lists[i]) > 0);
		/* Relative to the policy file, which is nowhere, so make it absolute. */
		if (*file != '/') {
			char *absolute = realpath(file, NULL);

			assert_non_null(absolute);
			free(file);
			file = absolute;
		}
		check_list(lists[i], file, text);
		free(file);
		free(text);
	}
	data_list_free(lists, count);
}

/* Prefixes in prefixes at every length, side by side, and twice. */
static void nested_and_adjoining_prefixes_match_exactly(void **unused)
{
	char path[] = "/tmp/xipsec-list-XXXXXX", *text = NULL;
	int fd = mkstemp(path);
	size_t size;
	FILE *out = open_memstream(&text, &size), *file = fdopen(fd, "w");

	assert_non_null(out);
	assert_non_null(file);
	for (unsigned len = 1; len <= 32; len++) {
		uint32_t mask = ~0u << (32 - len);

		for (int i = 0; i < 40; i++) {
			uint32_t a = (0xc6336400u ^ (draw() & draw() & draw())) & mask;
			struct in_addr addr = {htonl(a)};

			/* Half of the lengths only far away, or all would be covered. */
			if (len < 12 && i)
				break;
			if (len < 12)
				addr.s_addr = htonl(0x0a000000 & mask ? 0x0a000000 & mask
								      : 0x80000000 & mask);
			if (len < 4)
				continue;
			fprintf(out, "%s/%u # %d\n", inet_ntoa(addr), len, i);
			if (i % 8 == 0)
				fprintf(out, "%s/%u\n", inet_ntoa(addr), len);
		}
	}
	fclose(out);
	fputs(text, file);
	fclose(file);
	check_list("nested", path, text);
	unlink(path);
	free(text);
}

static int open_box(void **unused)
{
	return geteuid() ? 0 : box_open(&box, 1);
}

static int close_box(void **unused)
{
	box_close(box);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_lists_match_exactly),
		cmocka_unit_test(nested_and_adjoining_prefixes_match_exactly),
	};

	if (geteuid()) {
		print_message("skipped: needs root to load BPF programs\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, open_box, close_box);
}
