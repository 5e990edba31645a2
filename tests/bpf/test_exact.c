/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From policy text to the verdict on a real frame, against an oracle that shares
 * no code with the compiler (tests/lib/oracle.c). Random policies are written as
 * YAML, loaded, compiled and put into the real programs; random frames, with
 * tags, options and extension headers, go through both hooks. Where they
 * disagree, rules are taken away as long as they still do, and what is left is
 * printed.
 *
 * XI_FULL=1 takes more of everything, XI_QUICK=1 less, XI_SEED=n one policy only.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/frame.h"
#include "../lib/oracle.h"
#include "compile/image.h"
#include "datapath/datapath.h"
#include "datapath/testrun.h"
#include "policy/policy.h"
#include "util/addr.h"

#define RULES_MAX 40
#define FRAMES	  250

static const char *const ours[] = {"10.1.0.1", "192.0.2.1", "2001:db8::1"};
#define OURS (sizeof(ours) / sizeof(ours[0]))

static struct testrun *run;
static struct xi_addr me[OURS];
static uint8_t me_bytes[OURS][16], me_family[OURS];
static uint64_t state;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

static bool chance(unsigned percent)
{
	return draw(100) < percent;
}

#define PICK(a) ((a)[draw(sizeof(a) / sizeof((a)[0]))])

/* ------------------------------------------------------------------ policies */

struct world {
	struct oracle_filter rules[RULES_MAX];
	size_t count;
	int exemptions; /* of Windows: 0 to 3 */
	bool fixed;	/* the compiler is told our addresses */
};

static const char *const v4_words[] = {"10.1.0.1",    "10.1.0.0",    "10.1.255.3",  "10.1.255.4",
				       "10.200.0.1",  "192.0.2.0",   "192.0.2.1",   "192.0.2.7",
				       "203.0.113.9", "224.0.0.251", "10.0.255.255"};
static const char *const v6_words[] = {"2001:db8::1",
				       "2001:db8:8000::1",
				       "2001:db8:c000::1",
				       "2001:db9::1",
				       "fe80::1",
				       "ff02::fb",
				       "2001:db8::ffff:ffff:ffff:ffff"};
static const uint16_t ports[] = {1, 53, 79, 80, 81, 88, 99, 100, 200, 443, 500, 4500, 65535};

static struct xi_addr word_addr(uint8_t family)
{
	struct xi_addr addr;

	assert_int_equal(xi_addr_parse(family == 4 ? PICK(v4_words) : PICK(v6_words), &addr), 0);
	return addr;
}

/* The last address of a prefix whose first one is in lo. */
static void end_of_prefix(const uint8_t lo[16], unsigned len, unsigned bits, uint8_t hi[16])
{
	memcpy(hi, lo, 16);
	for (unsigned bit = len; bit < bits; bit++)
		hi[bit / 8] |= 0x80 >> bit % 8;
}

static struct oracle_addr draw_range(uint8_t family)
{
	static const uint8_t v4_len[] = {0, 1, 8, 9, 15, 16, 17, 24, 30, 31, 32, 32};
	static const uint8_t v6_len[] = {0, 1, 16, 32, 33, 34, 48, 64, 65, 127, 128, 128};
	struct oracle_addr ret = {.kind = ORACLE_RANGE, .family = family};
	struct xi_addr a = word_addr(family), b;

	if (chance(family == 4 ? 15 : 25)) {
		b = a;
		if (family == 4)
			b = word_addr(family);
		else /* a long one would be cut into a hundred prefixes */
			b.b[15] = draw(256);
		memcpy(ret.lo, memcmp(a.b, b.b, 16) < 0 ? a.b : b.b, 16);
		memcpy(ret.hi, memcmp(a.b, b.b, 16) < 0 ? b.b : a.b, 16);
	} else {
		uint8_t len = family == 4 ? PICK(v4_len) : PICK(v6_len);

		xi_addr_mask(&a, len);
		memcpy(ret.lo, a.b, 16);
		end_of_prefix(ret.lo, len, xi_family_bits(family), ret.hi);
	}
	return ret;
}

