#!/bin/bash
# SPDX-License-Identifier: MIT
# An account moves from one server to another by rsync, by way of a backup and straight: what another client finds
# there is what there was, byte for byte, and nothing is done twice.
. "$(dirname "$0")/lib.sh"
# shellcheck source=test/mount/backup.sh
. "$top/test/mount/backup.sh"

# mount_source: what is copied from, read-only, at $from. What is copied to is $mnt.
mount_source() {
    local to=$mnt
    mnt=$from
    mount_start ro "cache_dir=$work/cache.from"
    from_daemon=$daemon mnt=$to daemon=
}

mount_friend() {
    mount_url "imap://friend@localhost:$IMAP_PORT/" tls=none rw "cache_dir=$work/cache.friend"
}

unmount_source() {
    local to=$mnt
    mnt=$from daemon=$from_daemon
    mount_stop
    mnt=$to
}

nothing_more() {
    same "nothing is transferred" 0 "$(transferred)"
    same "nothing is deleted" 0 "$(deleted)"
    same "nothing else is changed" "" "$(changed)"
}

friends_state() {
    IMAP_CLIENT_USER=friend client state
}

from=$work/mnt2
mkdir "$from"
command -v python3 >/dev/null || skip "no python3"
server_start
IMAP_PASSWORD=$IMAP_PASSWORD within 60 python3 -B "$top/test/mount/odd_account.py" "$IMAP_PORT" || failed "filling"
state=$(client state)
count=$(grep -c '^    ' <<<"$state")
ok "there is something ($count)" [ "$count" -gt 100 ]
mount_source
synced "a backup" "$from/" "$work/backup/"
same "has all" "$count" "$(transferred)"
same "of which each is told" "$count" "$(changed | grep -ac '^>f')"
unmount_source
same "the account is as it was" "$state" "$(client state)"

echo "--- to an empty account on Cyrus"
export CYRUS_CONF="munge8bit: no" # else it makes X of such bytes in headers
cyrus_start
mount_start rw
synced "the backup" "$work/backup/" "$mnt/"
same "all of it" "$count" "$(transferred)"
same "is there as it was" "$state" "$(client state)"
synced "once more, also with --delete" --delete "$work/backup/" "$mnt/"
nothing_more
ok "the mount has the same bytes" within 60 diff -r "$work/backup" "$mnt"
mount_stop
mount_start rw
synced "by another mount" --delete "$work/backup/" "$mnt/"
nothing_more
synced "without what is not kept" --omit-dir-times --no-perms --delete "$work/backup/" "$mnt/"
same "no difference at all" "" "$(differences)"
mount_stop
same "and is as it was" "$state" "$(client state)"

echo "--- straight from mount to mount"
server_use s
mount_source
server_use c
mount_friend
synced "one account to the other" "$from/" "$mnt/"
same "all of it" "$count" "$(transferred)"
same "is there as it was" "$state" "$(friends_state)"
synced "once more, also with --delete" --delete "$from/" "$mnt/"
nothing_more
mount_stop
unmount_source

echo "--- from Cyrus to an empty account on Dovecot"
mount_source
server_use s
rm -r "$work/cache.friend"
mount_friend
synced "back again" "$from/" "$mnt/"
same "all of it" "$count" "$(transferred)"
same "is there as it was" "$state" "$(friends_state)"
synced "once more, also with --delete" --delete "$from/" "$mnt/"
nothing_more
mount_stop
unmount_source
same "nothing was logged as failed" 0 "$(grep -c -e cannot -e changed "$daemon_log")"
