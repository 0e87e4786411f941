#!/bin/bash
# SPDX-License-Identifier: MIT
# The cache of bodies: bounded, private; and its disk may be full. See keep_test.sh for the next mount.
. "$(dirname "$0")/lib.sh"

cache_kilobytes() {
    du -sk "$work/cache" | cut -f 1
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
ok "what is left of it is within its size" test "$(du -sk "$work"/cache/*.bodies | cut -f 1)" -le 2048

[ "$(id -u)" = 0 ] || skip "a full disk needs root to make one"
mkdir -p "$work/tiny"
mount -t tmpfs -o size=1m,mode=700 tmpfs "$work/tiny" || skip "cannot mount a tmpfs"
trap 'umount -l "$work/tiny"; cleanup' EXIT
mount_start "cache_dir=$work/tiny"
within 20 ls "$mnt/Large" >/dev/null
ok "a message larger than the disk is right" compare_mailbox Large
ok "all the small ones can still be read" compare_mailbox Bulk
mount_stop
