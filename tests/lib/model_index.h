/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference model, made fit for large lists: it still asks filter_matches()
 * about one filter after the other in order of precedence, but leaves out those
 * whose first 16 address bits differ from the packet's.
 */
#ifndef TESTS_LIB_MODEL_INDEX_H
#define TESTS_LIB_MODEL_INDEX_H

#include "compile/image.h"

struct model_index;

/* NULL when there is no memory. The image must outlive it. */
struct model_index *model_index_make(const struct image *image);
void model_index_free(struct model_index *index);
/* As model_classify(). */
struct xi_verdict model_index_classify(const struct model_index *index, const struct xi_pkt *pkt);

#endif
