/* SPDX-License-Identifier: BSD-2-Clause */
/* xipsec decode: the IKE messages of a capture, for people and for scripts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "decode/decode.h"
#include "decode/text.h"
#include "util/addr.h"

struct options {
	const char *file, *keys;
	bool json;
};

static int parse_args(int argc, char **argv, struct options *opt)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			opt->json = true;
		else if (!strcmp(argv[i], "--keys") && i + 1 < argc)
			opt->keys = argv[++i];
		else if (argv[i][0] == '-' && argv[i][1])
			return cli_usage(argv[0], "unknown or incomplete option '%s'", argv[i]);
		else if (opt->file)
			return cli_usage(argv[0], "one capture at a time");
		else
			opt->file = argv[i];
	}
	return opt->file ? CLI_OK : cli_usage(argv[0], "no capture named");
}

static int load_keys(const char *path, struct decode_keys *keys)
{
	struct diag diag = {0};
	int rc = decode_keys_load(path, keys, &diag);
	char *text = diag_text(&diag);

	if (diag.errors && text)
		fputs(text, stderr);
	else if (rc)
		fprintf(stderr, "xipsec: %s: %s\n", path, strerror(-rc));
	free(text);
	diag_free(&diag);
	return rc ? CLI_USAGE : CLI_OK;
}

static void add_line(void *arg, const char *line)
{
	json_array_append_new(arg, json_string(line));
}

static json_t *hex_text(uint64_t value, int digits)
{
	return json_sprintf("%0*llx", digits, (unsigned long long)value);
}

static void print_json(const struct decoded *msg)
{
	char src[XI_ADDR_STRLEN], dst[XI_ADDR_STRLEN];
	json_t *root = json_object(), *types = json_array(), *details = json_array();

	for (unsigned i = 0; i < msg->type_count; i++)
		json_array_append_new(types, json_integer(msg->types[i]));
	decode_details(msg, add_line, details);
	json_object_set_new(root, "frame", json_integer(msg->frame));
	json_object_set_new(root, "src", json_string(xi_addr_text(&msg->src, src)));
	json_object_set_new(root, "src_port", json_integer(msg->sport));
	json_object_set_new(root, "dst", json_string(xi_addr_text(&msg->dst, dst)));
	json_object_set_new(root, "dst_port", json_integer(msg->dport));
	json_object_set_new(root, "spi_i", hex_text(wire_cookie_number(msg->hdr.cookie_i), 16));
	json_object_set_new(root, "spi_r", hex_text(wire_cookie_number(msg->hdr.cookie_r), 16));
	json_object_set_new(root, "version", json_sprintf("%u.%u", msg->hdr.major, msg->hdr.minor));
	json_object_set_new(root, "exchange", json_integer(msg->hdr.exchange));
	json_object_set_new(root, "flags", json_integer(msg->hdr.flags));
	json_object_set_new(root, "message_id", hex_text(msg->hdr.message_id, 8));
	json_object_set_new(root, "length", json_integer(msg->hdr.length));
	json_object_set_new(root, "payloads", types);
	json_object_set_new(root, "encrypted", json_boolean(msg->encrypted));
	json_object_set_new(root, "decrypted", json_boolean(msg->decrypted));
	json_object_set_new(root, "repeated", json_boolean(msg->repeated));
	json_object_set_new(root, "problem",
			    msg->problem ? json_string(msg->problem) : json_null());
	json_object_set_new(root, "details", details);
	cli_json_line(root, JSON_PRESERVE_ORDER);
}

static void print_line(void *arg, const char *line)
{
	printf("      %s\n", line);
}

static void print_text(const struct decoded *msg)
{
	char src[XI_ADDR_STRLEN], dst[XI_ADDR_STRLEN], number[IKE_NUMBER_TEXT],
		name[IKE_NUMBER_TEXT];

	printf("%4u  %s.%u > %s.%u  IKEv%u %s  %016llx:%016llx  id %08x  flags %02x  length %u\n",
	       msg->frame, xi_addr_text(&msg->src, src), msg->sport, xi_addr_text(&msg->dst, dst),
	       msg->dport, msg->hdr.major,
	       ike_name_or_number(ike_exchange_name(msg->hdr.exchange), msg->hdr.exchange, name),
	       (unsigned long long)wire_cookie_number(msg->hdr.cookie_i),
	       (unsigned long long)wire_cookie_number(msg->hdr.cookie_r), msg->hdr.message_id,
	       msg->hdr.flags, msg->hdr.length);
	printf("     ");
	for (unsigned i = 0; i < msg->type_count; i++)
		printf(" %s",
		       ike_name_or_number(ike_payload_name(msg->types[i]), msg->types[i], number));
	if (msg->encrypted && !msg->decrypted)
		printf(" (encrypted)");
	if (msg->repeated)
		printf(" (retransmitted)");
	putchar('\n');
	decode_details(msg, print_line, NULL);
	if (msg->problem)
		printf("      MALFORMED: %s\n", msg->problem);
}

static int run(const struct options *opt, struct decode *decode, struct capture *capture)
{
	static struct decoded msg;
	struct capture_packet packet;
	int rc;

	while ((rc = capture_next(capture, &packet)) > 0) {
		if (!decode_packet(decode, &packet, &msg))
			continue;
		if (opt->json)
			print_json(&msg);
		else
			print_text(&msg);
	}
	if (!rc)
		return CLI_OK;
	fprintf(stderr, "xipsec: %s: the capture is broken behind its last packet shown\n",
		opt->file);
	return CLI_FAILED;
}

int cmd_decode(int argc, char **argv)
{
	struct options opt = {0};
	struct decode_keys keys = {0};
	struct capture *capture = NULL;
	struct decode *decode = NULL;
	int rc = parse_args(argc, argv, &opt), err;

	if (rc)
		return rc;
	if (opt.keys)
		rc = load_keys(opt.keys, &keys);
	if (rc)
		goto out;
	rc = CLI_FAILED;
	err = capture_open(opt.file, &capture);
	if (err) {
		fprintf(stderr, "xipsec: %s: %s\n", opt.file,
			err == -EBADMSG ? "not a pcap or pcapng capture" : strerror(-err));
		goto out;
	}
	decode = decode_new(&keys);
	if (decode)
		rc = run(&opt, decode, capture);
out:
	decode_free(decode);
	capture_close(capture);
	decode_keys_free(&keys);
	return rc;
}