static void draw_side(struct oracle_side *side, uint8_t family, bool may_be_me)
{
	side->port_hi = 65535;
	side->addrs = 1;
	if (may_be_me && chance(40)) {
		side->addr[0].kind = ORACLE_ME;
		return;
	}
	if (chance(25))
		return; /* any */
	side->addrs = 1 + draw(ORACLE_ADDRS);
	for (unsigned i = 0; i < side->addrs; i++)
		side->addr[i] = draw_range(family);
}

static void draw_ports(struct oracle_side *side)
{
	uint16_t a = PICK(ports), b = PICK(ports);

	if (chance(40))
		return;
	if (chance(50))
		b = a;
	side->port_lo = a < b ? a : b;
	side->port_hi = a < b ? b : a;
}

static struct oracle_filter draw_rule(void)
{
	static const int protos[] = {-1, -1, 6, 6, 17, 17, 132, 46, 1, 58};
	struct oracle_filter f = {.icmp_type = -1, .icmp_code = -1};
	uint8_t family;

	f.proto = PICK(protos);
	family = f.proto == 1 ? 4 : f.proto == 58 ? 6 : chance(60) ? 4 : 6;
	f.mirrored = chance(60);
	f.action = XI_ACT_PERMIT + draw(3);
	draw_side(&f.src, family, true);
	draw_side(&f.dst, family, f.src.addr[0].kind != ORACLE_ME);
	if (f.proto == 6 || f.proto == 17 || f.proto == 132) {
		draw_ports(&f.src);
		draw_ports(&f.dst);
	} else if ((f.proto == 1 || f.proto == 58) && chance(70)) {
		f.icmp_type = chance(70) ? (f.proto == 1 ? 8 : 128) : (int)draw(256);
		f.icmp_code = chance(40) ? (int)draw(2) : -1;
	}
	return f;
}

/* ---------------------------------------------------------------------- text */

static void put_addr(FILE *out, const struct oracle_addr *addr)
{
	struct xi_addr lo = {.family = addr->family}, hi = {.family = addr->family};
	char a[XI_ADDR_STRLEN], b[XI_ADDR_STRLEN];

	memcpy(lo.b, addr->lo, 16);
	memcpy(hi.b, addr->hi, 16);
	switch (addr->kind) {
	case ORACLE_ANY:
		fputs("any", out);
		return;
	case ORACLE_ME:
		fputs("me", out);
		return;
	case ORACLE_RANGE:
		break;
	}
	if (xi_addr_equal(&lo, &hi))
		fprintf(out, "'%s'", xi_addr_text(&lo, a));
	else
		fprintf(out, "'%s-%s'", xi_addr_text(&lo, a), xi_addr_text(&hi, b));
}

static void put_side(FILE *out, const char *name, const struct oracle_side *side)
{
	fprintf(out, "%s: [", name);
	for (unsigned i = 0; i < side->addrs; i++) {
		fputs(i ? ", " : "", out);
		put_addr(out, &side->addr[i]);
	}
	fputs("]", out);
	if (side->port_lo || side->port_hi != 65535)
		fprintf(out, ", %s-port: %u-%u", name, side->port_lo, side->port_hi);
}

static void put_rule(FILE *out, size_t i, const struct oracle_filter *f)
{
	fprintf(out, "  l%zu:\n    - {", i);
	put_side(out, "src", &f->src);
	fputs(", ", out);
	put_side(out, "dst", &f->dst);
	if (f->proto >= 0)
		fprintf(out, ", proto: %d", f->proto);
	if (f->icmp_type >= 0)
		fprintf(out, ", icmp-type: %d", f->icmp_type);
	if (f->icmp_type >= 0 && f->icmp_code >= 0)
		fprintf(out, ", icmp-code: %d", f->icmp_code);
	fprintf(out, ", mirrored: %s}\n", f->mirrored ? "true" : "false");
}

