#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fragments on real links: 6.12 puts them together before the verdict, 6.1 cannot
# and says so.
set -u
exec bash tests/integration/fragments.sh
