#!/bin/bash
# SPDX-License-Identifier: MIT
# The second mount: listings are there at once, cost little, and are right whatever happened in between.
. "$(dirname "$0")/lib.sh"

listing() {
    # the date of a directory without messages is that of the mount
    (cd "$mnt" && within 60 find . \( -type f -printf '%T@ ' , -printf '%i %m %s %y %p\n' \) | sort)
}

flags() {
    (cd "$mnt/$1" && within 60 getfattr -d -m user.imap.flags ./*.eml 2>/dev/null | sort)
}

# bytes COMMAND...: what the server sends for it, from the mount to the end of its sessions.
bytes() {
    local before
    await 10 no_sessions
    before=$(server_sent)
    "$@" >/dev/null
    await 10 no_sessions
    echo $(($(server_sent) - before))
}

mount_and_list() {
    mount_start "poll=$1"
    within 60 ls -l "$mnt/Bulk" >"$work/listed"
    mount_stop
}

store=$work/cache/user@localhost_
server_start
store+=$IMAP_PORT.db
"$MAILGEN" bulk "$box/Bulk" 2000 3
"$MAILGEN" sample "$box"

# Dovecot counts modifications once somebody wants to know.
imap 'SELECT Bulk (CONDSTORE)' 'UID STORE 7 FLAGS.SILENT (\Answered work)' >/dev/null
mount_start poll=3600
first=$(listing)
first_flags=$(flags Bulk) first_date=$(stat -c %Y "$mnt/Bulk")
ok "a keyword is among the flags" grep -q 'Answered work' <<<"$first_flags"
ok "the store is private" test "$(stat -c %a "$store")" = 600
ok "its log too" test "$(stat -c %a "$store-wal")" = 600
mount_stop

mount_start poll=3600
same "a second mount shows the same" "$first" "$(listing)"
same "and the same flags" "$first_flags" "$(flags Bulk)"
same "and the date of the mailbox" "$first_date" "$(stat -c %Y "$mnt/Bulk")"
mount_stop

for poll in 3600 0; do
    sent=$(bytes mount_and_list $poll)
    same "2000 messages are listed, poll=$poll" 2001 "$(wc -l <"$work/listed")"
    ok "for $sent bytes" test "$sent" -le 4096
done

# What happened while nobody was looking.
"$MAILGEN" one "$box/Bulk" 4711
imap 'SELECT Bulk' 'UID STORE 3:9,500 +FLAGS.SILENT (\Deleted)' 'EXPUNGE' \
    'UID STORE 20:29 FLAGS.SILENT (\Flagged later)' >/dev/null
imap 'DELETE Empty' 'CREATE Added' >/dev/null
mount_start poll=0
ok "after changes the listing is right" compare_mailbox Bulk
same "so are the flags" 10 "$(flags Bulk | grep -c 'Flagged later')"
ok "and a new mailbox" test -d "$mnt/Added"
mount_stop
mount_start poll=3600
ok "which the next mount has at once" compare_mailbox Bulk
same "the flags as well" 10 "$(flags Bulk | grep -c 'Flagged later')"
mount_stop

# Another mailbox of the same name.
imap 'DELETE Bulk' 'CREATE Bulk' >/dev/null
"$MAILGEN" one "$box/Bulk" 3333 99
mount_start poll=0
ok "a mailbox made again has its own messages" compare_mailbox Bulk
same "of their own sizes" 3333 "$(stat -c %s "$mnt/Bulk/1.eml")"
mount_stop
"$MAILGEN" bulk "$box/Bulk" 3000 3

# Killed at any moment.
for i in 1 2 3 4 5 6; do
    mount_start poll=0
    (cd "$mnt" && exec timeout 20 ls -R >/dev/null 2>&1) &
    reader=$!
    sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
    kill -KILL "$daemon"
    wait "$daemon" 2>/dev/null
    fusermount3 -uz "$mnt"
    daemon=
    wait "$reader"
done
: >"$daemon_log"
mount_start poll=0
ok "after kill -9 all listings are right" compare_mailbox Bulk
same "and the store was whole" "" "$(grep -E 'damaged|not kept' "$daemon_log")"

# A second mount of the account at the same time.
first_mnt=$mnt first_daemon=$daemon
mnt=$work/mnt2
mkdir "$mnt"
mount_start poll=0
ok "a second mount at once says that it has no store" grep -q 'another imapfs has this account' "$daemon_log"
ok "and lists what is there" compare_mailbox Bulk
mount_stop
mnt=$first_mnt daemon=$first_daemon
mount_stop

# Damaged, and removed.
printf 'garbage' | dd of="$store" conv=notrunc bs=1 seek=0 status=none
mount_start poll=3600
ok "a damaged store is set aside" test -e "$store.damaged"
ok "which the log says" grep -q 'renamed to' "$daemon_log"
ok "and all is listed anew" compare_mailbox Bulk
mount_stop
rm -r "$work"/cache/*
mount_start poll=3600
ok "without the store's files all is listed anew" compare_mailbox Bulk
mount_stop

[ "$(id -u)" = 0 ] || skip "a full disk needs root to make one"
mkdir -p "$work/tiny"
mount -t tmpfs -o size=64k,mode=700 tmpfs "$work/tiny" || skip "cannot mount a tmpfs"
trap 'umount -l "$work/tiny"; cleanup' EXIT
for i in 1 2; do
    : >"$daemon_log"
    mount_start "cache_dir=$work/tiny"
    same "a full disk, mount $i: all is listed" 3001 "$(within 60 ls "$mnt/Bulk" | wc -l)"
    ok "and the log says what is lost" await 10 grep -q 'not kept any more' "$daemon_log"
    same "once" 1 "$(grep -c 'not kept any more' "$daemon_log")"
    mount_stop
done
