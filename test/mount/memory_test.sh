#!/bin/bash
# SPDX-License-Identifier: MIT
# 20,000 messages, nothing read: less than 40 MB of memory. Sanitizers need their own, so without them.
. "$(dirname "$0")/lib.sh"

if grep -qE '__(asan|tsan)_init' "$IMAPFS"; then
    [ -x "${IMAPFS_RELEASE:-}" ] || skip "needs a binary without sanitizers in IMAPFS_RELEASE"
    IMAPFS=$IMAPFS_RELEASE
fi

megabytes() {
    awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$daemon/status"
}

server_start
"$MAILGEN" bulk "$box/Bulk" 20000 3
mount_start
begin=$(now_ms)
same "ls is complete" 20000 "$(within 60 ls "$mnt/Bulk" | wc -l)"
same "and again with ls -l" 20001 "$(within 60 ls -l "$mnt/Bulk" | wc -l)"
echo "in $(($(now_ms) - begin)) ms"
ok "at most $(megabytes) MB" test "$(megabytes)" -lt 40
ok "grep -r finds one thing in all" test "$(within 120 grep -rl '^Message-ID: ' "$mnt/Bulk" | wc -l)" = 20000
echo "with all read once: $(megabytes) MB"
mount_stop
