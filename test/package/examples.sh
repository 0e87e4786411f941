#!/bin/bash
# SPDX-License-Identifier: MIT
# examples.sh DIR MAILGEN: the programs of contrib/examples against a private Dovecot, over TLS; what they print must
# be what the server's own files hold.
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
examples=$1 mailgen=$2
dovecot=$top/test/support/dovecot.sh
# shellcheck source=test/support/maildir.sh
. "$top/test/support/maildir.sh"
export LC_ALL=C.UTF-8 TZ=UTC0
base=/dev/shm
[ -w $base ] || base=/tmp
work=$(mktemp -d $base/imapfs-examples.XXXXXX)
chmod 755 "$work"
box=$work/s/mail/user
bad=0

cleanup() {
    trap - EXIT INT TERM
    "$dovecot" stop "$work/s"
    rm -rf --one-file-system "$work"
}
trap 'cleanup; exit $bad' EXIT
trap 'bad=1; exit 1' INT TERM

# ok WHAT COMMAND...
ok() {
    local what=$1
    shift
    if "$@"; then echo "ok: $what"; else echo "FAILED: $what" && bad=1; fi
}

# expect MAILBOX: what the printing examples have to print.
expect() {
    local uid path
    while IFS=$'\t' read -r uid path; do
        printf 'Message %s\n' "$uid"
        cat "$path"
        echo
    done < <(maildir_files "$box/$1")
}

# prints EXAMPLE MAILBOX [IN-URL]
prints() {
    timeout 60 "$examples/$1" "$url/${3-$2}" >"$work/got" || return 1
    expect "$2" | cmp - "$work/got"
}

# Peak memory, in KiB, of imap-cat on that message.
peak() {
    python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' timeout 60 "$examples/imap-cat" "$url/$1" "$2"
}

# uid_of_size MAILBOX BYTES
uid_of_size() {
    local uid path
    while IFS=$'\t' read -r uid path; do
        [ "$(stat -c %s "$path")" != "$2" ] || echo "$uid"
    done < <(maildir_files "$box/$1")
}

needs_no_more_memory() {
    local small large
    small=$(peak Sizes "$(uid_of_size Sizes 1000)")
    large=$(peak Sizes "$(uid_of_size Sizes 40000001)")
    [ "$large" -le $((small + 4000)) ] || { echo "$large KiB instead of $small" && false; }
}

# refuses STATUS PATTERN COMMAND...: ends with that status and a message.
refuses() {
    local status=$1 pattern=$2 got=0
    shift 2
    timeout 60 "$@" >"$work/got" 2>"$work/message" </dev/null || got=$?
    [ $got = "$status" ] && [ ! -s "$work/got" ] && grep -q "$pattern" "$work/message" && return
    echo "ended with $got: $(<"$work/message")" && false
}

mkdir "$work/s"
if ! "$dovecot" start "$work/s"; then
    echo "SKIPPED: no Dovecot"
    [ "${CI:-}" = true ] && bad=1 || bad=77
    exit
fi
# shellcheck disable=SC1091
. "$work/s/env"
"$mailgen" bulk "$box/Bulk" 200 7
"$mailgen" one "$box/Ärger" 3000001 5
"$mailgen" one "$box/INBOX" 2000 6
"$mailgen" one "$box/Sizes" 1000 7
"$mailgen" one "$box/Sizes" 40000001 8
mkdir -p "$box"/Empty/{cur,new,tmp}
chown -R --reference="$work/s/mail" "$box"
export SSL_CERT_FILE=$IMAP_CAFILE IMAP_PASSWORD
url=imaps://user@localhost:$IMAPS_PORT
"$dovecot" doveadm "$work/s" -o mail_debug=no fetch -u user uid mailbox '*' >"$work/listed" # makes the UID lists

ok "imaplib-print, 200 messages" prints imaplib-print Bulk
ok "imaplib2-parallel, 200 messages" prints imaplib2-parallel Bulk
ok "imaplib-print, UTF-8 name, 3 MB" prints imaplib-print Ärger
ok "imaplib-print, an empty mailbox" prints imaplib-print Empty
ok "imaplib2-parallel, an empty mailbox" prints imaplib2-parallel Empty
ok "imaplib2-parallel, the INBOX by default" prints imaplib2-parallel INBOX ""

IFS=$'\t' read -r uid path < <(maildir_files "$box/Ärger")
ok "imap-cat, UTF-8 name, 3 MB" cmp "$path" <(timeout 60 "$examples/imap-cat" "$url/Ärger" "$uid")
ok "imap-cat, STARTTLS" cmp "$path" <(timeout 60 "$examples/imap-cat" "imap://user@localhost:$IMAP_PORT/Ärger" "$uid")
ok "imap-cat, 40 MB take no more memory than 1 KB" needs_no_more_memory
ok "imap-cat, no such message" refuses 1 "no message" "$examples/imap-cat" "$url/Ärger" 4711
ok "imap-cat, a full disk" refuses 1 "No space left" "$BASH" -c '"$@" >/dev/full' cat "$examples/imap-cat" "$url/Ärger" "$uid"
ok "no such mailbox" refuses 1 "imaplib-print: " "$examples/imaplib-print" "$url/Nowhere"
ok "a wrong password" env IMAP_PASSWORD=wrong "$BASH" -c "$(declare -f refuses); work=$work
    refuses 1 'imaplib2-parallel: ' $examples/imaplib2-parallel $url/Bulk"
ok "a certificate nobody vouches for" env SSL_CERT_FILE=/dev/null "$BASH" -c "$(declare -f refuses); work=$work
    refuses 1 'certificate' $examples/imap-cat $url/Bulk 1"
ok "half a URL" refuses 2 "imaps://" "$examples/imaplib-print" imap.example.org
