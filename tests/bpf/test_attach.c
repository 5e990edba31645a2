/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A link that cannot be looked into is not let go: while the kernel refuses to say
 * what runs on an interface, looking, attaching and detaching leave what filters
 * it. In a namespace of its own; the kernel refuses those without CAP_NET_ADMIN.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cap-ng.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "compile/image.h"
#include "datapath/internal.h"
#include "datapath/tcx.h"
#include "tests/lib/filters.h"

static char instance[32], pin[160];
static struct datapath *dp;
static struct image *image;
static int iface, tun = -1;

/* An interface that is Ethernet; it ends with the test. */
static int make_iface(void)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &req))
		return 0;
	return if_nametoindex(req.ifr_name);
}

static int open_all(void **state)
{
	static const struct filter_spec blocked = {.dir = XI_DIR_OUT, .action = XI_ACT_BLOCK};
	struct datapath_opts opts = {
		.instance = instance, .want.xdp = DP_WANT_XDP_OFF, .no_reassembly = true};
	struct diag diag = {0};
	char name[64];

	snprintf(instance, sizeof(instance), "attach%d", getpid());
	if (unshare(CLONE_NEWNET))
		return -1;
	iface = make_iface();
	if (!iface || datapath_open(&opts, &dp, &diag))
		return -1;
	diag_free(&diag);
	image = filters_compile(&blocked, 1);
	snprintf(name, sizeof(name), "link_xi_tc_egress_%d", iface);
	dp_pin_path(pin, sizeof(pin), instance, name);
	return datapath_swap(dp, image, NULL) || datapath_attach(dp, iface, XI_IFACE_LAN, NULL);
}

static int close_all(void **state)
{
	image_free(image);
	datapath_close(dp);
	close(tun);
	return datapath_teardown(instance, NULL);
}

static void capable(bool yes)
{
	capng_get_caps_process();
	capng_updatev(yes ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, CAP_NET_ADMIN, CAP_SYS_ADMIN,
		      -1);
	assert_int_equal(capng_apply(CAPNG_SELECT_CAPS), 0);
}

static bool is_pinned(void)
{
	return !access(pin, F_OK);
}

static bool runs(void)
{
	uint32_t id;

	return tcx_programs(iface, false, &id, 1) == 1;
}

/* Without it there is nothing to show: a kernel before 6.6. */
static bool has_tcx(void)
{
	struct datapath_iface state;

	assert_int_equal(datapath_iface_state(dp, iface, &state), 0);
	assert_int_not_equal(state.egress, DP_TC_NONE);
	if (state.egress != DP_TC_TCX)
		print_message("skipped: this kernel has no TCX links\n");
	return state.egress == DP_TC_TCX;
}

static void looking_takes_nothing_away(void **unused)
{
	struct dp_tc_state state;
	uint32_t id;

	if (!has_tcx())
		skip();
	assert_true(is_pinned() && runs());
	capable(false);
	assert_int_equal(tcx_programs(iface, false, &id, 1), -EPERM);
	state = dp_tc_look(instance, iface, DP_PROG_TC_EGRESS);
	capable(true);
	assert_true(is_pinned() && runs());
	assert_int_equal(state.kind, DP_TC_TCX);
	assert_int_equal(state.err, -EPERM);
	state = dp_tc_look(instance, iface, DP_PROG_TC_EGRESS);
	assert_int_equal(state.kind, DP_TC_TCX);
	assert_int_equal(state.err, 0);
}

static void neither_do_attaching_and_detaching(void **unused)
{
	if (!has_tcx())
		skip();
	capable(false);
	assert_int_not_equal(dp_tc_attach(dp, iface, DP_PROG_TC_EGRESS, NULL), 0);
	assert_int_equal(dp_tc_detach(instance, iface, DP_PROG_TC_EGRESS), -EPERM);
	assert_int_not_equal(datapath_teardown(instance, NULL), 0);
	capable(true);
	assert_true(is_pinned() && runs());
	assert_int_equal(dp_tc_attach(dp, iface, DP_PROG_TC_EGRESS, NULL), 0);
	assert_true(is_pinned() && runs());
}

/* What is certainly of no use goes, so that the next one has its place. */
static void what_is_left_of_another_interface_goes(void **unused)
{
	if (!has_tcx())
		skip();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(dp_tc_look(instance, iface, DP_PROG_TC_EGRESS).kind, DP_TC_NONE);
	assert_false(is_pinned());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looking_takes_nothing_away),
		cmocka_unit_test(neither_do_attaching_and_detaching),
		cmocka_unit_test(what_is_left_of_another_interface_goes),
	};

	if (geteuid()) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, open_all, close_all);
}