static char *policy_text(const struct world *world)
{
	static const char *const actions[] = {[XI_ACT_PERMIT] = "permit",
					      [XI_ACT_BLOCK] = "block",
					      [XI_ACT_NEGOTIATE] = "protect"};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fprintf(out, "policy: random\nsettings: {exemptions: %d}\nfilter-lists:\n",
		world->exemptions);
	for (size_t i = 0; i < world->count; i++)
		put_rule(out, i, &world->rules[i]);
	fputs("filter-actions: {protect: {negotiate: {methods: [{esp: aes128gcm16}]}}}\nrules:\n",
	      out);
	for (size_t i = 0; i < world->count; i++) {
		enum xi_action action = world->rules[i].action;

		fprintf(out, "  - {name: r%zu, filter-list: l%zu, action: %s%s}\n", i, i,
			actions[action], action == XI_ACT_NEGOTIATE ? ", auth: [kerberos]" : "");
	}
	fclose(out);
	return text;
}

static struct image *compile_world(const struct world *world)
{
	struct compile_opts opts = {.me = world->fixed ? me : NULL,
				    .me_count = world->fixed ? OURS : 0};
	char *text = policy_text(world), *said;
	struct policy *policy = NULL;
	struct image *image = NULL;
	struct diag diag = {0};
	int err = policy_parse(text, strlen(text), "random.yaml", &policy, &diag);

	if (!err)
		err = compile_policy(policy, &opts, &image, &diag);
	if (err) {
		said = diag_text(&diag);
		fprintf(stderr, "%s\n%s", text, said);
		free(said);
	}
	assert_int_equal(err, 0);
	policy_free(policy);
	diag_free(&diag);
	free(text);
	return image;
}

/* -------------------------------------------------------------------- frames */

/* An address on an edge of some rule, or any of the words, or one beyond an edge. */
static void draw_end(const struct world *world, uint8_t family, char text[XI_ADDR_STRLEN])
{
	const struct oracle_filter *f = &world->rules[draw(world->count)];
	const struct oracle_side *side = chance(50) ? &f->src : &f->dst;
	const struct oracle_addr *edge = &side->addr[draw(side->addrs)];
	struct xi_addr addr = word_addr(family);

	if (edge->kind == ORACLE_RANGE && edge->family == family && chance(60))
		memcpy(addr.b, chance(50) ? edge->lo : edge->hi, 16);
	if (chance(15))
		addr.b[draw(family == 4 ? 4 : 16)] ^= 1u << draw(8);
	if (chance(20))
		addr.b[family == 4 ? 3 : 15] += draw(3) - 1;
	xi_addr_text(&addr, text);
}

struct packet {
	char src[XI_ADDR_STRLEN], dst[XI_ADDR_STRLEN];
	struct frame_spec spec;
	enum xi_dir dir;
};

static void draw_packet(const struct world *world, struct packet *ret)
{
	static const uint8_t protos[] = {6, 6, 17, 17, 132, 46, 47, 1, 58, 255};
	static const uint8_t exts[] = {0, 43, 60};
	const struct oracle_filter *f = &world->rules[draw(world->count)];
	uint8_t family = chance(60) ? 4 : 6;
	struct frame_spec spec = {.vlans = chance(20) ? 1 + draw(2) : 0,
				  .tpid = chance(50) ? 0x88a8 : 0,
				  .payload = draw(40),
				  .trailer = draw(3)};

	*ret = (struct packet){.dir = chance(50) ? XI_DIR_IN : XI_DIR_OUT};
	draw_end(world, family, ret->src);
	draw_end(world, family, ret->dst);
	if (chance(40)) /* mostly the local end is ours */
		xi_addr_text(&me[family == 4 ? draw(2) : 2],
			     ret->dir == XI_DIR_IN ? ret->dst : ret->src);
	spec.proto = f->proto > 0 && chance(60) ? f->proto : PICK(protos);
	if (family == 4) {
		spec.options = chance(20) ? draw(11) : 0;
	} else if (chance(25)) {
		spec.exts = 1 + draw(3);
		for (unsigned i = 0; i < spec.exts; i++)
			spec.ext[i] = i ? exts[1 + draw(2)] : PICK(exts);
		spec.ext_len = 8 * draw(4);
	}
	if (spec.proto == 6 || spec.proto == 17 || spec.proto == 132) {
		spec.sport = chance(50) ? PICK(ports) : f->src.port_lo + draw(3) - 1;
		spec.dport = chance(50) ? PICK(ports) : f->dst.port_hi + draw(3) - 1;
	} else if (spec.proto == 1 || spec.proto == 58) {
		spec.icmp_type = chance(70) ? (spec.proto == 1 ? 8 : 128) : draw(256);
		spec.icmp_code = draw(3);
	}
	ret->spec = spec;
}

