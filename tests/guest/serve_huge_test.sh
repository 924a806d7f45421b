#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A server in huge pages: they go away, and what is cached stays right. A test of its own, as nobody else
# may change the host's pool meanwhile.
exec bash "$(dirname "$0")/serve_fault_test.sh" huge
