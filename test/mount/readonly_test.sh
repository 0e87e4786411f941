#!/bin/bash
# SPDX-License-Identifier: MIT
# Nothing can be changed through the mount, and every attempt says why.
. "$(dirname "$0")/lib.sh"

refused() {
    local output
    if output=$(within 10 "$@" 2>&1); then
        failed "$* succeeds"
    elif [[ $output == *"Read-only file system"* ]]; then
        echo "ok: $1 is refused"
    else
        failed "$*: $output"
    fi
}

state() {
    (cd "$box" && find . -type f \( -path '*/cur/*' -o -path '*/new/*' \) -printf '%P %s %T@\n' | sort)
}

server_start
"$MAILGEN" sample "$box"
before=$(state)
mount_start
cd "$mnt/INBOX" || exit 1
refused touch new-file
refused touch -m 1.eml
refused touch 1.eml
refused cp 1.eml copy.eml
refused dd if=/dev/null of=1.eml conv=notrunc
refused truncate -s 0 1.eml
refused bash -c 'echo x >>1.eml'
refused bash -c 'echo x >new-file'
refused rm -f 1.eml
refused rm -rf ../Trash
refused mv 1.eml 99.eml
refused mv 1.eml ../Trash/
refused mv ../Trash ../Rubbish
refused mkdir new-directory
refused rmdir ../Empty
refused ln 1.eml link.eml
refused ln -s 1.eml symlink
refused mknod fifo p
refused mkfifo fifo
refused chmod 600 1.eml
refused chmod 700 ../Trash
refused chown 12345 1.eml
refused setfattr -n user.imap.flags -v '\Seen' 1.eml
refused setfattr -x user.imap.flags 1.eml
refused install -m 600 /dev/null installed
cd /
ok "reading goes on" within 10 cat "$mnt/INBOX/1.eml"
mount_stop
same "the server's files are untouched" "$(sed 's/:2,//' <<<"$before")" "$(state | sed 's/:2,//')"
