/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of maps and programs, from the lists that also make their enums. */
#include "datapath/internal.h"

#define DP_X(NAME, name) name,
static const char *const map_names[] = {DP_MAPS(DP_X)};
static const char *const prog_names[] = {DP_PROGS(DP_X)};
#undef DP_X

#define XI_TABLE(NAME, name, type) name,
static const char *const table_names[] = {
#include <xipsec/tables.def>
	"xi_counts",
	"xi_hit_log",
};
#undef XI_TABLE

_Static_assert(sizeof(map_names) / sizeof(*map_names) == DP_MAP_MAX, "one name a map");
_Static_assert(sizeof(table_names) / sizeof(*table_names) == DP_TABLE_MAX, "one name a table");

const char *dp_map_name(unsigned map)
{
	return map_names[map];
}

const char *dp_prog_name(enum dp_prog prog)
{
	return prog_names[prog];
}

const char *dp_table_name(unsigned table)
{
	return table_names[table];
}
