#!/bin/bash
# SPDX-License-Identifier: MIT
# Encrypted lines, and the certificates that must be refused.
. "$(dirname "$0")/lib.sh"

works() {
    local what=$1
    shift
    mount_url "$@"
    ok "$what" compare_mailbox INBOX
    mount_stop
}

logins() {
    grep -cE 'Login: user=|auth failed' "$IMAP_LOG"
}

# refused WHAT PATTERN OPTIONS URL: in one line that matches, and without sending the password.
refused() {
    local output before
    before=$(logins)
    if output=$(IMAPFS_PASSWORD=$IMAP_PASSWORD within 20 "$IMAPFS" -f -o "timeout=5,cache_dir=$work/cache,$3" "$4" "$mnt" 2>&1 </dev/null); then
        failed "$1: mounted"
    elif grep -qiE "$2" <<<"$output" && [ "$(wc -l <<<"$output")" = 1 ]; then
        echo "ok: $1: $output"
    else
        failed "$1: $output"
    fi
    same "$1: no password was sent" "$before" "$(logins)"
}

# A certificate of the right CA for another name.
make_server_for() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
        -keyout "$work/s/server.key" -out "$work/other.csr" 2>/dev/null &&
        openssl x509 -req -in "$work/other.csr" -CA "$work/s/ca.pem" -CAkey "$work/s/ca.key" -CAcreateserial \
            -days "$2" -out "$work/s/server.pem" -extfile <(echo "subjectAltName=DNS:$1") 2>/dev/null
}

server_start
"$MAILGEN" sample "$box"
imaps=imaps://user@localhost:$IMAPS_PORT/ imap=imap://user@localhost:$IMAP_PORT/
works "TLS with a CA file" "$imaps" "cafile=$IMAP_CAFILE"
works "TLS with an address in the certificate" "imaps://user@127.0.0.1:$IMAPS_PORT/" "cafile=$IMAP_CAFILE"
works "TLS with a fingerprint" "$imaps" "fingerprint=$IMAP_FINGERPRINT"
works "TLS with a fingerprint, lower case and colons" "$imaps" \
    "fingerprint=$(sed 's/../&:/g; s/:$//' <<<"${IMAP_FINGERPRINT,,}")"
works "STARTTLS" "$imap" "cafile=$IMAP_CAFILE"
works "STARTTLS by option" "$imap" "tls=starttls,cafile=$IMAP_CAFILE"
same "nobody logged in without TLS" 0 "$(grep 'Login: user=<user>' "$IMAP_LOG" | grep -vc TLS)"

server_stop
make_server_for elsewhere.example 3650
server_start
refused "a certificate for another name" "localhost|certificate|host" "cafile=$IMAP_CAFILE" "imaps://user@localhost:$IMAPS_PORT/"
works "which a fingerprint allows" "imaps://user@localhost:$IMAPS_PORT/" "fingerprint=$IMAP_FINGERPRINT"
server_stop
make_server_for localhost -1
server_start
refused "an expired certificate" "expired|certificate" "cafile=$IMAP_CAFILE" "imaps://user@localhost:$IMAPS_PORT/"

server_stop
make_server_for localhost 30
DOVECOT_CONF="ssl_verify_client_cert = yes
ssl_ca = <$work/s/ca.pem
auth_ssl_require_client_cert = yes
ssl_require_crl = no" server_start
openssl req -newkey rsa:2048 -nodes -subj /CN=user -keyout "$work/client.key" -out "$work/client.csr" 2>/dev/null
openssl x509 -req -in "$work/client.csr" -CA "$work/s/ca.pem" -CAkey "$work/s/ca.key" -days 30 -out "$work/client.pem" 2>/dev/null
ok "no client certificate is an error" bash -c "! IMAPFS_PASSWORD='$IMAP_PASSWORD' timeout 20 '$IMAPFS' -f -o 'timeout=5,cafile=$IMAP_CAFILE' \
    'imaps://user@localhost:$IMAPS_PORT/' '$mnt' 2>/dev/null </dev/null"
works "a client certificate" "imaps://user@localhost:$IMAPS_PORT/" "cafile=$IMAP_CAFILE" "clientcert=$work/client.pem" "clientkey=$work/client.key"
