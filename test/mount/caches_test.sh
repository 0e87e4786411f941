#!/bin/bash
# SPDX-License-Identifier: MIT
# imapfs cache: what is kept of an account from mount to mount, listed, verified and removed.
. "$(dirname "$0")/lib.sh"

# cache CODE ARGUMENT...: runs it; its exit code must be that. What it says is in $work/out and $work/err.
cache() {
    local code=$1
    shift
    timeout 20 "$IMAPFS" cache "$@" -o "cache_dir=$work/cache" >"$work/out" 2>"$work/err"
    same "imapfs cache $*" "$code" $?
}

said() {
    grep -qE "$1" "$work/out" || { cat "$work/out" && false; }
}

complained() {
    [ "$(grep -cE "$1" "$work/err")" = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] || { cat "$work/err" && false; }
}

server_start
"$MAILGEN" bulk "$box/INBOX" 30 2
"$MAILGEN" one "$box/Other" 70000 5
account=user@localhost_$IMAP_PORT
store=$work/cache/$account.db

cache 0
same "nothing is kept before the first mount" "" "$(<"$work/out")$(<"$work/err")"
cache 0 purge --all
cache 1 purge "$account"
ok "which is said" complained "nothing is kept of $account"

mount_start
within 10 ls "$mnt/INBOX" "$mnt/Other" >/dev/null
within 10 cat "$mnt/Other/1.eml" >/dev/null
cache 0 list
ok "a mounted one is in use" said "^ +[0-9.]+[KM].* in use +$account$"
cache 3 verify
ok "and not verified" said "^$account: in use, not verified$"
cache 3 purge "$account"
ok "nor removed" complained "$account is in use and stays"
ok "really not" test -e "$store"
ok "the mount goes on" within 10 cat "$mnt/INBOX/3.eml"
mount_stop

cache 0
ok "what is kept is counted" said "^ +[0-9.]+K .* +2 +31  [0-9-]{10} [0-9:]{8} +$account$"
cache 0 verify
ok "and is well" said "^$account: 2 mailboxes, 31 messages, 2 bodies: well$"
cache 0 verify "$account"
cache 1 verify nobody@nowhere
python3 - "$store" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE messages SET size = size + 1 WHERE uid = 7")
db.commit()
END
cache 1 verify
ok "damage is found, and where" said "^$account: the listing of INBOX is damaged$"
same "only there" 1 "$(grep -c 'the listing of' "$work/out")"
mount_start poll=0
ok "a mount shows what is right" compare_mailbox INBOX
mount_stop
cache 0 verify

python3 - "$work/cache/$account.bodies/1" <<'END'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(100)
    byte = file.read(1)[0]
    file.seek(100)
    file.write(bytes([byte ^ 1]))
END
cache 1 verify
ok "so is that of a body" said "^$account: 1 bodies are damaged$"
mount_start
ok "of which a mount shows what is right" compare_mailbox Other
mount_stop
cache 0 verify
ok "and then it is well again" said "31 bodies: well$"

ln -s "$work/s" "$work/cache/elsewhere@host_993.bodies"
mkdir "$work/cache/$account.bodies2"
cache 2 purge
cache 2 purge "$account" --all
cache 0 purge "$account"
ok "what was removed is said" said "^removed $account.db \([0-9.]+K\)$"
same "and gone, but for what is not ours" "elsewhere@host_993.bodies $account.bodies2" \
    "$(find "$work/cache" -mindepth 1 -printf '%f\n' | sort | paste -sd' ')"
ok "nothing was followed" test -e "$work/s/env"
mount_start
ok "after that all is listed anew" compare_mailbox INBOX
mount_stop
cache 0 purge --all
ok "all accounts at once" said "^removed $account.db "

echo "--- what the server does not have"
mount_start rw
printf 'Subject: local\r\n\r\n' >"$mnt/INBOX/.local" || failed "writing a local file"
mount_stop
cache 0
ok "a file that is not sent is told" said "^ +files written and not sent: 1 \(18\)$"
python3 - "$store" <<'END'
# A deletion that waits, with the sum that change_intent_digest reckons.
import sqlite3, sys
def mix(hash, number):
    hash = ((hash ^ number) * 0x9e3779b97f4a7c15) % 2**64
    return hash ^ hash >> 29
def text(seed, bytes):
    seed = mix(seed, len(bytes))
    for byte in bytes:
        seed = mix(seed, byte)
    return seed
def intent(number, uidvalidity, uid, source):
    sum = mix(mix(mix(0x9e3779b97f4a7c15, number), 1 << 1), uidvalidity << 32 | uid)
    sum = mix(text(text(text(sum, source), b""), b""), 0)
    return (number, 1, 0, uidvalidity, uid, source, b"", b"", sum - (sum >> 63 << 64))
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", intent(5, 1, 999, b"No/such"))
db.commit()
END
cache 0
ok "so is a change that is not made yet" said "^ +changes not made on the server yet: 1$"
cache 0 verify
ok "which is well" said "^$account: changes not made on the server yet: 1$"
cache 1 purge "$account"
ok "it keeps the account" complained "$account stays: changes not made on the server yet: 1;"
ok "really" test -e "$store" -a -e "$work/cache/$account.bodies"
python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE intents SET uid = 998")
db.commit()' "$store"
cache 1 verify
ok "damage is found" said "^$account: changes that are damaged and will not be made on the server: 1$"
cache 0 purge "$account"
ok "one that is damaged keeps nothing; the file stays, which is said" \
    said "^$account.drafts stays: files written and not sent: 1 \(18\)$"
same "and nothing else" "$account.drafts" "$(find "$work/cache" -maxdepth 1 -name "$account.*" -printf '%f\n' | grep -v bodies2)"
mount_start rw
ok "the next mount has it" grep -q "Subject: local" "$mnt/INBOX/.local"
rm "$mnt/INBOX/.local" || failed "removing it"
mount_stop
cache 0 purge --all
cache 0
same "then nothing is kept" "" "$(<"$work/out")"

for wrong in "list more" "frobnicate" "verify a b" "--frobnicate" "-o poll=3" "-o cache_dir"; do
    # shellcheck disable=SC2086
    cache 2 $wrong
done
cache 0 --help
ok "what there is" said '^ +imapfs cache purge ACCOUNT'
XDG_CACHE_HOME=$work timeout 10 "$IMAPFS" cache >"$work/out" 2>&1
same "without cache_dir= it is the usual place" 0 $?
