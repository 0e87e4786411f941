#!/bin/bash
# SPDX-License-Identifier: MIT
# A mount that cannot be says why in one line on stderr, soon, with a non-zero exit, and never the password.
. "$(dirname "$0")/lib.sh"

# refused WHAT PATTERN ARGUMENT...: imapfs ends with an error that matches PATTERN (extended, any case).
refused() {
    local what=$1 pattern=$2 status=0 output begin
    shift 2
    begin=$(now_ms)
    output=$(IMAPFS_PASSWORD=${secret-$IMAP_PASSWORD} within 20 "$IMAPFS" "$@" 2>&1 >"$work/stdout" </dev/null) || status=$?
    if is_mounted; then
        failed "$what: mounted"
        fusermount3 -uz "$mnt"
    elif [ $status = 0 ] || [ $status -ge 100 ]; then
        failed "$what: exit status $status: $output"
    elif [ "$(wc -l <<<"$output")" != 1 ] || [ -z "$output" ]; then
        failed "$what: not one line: $output"
    elif [[ $output != imapfs:* ]] || ! grep -qiE "$pattern" <<<"$output"; then
        failed "$what: the line is: $output"
    elif [ -s "$work/stdout" ]; then
        failed "$what: something on stdout: $(head -n 3 "$work/stdout")"
    elif grep -qF "$IMAP_PASSWORD" <<<"$output"; then
        failed "$what: shows the password: $output"
    elif ! took 15000 "$begin" >/dev/null; then
        failed "$what: too slow"
    else
        echo "ok: $what: $output"
    fi
}

server_start
"$MAILGEN" sample "$box"
url=imap://user@localhost:$IMAP_PORT/ common=tls=none,timeout=5,cache_dir=$work/cache

secret=wrong refused "a wrong password" "password|authentication" -o $common "$url" "$mnt"
refused "an unknown host" "no-such-host\.invalid" -o $common imap://user@no-such-host.invalid/ "$mnt"
refused "a port where nothing listens" "refused" -o $common imap://user@localhost:1/ "$mnt"
refused "an unknown CA" "certificate" -o timeout=5 "imaps://user@localhost:$IMAPS_PORT/" "$mnt"
refused "an unknown CA, with STARTTLS" "certificate" -o timeout=5 "$url" "$mnt"
refused "another fingerprint" "fingerprint" -o "timeout=5,fingerprint=${IMAP_FINGERPRINT//[0-9]/A}" \
    "imaps://user@localhost:$IMAPS_PORT/" "$mnt"
refused "a fingerprint that is none" "fingerprint" -o fingerprint=abc "imaps://user@localhost:$IMAPS_PORT/" "$mnt"
refused "a CA file that is not there" "/no/such/file" -o cafile=/no/such/file "imaps://user@localhost:$IMAPS_PORT/" "$mnt"
refused "a TLS port where cleartext is spoken" "." -o timeout=5 "imaps://user@localhost:$IMAP_PORT/" "$mnt"
refused "a mount point that is not there" "$work/nothing.*(No such|not exist)" -o $common "$url" "$work/nothing"
touch "$work/file"
refused "a mount point that is a file" "not a directory" -o $common "$url" "$work/file"
refused "no URL" "usage|URL" "$mnt"
refused "another scheme" "imaps?://" "http://localhost/" "$mnt"
refused "a URL without a host" "host" imap:/// "$mnt"
refused "a port out of range" "port" imap://localhost:99999/ "$mnt"
refused "a password in the URL" "password" imap://user:secret@localhost/ "$mnt"
refused "an unknown option" "frobnicate" -o frobnicate "$url" "$mnt"
refused "an option without its value" "timeout" -o tls=none,timeout "$url" "$mnt"
refused "a number that is none" "timeout.*soon|soon.*timeout" -o tls=none,timeout=soon "$url" "$mnt"
refused "a number out of range" "connections" -o tls=none,connections=0 "$url" "$mnt"
refused "a mailbox that is not there" "Nowhere" -o $common "${url}Nowhere" "$mnt"
refused "a password command that fails" "passcmd|false" -o "$common,passcmd=false" "$url" "$mnt"
refused "a password command without output" "passcmd|true|password" -o "$common,passcmd=true" "$url" "$mnt"
refused "a cache that cannot be" "/proc/nowhere" -o tls=none,cache_dir=/proc/nowhere "$url" "$mnt"
refused "a tunnel that ends" "tunnel|exit" -o timeout=5,tunnel=false imap://user@localhost/ "$mnt"
refused "a tunnel that is silent" "." -o "timeout=2,tunnel=sleep 60" imap://user@localhost/ "$mnt"
refused "a tunnel that is no IMAP server" "." -o "timeout=5,tunnel=echo hello" imap://user@localhost/ "$mnt"

"$dovecot" stop "$work/s"
DOVECOT_CONF="ssl = no" server_start
refused "a server without STARTTLS" "TLS" -o timeout=5 "imap://user@localhost:$IMAP_PORT/" "$mnt"
"$dovecot" stop "$work/s"

refused "a server that is gone" "refused" -o "tls=none,timeout=5,cache_dir=$work/empty" "$url" "$mnt"
check_sanitizers

same "-V" 1 "$(within 5 "$IMAPFS" -V 2>&1 | grep -cE '^imapfs [0-9]+\.[0-9]+')"
ok "-h" bash -c "'$IMAPFS' -h | grep -q passcmd"
