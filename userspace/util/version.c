/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled anew, alone, whenever the version is another one. */
#include "util/version.h"

const char xipsec_version[] = XIPSEC_VERSION;
