/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters written down by hand, compiled to an image. */
#ifndef TESTS_FILTERS_H
#define TESTS_FILTERS_H

#include "compile/image.h"

/* Zero means any; ids are given in order from 1. */
struct filter_spec {
	enum xi_dir dir;
	enum xi_action action;
	const char *remote; /* prefix; NULL: any IPv4 */
	const char *local;  /* prefix or "me"; NULL: any of the same family */
	uint8_t proto;
	uint16_t remote_port, remote_port_hi; /* hi 0: one port */
	uint16_t local_port, local_port_hi;
	int icmp_type; /* of ICMP and ICMPv6 only: type + 1 */
	bool passthrough;
	bool remote_access; /* only interfaces of that class */
};

/* Exits with a message if the filters do not compile: they are part of the test. */
struct image *filters_compile(const struct filter_spec *specs, size_t count);
/* The index of specs[i] in image->filters. */
uint32_t filters_index(const struct image *image, size_t i);

#endif
