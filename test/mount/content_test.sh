#!/bin/bash
# SPDX-License-Identifier: MIT
# Every message has the bytes, size and date that the server has, and reading marks nothing as read.
. "$(dirname "$0")/lib.sh"

# Names of all messages with their flags; whether in new or cur is not our business.
flags_on_server() {
    (cd "$box" && find . \( -path '*/cur/*' -o -path '*/new/*' \) -type f | sed 's|/cur/|/|; s|/new/|/|; s/:2,$//' | sort)
}

attributes() {
    local uid path good=0
    while IFS=$'\t' read -r uid path; do
        diff <(stat -c "%s bytes, time %Y, 400, 1 link, regular file" "$path") \
            <(within 10 stat -c '%s bytes, time %Y, %a, %h link, %F' "$mnt/$1/$uid.eml" | sed 's/regular empty file/regular file/') || good=1
    done < <(server_files "$1")
    return $good
}

sizes() {
    local size
    for size in 512 4095 4096 4097 65535 65536 65537 131071 131072 131073 1048575 1048576 1048577 3000001; do
        "$MAILGEN" one "$box/Sizes" $size $size
    done
    # Shorter than any header: Dovecot serves them all the same.
    (cd "$box/Sizes/new" && printf '\r\n' >1000000001.short && printf 'x' >1000000002.short && : >1000000003.short &&
        touch -d @1000000000 ./*.short)
    chown -R --reference="$box" "$box/Sizes"
}

server_start
"$MAILGEN" sample "$box"
"$MAILGEN" bulk "$box/Bulk" 400 7
sizes
before=$(flags_on_server)
mount_start
for i in 1 2; do
    while read -r mailbox; do
        within 60 ls -l "$mnt/$mailbox" >/dev/null || failed "ls -l $mailbox"
        ok "attributes of $mailbox (round $i)" attributes "$mailbox"
        ok "bytes of $mailbox (round $i)" compare_mailbox "$mailbox"
    done < <(mailboxes)
done
same "a message is counted in each mailbox" 400 "$(within 10 find "$mnt/Bulk" -name '*.eml' | wc -l)"

# Parts of a large message, in an order of our own.
IFS=$'\t' read -r uid path < <(server_files Archive/2022/Projects | tail -n 1)
file=$mnt/Archive/2022/Projects/$uid.eml
mount_stop
mount_start
ok "the tail of 5 MB" cmp <(tail -c 1000 "$path") <(within 20 tail -c 1000 "$file")
ok "the middle of 5 MB" cmp <(dd if="$path" bs=1000 skip=2500 count=3 status=none) \
    <(within 20 dd if="$file" bs=1000 skip=2500 count=3 status=none)
ok "nothing beyond the end" cmp /dev/null <(within 20 dd if="$file" bs=1M skip=6 status=none)
ok "then the whole of it" within 30 cmp "$path" "$file"
mount_stop
same "flags on the server are what they were" "$before" "$(flags_on_server)"
ok "every session was read-only" bash -c "! grep -E ' (deleted|expunged|trashed)=[1-9]' '$IMAP_LOG'"
