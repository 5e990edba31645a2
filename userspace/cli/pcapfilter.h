/* SPDX-License-Identifier: BSD-2-Clause */
/* The pcap filter language, translated by libpcap; without it, refused in words. */
#ifndef CLI_PCAPFILTER_H
#define CLI_PCAPFILTER_H

#include <jansson.h>

/*
 * "tcp port 443 and host 10.1.2.3" as classic BPF for Ethernet frames: an array of
 * [code, jt, jf, k]. Returns enum cli_exit and prints what is wrong.
 */
int pcapfilter_compile(const char *text, json_t **ret);

#endif
