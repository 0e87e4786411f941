#!/bin/bash
# SPDX-License-Identifier: MIT
# Inode numbers are unique and the same after a remount: backup programs depend on it.
. "$(dirname "$0")/lib.sh"

inodes() {
    within 60 find "$mnt" -printf '%i %P\n' | sort -k 2
}

server_start
"$MAILGEN" sample "$box"
mount_start
first=$(inodes)
same "all is there" "$((35 + 18))" "$(wc -l <<<"$first")"
same "no number twice" "" "$(cut -d ' ' -f 1 <<<"$first" | sort | uniq -d)"
same "listing and lookup agree" "$first" "$(cd "$mnt" && find . -printf '%P\0' | sed -z 's|^$|.|' |
    within 60 xargs -0 stat -c '%i %n' | sed 's| \.$| |' | sort -k 2)"
mount_stop
"$MAILGEN" one "$box/INBOX" 2000
imap 'CREATE "A mailbox that sorts first"' >/dev/null
mount_start
second=$(inodes)
same "what was there before has the numbers it had" "$first" "$(grep -vF -e "A mailbox" -e INBOX/13.eml <<<"$second")"
same "no number twice, with what is new" "" "$(cut -d ' ' -f 1 <<<"$second" | sort | uniq -d)"
mount_stop
