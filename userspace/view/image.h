/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef VIEW_IMAGE_H
#define VIEW_IMAGE_H

#include <jansson.h>
#include <stdio.h>

struct image;

/* {"stats": {...}}: sizes, spaces, tables, and how long it took to make. A new reference. */
json_t *view_image(const struct image *image, double load_s, double compile_s);
void view_print_image(FILE *out, const json_t *data);

#endif
