#!/bin/bash
# SPDX-License-Identifier: MIT
# -o compress with a Dovecot that has COMPRESS=DEFLATE: everything is as it is without, with fewer octets on the line.
. "$(dirname "$0")/lib.sh"

uids() {
    server_files "$1" | cut -f 1 | paste -sd ' '
}

listing_is() {
    [ "$(cd "$mnt/$1" && within 10 ls | sort -n | tr '\n' ' ')" = "$2" ]
}

sum_of() {
    sha256sum <"$1"
}

status_has() {
    grep -qw "$1" "$mnt/.imapfs/status"
}

# Those of the client since the mount began, on all connections.
said() {
    grep -cE "^[0-9]+ C: [^ ]+ $1" "$daemon_log"
}

idling() {
    [ "$(said IDLE)" -ge 1 ]
}

# reads [OPTION...]: a listing and all bodies, from nothing; $octets of them have come over the line.
reads() {
    rm -rf "$work/cache"
    mount_start rw "$@"
    within 60 cat "$mnt"/Bulk/*.eml >"$work/all"
    octets=$(sed -n 's/^received: \([0-9]*\).*/\1/p' "$mnt/.imapfs/status")
    mount_stop
}

DOVECOT_PLUGINS=zlib server_start
imap 'CAPABILITY' | grep -q COMPRESS=DEFLATE || skip "this Dovecot has no zlib plugin (package dovecot-core)"
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 300 1
"$MAILGEN" bulk "$box/Few" 5 2
printf '#!/bin/bash\nexec "%s" -d "$@"\n' "$IMAPFS" >"$work/imapfs-d"
chmod +x "$work/imapfs-d"
plain=$IMAPFS IMAPFS=$work/imapfs-d

mount_start rw compress
while read -r name; do
    ok "$name" compare_mailbox "$name"
done < <(mailboxes)
ok "the status says so" status_has COMPRESS
logins=$(said '(AUTHENTICATE|LOGIN)')
same "each connection asked for it" "$logins" "$(said COMPRESS)"

echo "--- writing"
ok "a large message" bash -c "'$MAILGEN' one '$work/large' 3000000 7"
large=$(find "$work/large" -type f | head -n 1)
sed 's/\r*$/\r/' "$large" >"$work/large.eml"
ok "is stored" within 30 cp "$work/large.eml" "$mnt/INBOX/large.eml"
client body INBOX "$(uids INBOX | sed 's/.* //')" >"$work/stored"
ok "as it was" cmp "$work/large.eml" "$work/stored"
ok "a copy by the server" within 20 cp "$mnt/Bulk/1.eml" "$mnt/Empty/"
ok "moving" within 20 mv "$mnt/Bulk/2.eml" "$mnt/Empty/"
ok "deleting" within 20 rm "$mnt/Bulk/3.eml"
ok "a mailbox" within 20 mkdir "$mnt/Made"
same "what the server has of them" "1 2" "$(uids Empty)"
ok "and what it has left" bash -c "! grep -qwE '2|3' <<<'$(uids Bulk)'"

echo "--- new mail, and a line that is lost"
ok "a listing" listing_is Few "1.eml 2.eml 3.eml 4.eml 5.eml "
ok "it idles" await 15 idling
imap 'SELECT Bulk' 'UID COPY 5 Few' >/dev/null
ok "new mail" await 10 listing_is Few "1.eml 2.eml 3.eml 4.eml 5.eml 6.eml "
server_processes imap | xargs -r kill
ok "after losing all lines a listing comes" await 15 compare_mailbox Few
ok "and all of another mailbox" compare_mailbox Bulk
ok "and changes" within 30 rm "$mnt/Few/6.eml"
same "on the server" "1 2 3 4 5" "$(uids Few)"
ok "the new lines are compressed" test "$(said COMPRESS)" -gt "$logins"
same "each of them" "$(said '(AUTHENTICATE|LOGIN)')" "$(said COMPRESS)"
ok "the status says so" status_has COMPRESS
mount_stop

echo "--- what it costs"
IMAPFS=$plain
reads
usual=$octets digest=$(sum_of "$work/all")
reads compress
same "the bytes are the same" "$digest" "$(sum_of "$work/all")"
echo "$usual octets without, $octets with compress, of $(stat -c %s "$work/all")"
ok "less than three quarters of the octets" test "$octets" -gt 0 -a $((4 * octets)) -lt $((3 * usual))

echo "--- a server without it"
server_stop
server_start
mount_start rw compress
ok "is mounted all the same" compare_mailbox Few
ok "and the status does not say so" bash -c "! grep -qw COMPRESS '$mnt/.imapfs/status'"
mount_stop
