#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The datapath on a real link under this kernel, where libxdp's dispatcher may load.
exec tests/integration/datapath_filter.sh
