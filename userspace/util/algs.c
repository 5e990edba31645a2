/* SPDX-License-Identifier: BSD-2-Clause */
/* The algorithm tables: names, sizes and wire numbers, made from algs.h. */
#include <errno.h>
#include <string.h>

#include <xipsec/algs.h>

static const struct xi_cipher_info ciphers[] = {
#define XI_X(NAME, text, key, salt, iv, block, tag, ike, esp, bits)                                \
	[XI_CIPHER_##NAME] = {text, key, salt, iv, block, tag, ike, esp, bits},
	XI_CIPHERS(XI_X)
#undef XI_X
};

static const struct xi_integ_info integs[] = {
#define XI_X(NAME, text, key, digest, icv, ike, doi)                                               \
	[XI_INTEG_##NAME] = {text, key, digest, icv, ike, doi},
	XI_INTEGS(XI_X)
#undef XI_X
};

static const struct xi_group_info groups[] = {
#define XI_X(NAME, text, ike, len) [XI_GROUP_##NAME] = {text, ike, len},
	XI_GROUPS(XI_X)
#undef XI_X
};

const struct xi_cipher_info *xi_cipher_info(enum xi_cipher cipher)
{
	return &ciphers[cipher];
}

const struct xi_integ_info *xi_integ_info(enum xi_integ integ)
{
	return &integs[integ];
}

const struct xi_group_info *xi_group_info(enum xi_group group)
{
	return &groups[group];
}

int xi_cipher_by_name(const char *name, enum xi_cipher *ret)
{
	for (int i = 0; i < XI_CIPHER_MAX; i++)
		if (!strcmp(ciphers[i].name, name))
			return *ret = (enum xi_cipher)i, 0;
	return -ENOENT;
}

int xi_integ_by_name(const char *name, enum xi_integ *ret)
{
	for (int i = 0; i < XI_INTEG_MAX; i++)
		if (!strcmp(integs[i].name, name))
			return *ret = (enum xi_integ)i, 0;
	return -ENOENT;
}

int xi_group_by_name(const char *name, enum xi_group *ret)
{
	for (int i = 0; i < XI_GROUP_MAX; i++)
		if (!strcmp(groups[i].name, name))
			return *ret = (enum xi_group)i, 0;
	return -ENOENT;
}
