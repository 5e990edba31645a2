/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UTIL_VERSION_H
#define UTIL_VERSION_H

/* As `git describe` says it. In the programs only, the library does not know it: see Makefile. */
extern const char xipsec_version[];

#endif
