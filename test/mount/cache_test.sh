#!/bin/bash
# SPDX-License-Identifier: MIT
# The cache of bodies: bounded, private, gone with the mount; and its disk may be full.
. "$(dirname "$0")/lib.sh"

cache_kilobytes() {
    # The file has no name: only the daemon holds it.
    local fd total=0
    for fd in /proc/"$daemon"/fd/*; do
        [[ $(readlink "$fd") != "$work/cache"* ]] || total=$((total + $(stat -Lc %b "$fd") / 2))
    done
    echo $total
}

server_start
"$MAILGEN" bulk "$box/Bulk" 800 3
"$MAILGEN" one "$box/Large" 5000000
mount_start cache_size=2M
for i in 1 2; do
    ok "a mailbox three times the cache's size, round $i" compare_mailbox Bulk
    ok "stays within the cache" test "$(cache_kilobytes)" -le 8192
done
ok "a message larger than the cache" compare_mailbox Large
ok "the cache's directory is private" test "$(stat -c %a "$work/cache")" = 700
mount_stop
same "nothing of it is left" "" "$(find "$work/cache" -type f -size +0 ! -name '*.db')"

[ "$(id -u)" = 0 ] || skip "a full disk needs root to make one"
mkdir -p "$work/tiny"
mount -t tmpfs -o size=1m,mode=700 tmpfs "$work/tiny" || skip "cannot mount a tmpfs"
trap 'umount -l "$work/tiny"; cleanup' EXIT
mount_start "cache_dir=$work/tiny"
within 20 ls "$mnt/Large" >/dev/null
within 30 cat "$mnt/Large/1.eml" >"$work/out" 2>"$work/err"
status=$?
if [ $status = 0 ]; then
    ok "a message larger than the disk is right" cmp "$(server_files Large | cut -f 2)" "$work/out"
else
    ok "a message larger than the disk is an error that says so: $(sed 's/.*: //' "$work/err")" \
        grep -qE 'No space left|Input/output error' "$work/err"
fi
ok "all the small ones can still be read" compare_mailbox Bulk
mount_stop
