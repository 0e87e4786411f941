#!/bin/bash
# SPDX-License-Identifier: MIT
# A server whose RFC822.SIZE is wrong, as some are: no reader gets a short or padded message.
. "$(dirname "$0")/lib.sh"

# lies SED-SCRIPT: mounts a server that says something else than the truth about sizes.
lies() {
    mount_url imap://user@localhost/ "tunnel=$dovecot tunnel $work/s user 2>/dev/null | LC_ALL=C stdbuf -oL sed -E '$1'"
}

# compare_copies DIR: what a program made of the mailbox, against the server's files.
compare_copies() {
    local uid path
    while IFS=$'\t' read -r uid path; do
        cmp "$path" "$1/$uid.eml" || return 1
    done < <(server_files INBOX)
}

# All programs that trust st_size in ways of their own, each on a fresh mount, so that none profits from another.
read_all_ways() {
    lies "$2"
    ok "$1: cat and cmp" compare_mailbox INBOX
    ok "$1: the listing tells the truth afterwards" compare_sizes
    mount_stop
    lies "$2"
    within 20 ls -l "$mnt/INBOX" >/dev/null
    rm -rf "$work/copy"
    ok "$1: rsync" within 100 rsync -a "$mnt/INBOX/" "$work/copy/"
    ok "$1: what it copied" compare_copies "$work/copy"
    mount_stop
    lies "$2"
    within 20 ls -l "$mnt/INBOX" >/dev/null
    rm -rf "$work/copy"
    mkdir "$work/copy"
    # tar takes the size from stat before open, pads, and says so: it must not be silent about a difference.
    if within 100 tar -C "$mnt/INBOX" -cf "$work/tar" . 2>"$work/said"; then
        tar -C "$work/copy" -xf "$work/tar"
        ok "$1: what tar copied without complaint" compare_copies "$work/copy"
    else
        ok "$1: tar complains" grep -q 'file changed\|File shrank\|padding' "$work/said"
    fi
    # Once the sizes are known it has nothing to complain about.
    ok "$1: tar, the second time" within 100 tar -C "$mnt/INBOX" -cf "$work/tar" .
    tar -C "$work/copy" -xf "$work/tar"
    ok "$1: what tar copied" compare_copies "$work/copy"
    mount_stop
}

compare_sizes() {
    local uid path
    while IFS=$'\t' read -r uid path; do
        [ "$(stat -c %s "$mnt/INBOX/$uid.eml")" = "$(stat -c %s "$path")" ] || return 1
    done < <(server_files INBOX)
}

server_start
"$MAILGEN" bulk "$box/INBOX" 60 7
"$MAILGEN" one "$box/INBOX" $((1200 << 10)) 8
"$MAILGEN" one "$box/INBOX" $((13 << 20)) 9
imap 'SELECT INBOX' >/dev/null # the server numbers them
server_stop

read_all_ways "ten times too large" 's/RFC822\.SIZE ([0-9]+)/RFC822.SIZE \11/'
read_all_ways "ten times too small" 's/RFC822\.SIZE ([0-9]+)[0-9]/RFC822.SIZE \1/'
read_all_ways "nothing" 's/RFC822\.SIZE [0-9]+/RFC822.SIZE 0/'
read_all_ways "a little off" 's/RFC822\.SIZE ([0-9]*)[0-4]\b/RFC822.SIZE \19/; s/RFC822\.SIZE ([0-9]*)[6-8]\b/RFC822.SIZE \11/'
