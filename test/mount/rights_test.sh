#!/bin/bash
# SPDX-License-Identifier: MIT
# Mailboxes of others, in which not everything is allowed: each refusal has its errno, and changes nothing.
. "$(dirname "$0")/lib.sh"

# refused ERRNO-TEXT COMMAND...
refused() {
    local text=$1 output
    shift
    if output=$(within 20 "$@" 2>&1); then
        failed "$* succeeds"
    elif [[ $output == *"$text"* ]]; then
        echo "ok: $*: $text"
    else
        failed "$*: $output instead of $text"
    fi
}

allow() {
    "$dovecot" doveadm "$work/s" acl set -u other "$1" user=user "${@:2}"
}

# Names without what follows the colon: flags are there.
files_of() {
    (cd "$other" && find Archive Trash -maxdepth 2 -type f -path '*/cur/*' -printf '%p %s\n' | sed 's/:2,[^ ]*//' | sort)
}

other=$work/s/mail/other
mkdir -p "$other"
[ "$(id -u)" != 0 ] || chown nobody "$other"
"$dovecot" start "$work/s" full || skip "no Dovecot"
# shellcheck disable=SC1091
. "$work/s/env"
"$MAILGEN" sample "$box"
"$MAILGEN" sample "$other"
allow Archive lookup read write-seen
allow Trash lookup read
mount_start rw
ok "they are there" within 20 ls "$mnt/other/other/Archive" "$mnt/other/other/Trash" "$mnt/INBOX"
before=$(files_of)
cd "$mnt/other/other" || exit 1
sum=$(sha256sum <Trash/1.eml)
ok "copying from what may be read" ln Trash/1.eml "$mnt/Empty/copy.eml"
same "gives the same" "$sum" "$(sha256sum <"$mnt/Empty/copy.eml")"
refused "Permission denied" rm -f Archive/1.eml
refused "Read-only file system" rm -f Trash/1.eml
refused "Read-only file system" mv Trash/1.eml "$mnt/Sent/"
refused "Read-only file system" setfattr -n user.imap.flags -v '+\Flagged' Trash/1.eml
refused "Permission denied" mv -f "$mnt/INBOX/1.eml" Trash/
refused "Permission denied" cp "$mnt/INBOX/1.eml" Trash/refused.eml
ok "nothing of the copy stays" await 10 test ! -e Trash/refused.eml
refused "Permission denied" mkdir another
cd /
mount_stop
ok "there was something" test -n "$before"
same "nothing was changed" "$before" "$(files_of)"
