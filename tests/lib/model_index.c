/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three kinds of lists, each in order of precedence: filters with at least 16
 * bits of remote address, by these; of the rest those with 16 bits of local
 * address, by these; and the others. In IPv6 the bits 16 to 31 are taken: the
 * first 16 are mostly alike.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/model_index.h"

#define SLOTS 65536
#define LISTS (2 * SLOTS + 1) /* by remote, by local, all others */

struct model_index {
	const struct image *image;
	uint32_t *first; /* of each list, in ranks; LISTS + 1 */
	uint32_t *ranks;
};

static unsigned needed_bits(uint8_t family)
{
	return family == 4 ? 16 : 32;
}

static uint32_t key_of(const uint8_t addr[16], uint8_t family)
{
	unsigned at = family == 4 ? 0 : 2;

	return (uint32_t)addr[at] << 8 | addr[at + 1];
}

static uint32_t list_of(const struct filter *f)
{
	if (f->remote.len >= needed_bits(f->family))
		return key_of(f->remote.addr.b, f->family);
	if (!f->local_is_me && f->local.len >= needed_bits(f->family))
		return SLOTS + key_of(f->local.addr.b, f->family);
	return 2 * SLOTS;
}

struct model_index *model_index_make(const struct image *image)
{
	struct model_index *index = calloc(1, sizeof(*index));
	uint32_t *fill = calloc(LISTS + 1, sizeof(*fill));

	if (index) {
		index->image = image;
		index->first = calloc(LISTS + 1, sizeof(*index->first));
		index->ranks = malloc((image->count + 1) * sizeof(*index->ranks));
	}
	if (!index || !fill || !index->first || !index->ranks) {
		model_index_free(index);
		free(fill);
		return NULL;
	}
	for (size_t i = 0; i < image->count; i++)
		index->first[list_of(&image->filters[i]) + 1]++;
	for (size_t l = 0; l < LISTS; l++)
		index->first[l + 1] += index->first[l];
	memcpy(fill, index->first, (LISTS + 1) * sizeof(*fill));
	for (size_t i = 0; i < image->count; i++)
		index->ranks[fill[list_of(&image->filters[i])]++] = i;
	free(fill);
	return index;
}

void model_index_free(struct model_index *index)
{
	if (!index)
		return;
	free(index->first);
	free(index->ranks);
	free(index);
}

/* The best rank in one list that is better than `best`. */
static uint32_t search(const struct model_index *index, uint32_t list, const struct xi_pkt *pkt,
		       uint32_t best)
{
	for (uint32_t i = index->first[list]; i < index->first[list + 1]; i++) {
		uint32_t rank = index->ranks[i];

		if (rank >= best)
			return best;
		if (filter_matches(&index->image->filters[rank], pkt))
			return rank;
	}
	return best;
}

struct xi_verdict model_index_classify(const struct model_index *index, const struct xi_pkt *pkt)
{
	uint32_t best = XI_NO_FILTER;

	best = search(index, key_of(pkt->remote, pkt->family), pkt, best);
	best = search(index, SLOTS + key_of(pkt->local, pkt->family), pkt, best);
	best = search(index, 2 * SLOTS, pkt, best);
	if (best == XI_NO_FILTER)
		return (struct xi_verdict){XI_ACT_NONE, XI_NO_FILTER};
	return (struct xi_verdict){index->image->filters[best].action, best};
}