static struct xi_pkt fields_of(const struct packet *packet)
{
	const struct frame_spec *spec = &packet->spec;
	bool in = packet->dir == XI_DIR_IN;
	struct xi_pkt pkt = {.dir = packet->dir, .proto = spec->proto};
	struct xi_addr remote, local;

	assert_int_equal(xi_addr_parse(in ? packet->src : packet->dst, &remote), 0);
	assert_int_equal(xi_addr_parse(in ? packet->dst : packet->src, &local), 0);
	memcpy(pkt.remote, remote.b, 16);
	memcpy(pkt.local, local.b, 16);
	pkt.family = remote.family;
	pkt.remote_port = in ? spec->sport : spec->dport;
	pkt.local_port = in ? spec->dport : spec->sport;
	pkt.icmp_type = spec->icmp_type;
	pkt.icmp_code = spec->icmp_code;
	return pkt;
}

/* ------------------------------------------------------------------ verdicts */

#define BUILT_IN -2

static bool is_ours(const struct xi_pkt *pkt)
{
	for (size_t i = 0; i < OURS; i++)
		if (me_family[i] == pkt->family && !memcmp(me_bytes[i], pkt->local, 16))
			return true;
	return false;
}

/* What stands above all rules: our own IKE, and the exemptions of Windows. */
static bool exempt(const struct world *world, const struct xi_pkt *pkt)
{
	const uint8_t *dst = pkt->dir == XI_DIR_IN ? pkt->local : pkt->remote;
	bool group = pkt->family == 6 ? dst[0] == 0xff
				      : dst[0] >> 4 == 14 || !memcmp(dst, "\xff\xff\xff\xff", 4);
	bool ports_88 = (pkt->proto == 6 || pkt->proto == 17) &&
			(pkt->remote_port == 88 || pkt->local_port == 88);

	for (size_t i = 0; i < world->count; i++)
		if (world->rules[i].action == XI_ACT_NEGOTIATE && pkt->proto == 17 &&
		    (pkt->local_port == 500 || pkt->local_port == 4500) && is_ours(pkt))
			return true;
	return (group && world->exemptions <= 1) ||
	       ((ports_88 || pkt->proto == 46) && world->exemptions % 2 == 0);
}

/* The index of the rule, BUILT_IN, or -1 for none. */
static int want_of(const struct world *world, const struct packet *packet)
{
	const struct oracle_host host = {me_bytes, me_family, OURS, world->fixed};
	struct xi_pkt pkt = fields_of(packet);

	return exempt(world, &pkt) ? BUILT_IN
				   : oracle_decide(world->rules, world->count, &host, &pkt);
}

static int got_of(const struct image *image, const struct packet *packet)
{
	static struct frame frame;
	struct frame_spec spec = packet->spec;
	struct testrun_result result;
	const struct filter *f;

	spec.src = packet->src;
	spec.dst = packet->dst;
	frame_build(&frame, &spec);
	assert_int_equal(
		testrun_frame(run,
			      packet->dir == XI_DIR_IN ? XI_HOOK_XDP_INGRESS : XI_HOOK_TC_EGRESS,
			      frame.data, frame.len, &result),
		0);
	assert_true(result.ip);
	if (result.filter_idx == XI_NO_FILTER) {
		assert_int_equal(result.action, XI_ACT_NONE);
		return -1;
	}
	assert_true(result.filter_idx < image->count);
	f = &image->filters[result.filter_idx];
	assert_int_equal(result.action, f->action);
	return f->rule == FILTER_BUILTIN ? BUILT_IN : (int)f->rule;
}

