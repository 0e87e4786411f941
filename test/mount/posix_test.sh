#!/bin/bash
# SPDX-License-Identifier: MIT
# The table of what file operations do on a mount that may be written to, and how they fail: posix_test.py.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "no python3"
server_start
"$MAILGEN" sample "$box"
mount_start rw
if ! within 120 python3 "$(dirname "$0")/posix_test.py" "$mnt"; then
    failed "the table"
fi
mount_stop
