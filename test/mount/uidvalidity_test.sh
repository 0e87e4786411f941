#!/bin/bash
# SPDX-License-Identifier: MIT
# A mailbox becomes another one of the same name, by each way there is on a real server, while it is mounted and while
# it is not: UIDs mean other messages now, and no byte of the old ones may be served for the new ones.
. "$(dirname "$0")/lib.sh"
command -v getfattr >/dev/null || skip "no getfattr (package attr)"

count=40

# keep_old MAILBOX: copies of its messages as they are now, as UID.eml in $work/old.
keep_old() {
    rm -rf "$work/old"
    mkdir "$work/old"
    while IFS=$'\t' read -r uid path; do
        cp "$path" "$work/old/$uid.eml"
    done < <(server_files "$1")
}

# What turns Box into another mailbox with the same UIDs. Next has its messages to be.
recreated() {
    imap 'DELETE Box' 'RENAME Next Box' >/dev/null
}

# As when files are put back from a backup and the server is started again; sessions that go on would not notice.
replaced() {
    mv "$box/Box" "$work/replaced.$seed"
    mv "$box/Next" "$box/Box"
    server_processes imap | xargs -r kill -KILL
}

# The messages stay what they are. Sessions that go on are told nothing of it, with NOTIFY.
updated() {
    "$dovecot" doveadm "$work/s" mailbox update -u user --uid-validity $((2000000000 + seed)) Box
    server_processes imap | xargs -r kill -KILL
}

make_next() {
    rm -rf "$work/new"
    mkdir "$work/new"
    if [ "$1" = updated ]; then
        cp "$work"/old/* "$work/new"
        return
    fi
    "$MAILGEN" bulk "$box/Next" $count "$seed"
    # Else both may be the time of the day.
    "$dovecot" doveadm "$work/s" mailbox update -u user --uid-validity $((1900000000 + seed)) Next
    imap 'EXAMINE Next' >/dev/null
    while IFS=$'\t' read -r uid path; do
        cp "$path" "$work/new/$uid.eml"
    done < <(server_files Next)
}

validity() {
    getfattr --only-values --absolute-names -n user.imap.uidvalidity "$mnt/Box"
}

is_new() {
    within 20 ls "$mnt/Box" >/dev/null
    [ "$(validity)" != "$old_validity" ] && [ "$(server_files Box | wc -l)" = $count ] && compare_mailbox Box
}

# Reads all the time. What is read successfully is a whole message: an old one until the change is seen, or a new one.
reader() {
    local uid
    while [ ! -e "$work/enough" ]; do
        for uid in $(shuf -i 1-$count); do
            within 20 cat "$mnt/Box/$uid.eml" >"$work/read.$1" 2>/dev/null || continue
            cmp -s "$work/read.$1" "$work/old/$uid.eml" || cmp -s "$work/read.$1" "$work/new/$uid.eml" ||
                echo "$uid.eml is neither the old message nor the new one" >>"$work/mixed"
        done
    done
}

# stale FD: reading fails with ESTALE.
stale() {
    local output
    output=$(within 10 cat <&"$1" 2>&1 >/dev/null) && return 1
    grep -q 'Stale file handle' <<<"$output"
}

log_lines() {
    grep -c "mailbox Box: .*UIDVALIDITY" "$daemon_log"
}

# while_mounted HOW
while_mounted() {
    local lines=0 i readers=()
    seed=$((seed + 1))
    within 20 cat "$mnt/Box"/*.eml >/dev/null
    keep_old Box
    make_next "$1"
    rm -f "$work/enough" "$work/mixed"
    old_validity=$(validity)
    inode=$(stat -c %i "$mnt/Box/1.eml")
    lines=$(log_lines)
    exec 3<"$mnt/Box/1.eml" 4<"$mnt/Box/$count.eml"
    head -c 10 <&3 >/dev/null
    for i in 1 2 3; do
        reader $i &
        readers+=($!)
    done
    "$1" || failed "$1"
    ok "$1 while mounted: the new messages" await 20 is_new
    touch "$work/enough"
    wait "${readers[@]}"
    same "readers saw whole messages only" "" "$(head -n 5 "$work/mixed" 2>/dev/null)"
    ok "numbers of their own" test "$inode" != "$(stat -c %i "$mnt/Box/1.eml")"
    ok "an open handle that was read is stale" await 5 stale 3
    ok "one that was not, too" await 5 stale 4
    exec 3<&- 4<&-
    ok "the new one under the same name" cmp "$work/new/1.eml" "$mnt/Box/1.eml"
    lines=$(($(log_lines) - lines))
    if [ "$1" = updated ]; then # Dovecot's own sessions may disagree for a moment
        ok "the log says it" test $lines -ge 1
    else
        same "the log says it once" 1 $lines
    fi
}

# while_unmounted HOW POLL
while_unmounted() {
    local lines i readers=()
    seed=$((seed + 1))
    mount_start poll="$2" connections=4
    within 20 cat "$mnt/Box"/*.eml >/dev/null
    old_validity=$(validity)
    inode=$(stat -c %i "$mnt/Box/1.eml")
    mount_stop
    keep_old Box
    make_next "$1"
    rm -f "$work/enough" "$work/mixed"
    "$1" || failed "$1"
    lines=$(log_lines)
    mount_start poll="$2" connections=4
    for i in 1 2 3; do
        reader $i &
        readers+=($!)
    done
    if [ "$2" = 0 ]; then
        ok "$1 while unmounted: the new messages at once" is_new
    else
        ok "$1 while unmounted, poll=$2: the new messages" await 20 is_new
    fi
    touch "$work/enough"
    wait "${readers[@]}"
    same "readers saw whole messages only" "" "$(head -n 5 "$work/mixed" 2>/dev/null)"
    ok "numbers of their own" test "$inode" != "$(stat -c %i "$mnt/Box/1.eml")"
    same "the log says it once" 1 $(($(log_lines) - lines))
    mount_stop
}

server_start
seed=1
"$MAILGEN" bulk "$box/Box" $count $seed
"$MAILGEN" bulk "$box/Other" 3 1

mount_start poll=1 connections=4
for how in recreated replaced updated; do
    while_mounted $how
done
mount_stop

for how in recreated replaced updated; do
    while_unmounted $how 0
done
while_unmounted recreated 3600