static struct image *load_world(const struct world *world)
{
	struct image *image = compile_world(world);
	struct diag diag = {0};

	assert_int_equal(datapath_swap(testrun_datapath(run), image, &diag), 0);
	diag_free(&diag);
	return image;
}

static bool differs(const struct world *world, const struct packet *packet)
{
	struct image *image = load_world(world);
	bool wrong = got_of(image, packet) != want_of(world, packet);

	image_free(image);
	return wrong;
}

/* Takes away what does not matter for the difference, and prints the rest. */
static void report(struct world *world, const struct packet *packet, uint64_t seed)
{
	struct image *image;
	char *text;

	for (size_t i = 0; i < world->count;) {
		struct world less = *world;

		memmove(&less.rules[i], &less.rules[i + 1],
			(less.count - i - 1) * sizeof(*less.rules));
		less.count--;
		if (less.count && differs(&less, packet))
			*world = less;
		else
			i++;
	}
	image = load_world(world);
	text = policy_text(world);
	print_error(
		"seed %lu: %s %s:%u -> %s:%u proto %u icmp %u/%u vlans %u options %u exts %u\n"
		"the programs say rule %d, the oracle %d (-2: built in, -1: none)%s; policy:\n%s",
		(unsigned long)seed, packet->dir == XI_DIR_IN ? "in" : "out", packet->src,
		packet->spec.sport, packet->dst, packet->spec.dport, packet->spec.proto,
		packet->spec.icmp_type, packet->spec.icmp_code, packet->spec.vlans,
		packet->spec.options, packet->spec.exts, got_of(image, packet),
		want_of(world, packet), world->fixed ? ", addresses given" : "", text);
	free(text);
	image_free(image);
	fail();
}

/* --------------------------------------------------------------------- tests */

static uint64_t compared, by_rule, by_built_in;

static void one_world(uint64_t seed)
{
	struct world world = {0};
	struct packet packet;
	struct image *image;

	state = seed * 0x9e3779b97f4a7c15ull | 1;
	for (int i = 0; i < 4; i++)
		draw(2);
	world.count = 1 + draw(chance(50) ? 6 : RULES_MAX);
	world.exemptions = draw(4);
	world.fixed = chance(30);
	for (size_t i = 0; i < world.count; i++)
		world.rules[i] = draw_rule();
	image = load_world(&world);
	for (size_t i = 0; i < FRAMES; i++) {
		int want;

		draw_packet(&world, &packet);
		want = want_of(&world, &packet);
		compared++;
		by_rule += want >= 0;
		by_built_in += want == BUILT_IN;
		if (got_of(image, &packet) != want)
			report(&world, &packet, seed);
	}
	image_free(image);
}

static void random_policies_on_real_frames(void **unused)
{
	const char *one = getenv("XI_SEED");
	uint64_t worlds = getenv("XI_FULL") ? 5000 : getenv("XI_QUICK") ? 20 : 100;

	if (one)
		one_world(strtoull(one, NULL, 10));
	for (uint64_t seed = 1; !one && seed <= worlds; seed++)
		one_world(seed);
	print_message("           %lu frames: %lu decided by a rule, %lu by a built-in filter\n",
		      (unsigned long)compared, (unsigned long)by_rule, (unsigned long)by_built_in);
	if (!one) {
		assert_true(by_rule * 4 > compared);
		assert_true(by_built_in * 50 > compared);
	}
}

static int set_up(void **unused)
{
	struct testrun_opts opts = {.me = me, .me_count = OURS};
	struct diag diag = {0};
	int err;

	for (size_t i = 0; i < OURS; i++) {
		if (xi_addr_parse(ours[i], &me[i]))
			return -1;
		memcpy(me_bytes[i], me[i].b, 16);
		me_family[i] = me[i].family;
	}
	err = testrun_open(NULL, &opts, &run, &diag);
	if (err)
		print_error("the programs do not load: %s (are you root?)\n", strerror(-err));
	diag_free(&diag);
	return err;
}

static int tear_down(void **unused)
{
	testrun_close(run);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_policies_on_real_frames),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
