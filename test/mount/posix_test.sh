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

mount_start rw,umask=022
refused() {
    "$@" 2>&1 | grep -q 'Operation not permitted'
}
ok "what is open to others cannot be closed" refused chmod go= "$mnt/INBOX/1.eml"
ok "nor a mailbox" refused chmod go-rx "$mnt/INBOX"
mount_stop
