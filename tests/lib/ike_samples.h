/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sample IKEv1 messages made with the writers of ike/wire, one of each kind a
 * main mode, quick mode or informational exchange can hold. They feed the
 * truncation and bit-flip tests and are the seeds of the fuzz target.
 */
#ifndef TESTS_LIB_IKE_SAMPLES_H
#define TESTS_LIB_IKE_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define IKE_SAMPLE_MAX 2048

/*
 * The nth sample: its name, or NULL when there are no more. Messages that go
 * out encrypted stand here in clear, without the flag.
 */
const char *ike_sample(unsigned n, uint8_t ret[IKE_SAMPLE_MAX], size_t *ret_len);

#endif
