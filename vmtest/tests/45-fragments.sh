#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fragments: 6.1 has no reassembly before the verdict and must say so, 6.12 has it.
set -u
exec bash tests/integration/fragments.sh
