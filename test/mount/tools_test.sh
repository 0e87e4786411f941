#!/bin/bash
# SPDX-License-Identifier: MIT
# The everyday tools: each must say about the mount what it says about the server's own files.
. "$(dirname "$0")/lib.sh"

# The server's files, named as in the mount, with their dates.
reference() {
    local mailbox uid path
    mkdir -p "$work/reference"
    while read -r mailbox; do
        mkdir -p "$work/reference/$mailbox"
        while IFS=$'\t' read -r uid path; do
            cp -p "$path" "$work/reference/$mailbox/$uid.eml"
        done < <(server_files "$mailbox")
    done < <(mailboxes)
}

# both WHAT SHELL-COMMAND: prints the same in the mount and in the reference.
both() {
    same "$1" "$(cd "$work/reference" && bash -c "$2" 2>&1)" "$(cd "$mnt" && within 60 bash -c "$2" 2>&1)"
}

fresh_mount() {
    [ -z "$daemon" ] || mount_stop
    mount_start "$@"
}

server_start
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 300 5
mount_start
within 60 ls -R "$mnt" >/dev/null
reference

fresh_mount
both "grep -r" "grep -rc harbour . | sort"
fresh_mount
both "grep -rl of non-ASCII text" "grep -rl Grüße . | sort"
both "find -name" "find . -name '1*.eml' | sort"
both "find -newermt" "find . -type f -newermt 2022-01-01 ! -newermt 2024-01-01 -printf '%P %s %TY-%Tm-%Td\n' | sort"
both "find -size" "find . -size +100k -printf '%P %s\n' | sort"
both "wc -c of a glob" "wc -c Bulk/*.eml"
fresh_mount
both "cat of a glob" "cat Bulk/*.eml | sha256sum"
fresh_mount
both "reading in the order of inodes, backwards" "find Bulk -name '*.eml' | sort -rV | xargs cat | sha256sum"
both "find -newer a message" "find . -newer Lists/linux-fsdevel/1.eml -type f | sort"
both "ls -l sizes and dates" "ls -l --time-style=+%s Bulk | sed 1d | awk '{ print \$5, \$6, \$7 }'"
both "du of the apparent size" "find . -type f -print0 | du --apparent-size -cb --files0-from=- | tail -n 1"
both "file lists" "find . -type f | sort"
both "head and tail" "head -c 100 Archive/2022/Projects/3.eml; tail -c 100 Archive/2022/Projects/3.eml"

fresh_mount
mkdir "$work/untarred"
tar -C "$mnt" -cf - . | within 60 tar -C "$work/untarred" -xf -
same "tar" 0 "${PIPESTATUS[0]}"
ok "tar has it all" diff -r "$work/reference" "$work/untarred"

fresh_mount
ok "cp -a" within 60 cp -a "$mnt" "$work/copied"
ok "cp -a has it all" diff -r "$work/reference" "$work/copied"
same "with its dates" "$(cd "$work/reference" && find . -type f -printf '%P %Ts\n' | sort)" \
    "$(cd "$work/copied" && find . -type f -printf '%P %Ts\n' | sed 's/\.0*$//' | sort)"

fresh_mount
ok "rsync -a" within 60 rsync -a "$mnt/" "$work/backup/"
ok "rsync -a has it all" diff -r "$work/reference" "$work/backup"
same "a second rsync -a transfers nothing" "" "$(within 60 rsync -ai "$mnt/" "$work/backup/")"
fresh_mount
same "nor after a remount" "" "$(within 60 rsync -aiO --delete "$mnt/" "$work/backup/")"
same "nor with checksums" "" "$(within 60 rsync -aicO "$mnt/" "$work/backup/")"
"$MAILGEN" one "$box/INBOX" 4321
imap 'SELECT Sent' 'UID STORE 1 +FLAGS.SILENT (\Deleted)' 'EXPUNGE' >/dev/null
fresh_mount poll=0
same "then only what changed" $'*deleting   Sent/1.eml\n>f+++++++++ INBOX/13.eml' \
    "$(within 60 rsync -ai --delete "$mnt/" "$work/backup/" | grep -v '^\.d')"
mount_stop
