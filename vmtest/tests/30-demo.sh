#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The demo, with the userspace ESP workers, under this kernel.
XI_TAP=1 XI_DATAPATH=afxdp exec bash tests/demo/demo.sh
