/* SPDX-License-Identifier: BSD-2-Clause */
/* Anything as a capture, through everything `xipsec decode` does with it but printing. */
// FUZZ-SOURCES: userspace/decode/*.c ike/wire/*.c ike/crypto/*.c
// FUZZ-SOURCES: userspace/util/pcap.c userspace/util/algs.c userspace/util/diag.c
// FUZZ-SOURCES: userspace/util/memtext.c
#include "decode/decode.h"
#include "decode/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *arg, const char *line)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The cookies of the seeds, so that the ways to decrypt are open. */
	static struct decode_key key[2] = {
		{.spi_i = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11},
		 .major = 1,
		 .e_len = 32},
		{.spi_i = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11},
		 .spi_r = {0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22},
		 .major = 2,
		 .e_len = 20,
		 .cipher = "AES-GCM-128 with 16 octet ICV"},
	};
	const struct decode_keys keys = {key, 2};
	static struct decoded msg;
	struct capture_packet packet;
	struct capture *capture;
	struct decode *decode;

	if (capture_open_mem(data, size, &capture))
		return 0;
	decode = decode_new(&keys);
	while (decode && capture_next(capture, &packet) > 0)
		if (decode_packet(decode, &packet, &msg))
			decode_details(&msg, ignore, NULL);
	decode_free(decode);
	capture_close(capture);
	return 0;
}
