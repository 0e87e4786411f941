#!/bin/bash
# SPDX-License-Identifier: MIT
# What is written into the mount is mail on the server: once, with its bytes, date and flags; or there is an error,
# and it is still where it was written.
. "$(dirname "$0")/lib.sh"
command -v setfattr >/dev/null || skip "no setfattr (package attr)"

src=$work/src
mkdir "$src"

# message NUMBER [SIZE]: with CRLF line ends.
message() {
    printf 'From: a@example.org\r\nSubject: number %d\r\nMessage-ID: <%d@example.org>\r\n\r\n' "$1" "$1"
    head -c "${2:-1000}" /dev/zero | tr '\0' x | fold -w 72 | sed 's/$/\r/'
    printf '\nend of %d\r\n' "$1"
}

# copies MAILBOX FILE: how many messages of it have these bytes. (This server stores line ends without CR.)
copies() {
    local path n=0
    while IFS=$'\t' read -r _ path; do
        ! cmp -s <(tr -d '\r' <"$path") <(tr -d '\r' <"$2") || n=$((n + 1))
    done < <(server_files "$1")
    echo $n
}

# fetch MAILBOX ITEM...: of each message, as the server has it.
fetch() {
    local mailbox=$1
    shift
    "$dovecot" doveadm "$work/s" -f tab fetch -u user "$*" mailbox "$mailbox" all | tail -n +2
}

count() {
    server_files "$1" | wc -l
}

for n in 1 2 3; do
    message $n >"$src/$n.eml"
done
message 4 300000 >"$src/large.eml"
printf 'Subject: bare\n\nline\nline\n' >"$src/bare.eml"
printf 'Subject: bare\r\n\r\nline\r\nline\r\n' >"$work/crlf.eml"
touch -d '2001-02-03 04:05:06' "$src/2.eml"
"$MAILGEN" bulk "$box/INBOX" 3 1
"$MAILGEN" bulk "$box/Archive" 1 2
server_start
mount_start rw
within 10 ls "$mnt/INBOX" "$mnt/Archive" >/dev/null

echo "--- one by one"
ok "cp" within 20 cp "$src/1.eml" "$mnt/Archive/one.eml"
same "it is there once" 1 "$(copies Archive "$src/1.eml")"
ok "under the name it was written to" within 20 cmp "$src/1.eml" "$mnt/Archive/one.eml"
ok "and under its number" within 20 cmp "$src/1.eml" "$mnt/Archive/2.eml"
same "which is the same file" "$(stat -c %i "$mnt/Archive/2.eml")" "$(stat -c %i "$mnt/Archive/one.eml")"
ok "cp -p" within 20 cp -p "$src/2.eml" "$mnt/Archive/two.eml"
same "its date" "2001-02-03 04:05:06" "$(fetch Archive date.received | tail -n 1)"
ok "cat" within 20 bash -c "cat '$src/bare.eml' >'$mnt/Archive/bare.eml'"
ok "bare line ends are CRLF" within 20 cmp "$work/crlf.eml" "$mnt/Archive/bare.eml"
ok "a large one" within 20 cp "$src/large.eml" "$mnt/Archive/"
same "whole" 1 "$(copies Archive "$src/large.eml")"
ok "python's copyfile" within 20 python3 -c "import shutil; shutil.copyfile('$src/3.eml', '$mnt/INBOX/new.eml')"
same "into the watched mailbox" 1 "$(copies INBOX "$src/3.eml")"
cp "$src/3.eml" "$work/mv.eml"
ok "mv into the mount" within 20 mv "$work/mv.eml" "$mnt/Archive/moved.eml"
same "it is there" "1 gone" "$(copies Archive "$src/3.eml") $([ -e "$work/mv.eml" ] || echo gone)"

echo "--- flags"
python3 - "$src/1.eml" "$mnt/Archive/flagged.eml" <<'END' || failed "writing with flags"
import os, sys
with open(sys.argv[2], "wb", buffering=0) as out:
    out.write(open(sys.argv[1], "rb").read())
    os.setxattr(out.fileno(), "user.imap.flags", rb"\Seen work")
    os.setxattr(out.fileno(), "user.imap.flags", rb"+\Flagged")
    assert set(os.getxattr(out.fileno(), "user.imap.flags").split()) == {rb"\Seen", rb"\Flagged", b"work"}
END
same "set before it is closed" '\Flagged \Seen work' "$(fetch Archive flags | tail -n 1 | tr ' ' '\n' | grep -v Recent | sort | tr '\n' ' ' | sed 's/ $//')"

echo "--- local names"
before=$(count Archive)
ok "a name with a dot" within 20 cp "$src/1.eml" "$mnt/Archive/.draft"
ok "can be read" cmp "$src/1.eml" "$mnt/Archive/.draft"
ok "and is listed" bash -c "ls -A '$mnt/Archive' | grep -x .draft"
same "and is not sent" "$before" "$(count Archive)"
ok "until it is renamed" within 20 mv "$mnt/Archive/.draft" "$mnt/Archive/renamed.eml"
same "then it is" $((before + 1)) "$(count Archive)"
ok "and has its new name" within 20 cmp "$src/1.eml" "$mnt/Archive/renamed.eml"
ok "and not its old one" bash -c "! stat '$mnt/Archive/.draft' 2>/dev/null"

echo "--- what is no mail"
for name in notes.txt eml x.eml.part; do
    error=$( (printf x >"$mnt/Archive/$name") 2>&1)
    ok "$name is refused" grep -q "Invalid argument" <<<"$error"
done
touch "$mnt/Archive/empty.eml" || failed "touch"
same "an empty file is not sent" $((before + 1)) "$(count Archive)"
rm "$mnt/Archive/empty.eml" || failed "removing it"
python3 - "$mnt/Archive/2.eml" <<'END' || failed "opening a message for writing"
import errno, os, sys
try:
    os.open(sys.argv[1], os.O_WRONLY)
    sys.exit(1)
except OSError as e:
    sys.exit(e.errno != errno.EPERM)
END

echo "--- by several handles"
before=$(count Archive)
# shellcheck disable=SC2016
within 20 bash -c '{ /bin/cat "$1"; /bin/echo "and more"; } >"$2"' - "$src/1.eml" "$mnt/Archive/parts.eml" || failed "two writers"
{ cat "$src/1.eml" && printf 'and more\r\n'; } >"$work/parts.eml"
same "is one message" "1 $((before + 1))" "$(copies Archive "$work/parts.eml") $(count Archive)"

echo "--- who is killed amid writing has sent nothing"
before=$(count Archive)
python3 - "$mnt/Archive/half.eml" <<'END'
import os, signal, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"Subject: half\r\n\r\n")
os.kill(os.getpid(), signal.SIGKILL)
END
same "nothing is sent" "$before" "$(count Archive)"
ok "what was written is there" grep -q "Subject: half" "$mnt/Archive/half.eml"
ok "and can be removed" rm "$mnt/Archive/half.eml"

echo "--- replacing"
before=$(count Archive)
cp "$src/3.eml" "$mnt/Archive/.tmp" || failed "writing"
ok "a message by rename" within 20 mv "$mnt/Archive/.tmp" "$mnt/Archive/1.eml"
same "one comes, one goes" "$before" "$(count Archive)"
ok "the name is the new one's" within 20 cmp "$src/3.eml" "$mnt/Archive/1.eml"

echo "--- many"
mkdir -m 700 "$src/many"
for n in {1..200}; do
    message "$n" 600 >"$src/many/m$n.eml"
    touch -d "@$((1000000000 + n))" "$src/many/m$n.eml"
done
ok "mkdir" within 20 mkdir "$mnt/Synced" "$mnt/Unpacked" "$mnt/Beside"
ok "rsync" within 60 rsync -a "$src/many/" "$mnt/Synced/"
same "of 200" 200 "$(count Synced)"
same "their dates" "$(for n in {1..200}; do TZ=UTC0 date -d "@$((1000000000 + n))" '+%F %T'; done)" "$(fetch Synced date.received | sort)"
rsync_again=$(within 60 rsync -ain "$src/many/" "$mnt/Synced/" | grep -c '^>f')
same "a second rsync has nothing to do" 0 "$rsync_again"
ok "tar" within 60 bash -c "tar -C '$src/many' -c . | tar -C '$mnt/Unpacked' -x"
same "of 200" 200 "$(count Unpacked)"
ok "by 20 programs side by side" within 60 bash -c "ls '$src/many' | xargs -P 20 -I '{}' cp -p '$src/many/{}' '$mnt/Beside/'"
same "of 200" 200 "$(count Beside)"
ok "each under its name, as it was written" within 60 diff -r "$src/many" "$mnt/Beside"
same "with its date" "$(stat -c '%n %Y' "$src"/many/*.eml | sed 's/.*many.//')" \
    "$(stat -c '%n %Y' "$mnt"/Beside/*.eml | sed 's/.*Beside.//')"
for n in 1 77 200; do
    same "m$n.eml once in each" "1 1" "$(copies Synced "$src/many/m$n.eml") $(copies Unpacked "$src/many/m$n.eml")"
done
setfattr -n user.imap.flags -v '\Answered work' "$mnt/INBOX/1.eml" || failed "setting flags"
ok "rsync -aX from mailbox to mailbox" within 60 rsync -aX "$mnt/INBOX/" "$mnt/Restored/"
same "dates and flags" "$(fetch INBOX date.received flags | sed 's/ *\\Recent//' | sort)" "$(fetch Restored date.received flags | sed 's/ *\\Recent//' | sort)"
ok "bytes" diff -r "$mnt/INBOX" "$mnt/Restored"
mount_stop

echo "--- over quota"
# The port is part of the account's name in the cache.
port=$IMAP_PORT
room=$(($(find "$box" -type f \( -path '*/cur/*' -o -path '*/new/*' \) -exec cat {} + | wc -c) / 1024 + 150))
server_stop
DOVECOT_PORT=$port DOVECOT_PLUGINS=quota DOVECOT_CONF="plugin {
  quota_rule = *:storage=${room}k
}" "$dovecot" start "$work/s" || failed "restarting with a quota"
# shellcheck disable=SC1091
. "$work/s/env"
mount_start rw
error=$(within 20 cp "$src/large.eml" "$mnt/Archive/quota.eml" 2>&1) && failed "there is room for it"
ok "close tells the reason" grep -q "Disk quota exceeded" <<<"$error"
ok "it can be read where it was written" cmp "$src/large.eml" "$mnt/Archive/quota.eml"
ok "and is listed there" bash -c "ls '$mnt/Archive' | grep -x quota.eml"
ok "and the log says so" grep -q "cannot store quota.eml in Archive" "$daemon_log"
ok "so does the status" within 5 grep -qE '^ +[0-9.]+K  .*  not sent  Archive/quota.eml$' "$mnt/.imapfs/status"
ok "with the reason" within 5 grep -qi '^ .*quota exceeded' "$mnt/.imapfs/status"
ok "and in sum" within 5 grep -q '^files not on the server: 1, .*, 1 not sent$' "$mnt/.imapfs/status"
cp "$src/large.eml" "$mnt/Archive/.quota" || failed "writing a local one"
within 20 mv "$mnt/Archive/.quota" "$mnt/Archive/quota2.eml" 2>/dev/null && failed "rename says it is sent"
ok "it is back under its own name" cmp "$src/large.eml" "$mnt/Archive/.quota"
ok "one that fits goes through" within 20 cp "$src/1.eml" "$mnt/Archive/fits.eml"
ok "a mailbox with drafts is not removed" bash -c "! rmdir '$mnt/Archive' 2>/dev/null"
mount_stop
server_stop
DOVECOT_PORT=$port "$dovecot" start "$work/s" || failed "restarting without"
# shellcheck disable=SC1091
. "$work/s/env"
mount_start rw
ok "the next mount has it" cmp "$src/large.eml" "$mnt/Archive/quota.eml"
ok "and the local one" cmp "$src/large.eml" "$mnt/Archive/.quota"
before=$(copies Archive "$src/large.eml")
ok "renaming it sends it" within 20 mv "$mnt/Archive/quota.eml" "$mnt/Archive/sent.eml"
same "once" $((before + 1)) "$(copies Archive "$src/large.eml")"
rm "$mnt/Archive/.quota" || failed "removing the local one"
mount_stop
ok "nothing is left of them" bash -c "! find '$work/cache' -path '*.drafts*' -type f | grep ."

echo "--- the server is killed amid an upload, and comes back"
message 5 30000000 >"$src/huge.eml"
mount_start rw
within 10 ls "$mnt/Archive" >/dev/null
(within 60 cp "$src/huge.eml" "$mnt/Archive/huge.eml" 2>"$work/cp.err"; echo $? >"$work/cp.status") &
copying=$!
await 20 grep -q "huge.eml" <(ls "$mnt/Archive")
server_processes '*' | xargs -r kill -KILL
sleep 0.3
DOVECOT_PORT=$port "$dovecot" start "$work/s" || failed "restarting"
# shellcheck disable=SC1091
. "$work/s/env"
wait $copying
if [ "$(<"$work/cp.status")" = 0 ]; then
    same "cp was told success, and it is there once" 1 "$(copies Archive "$src/huge.eml")"
else
    same "cp was told an error, and it is where it was written" "0 0" "$(copies Archive "$src/huge.eml") $(cmp "$src/huge.eml" "$mnt/Archive/huge.eml"; echo $?)"
fi
mount_stop

echo "--- the mount is killed amid an upload"
mount_start rw
server_stall
cp "$src/1.eml" "$mnt/Archive/killed.eml" 2>/dev/null &
copying=$!
ok "its place is saved" await 10 bash -c "find '$work/cache' -name '*.place' | grep ."
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
wait $copying 2>/dev/null
fusermount3 -u "$mnt"
server_continue
await 10 no_sessions
before=$(copies Archive "$src/1.eml")
mount_start rw
settled() {
    [ "$(copies Archive "$src/1.eml")" = "$before" ] && ! grep -q '^unclear 1' "$work"/cache/*.drafts/*.place 2>/dev/null
}
ok "nothing is sent twice" await 15 settled
if [ -e "$mnt/Archive/killed.eml" ]; then
    ok "what was written is there" cmp "$src/1.eml" "$mnt/Archive/killed.eml"
    rm "$mnt/Archive/killed.eml"
fi
mount_stop

echo "--- cp is ended by a signal while the server does not answer"
mount_start rw
within 10 ls "$mnt/Archive" >/dev/null
message 6 >"$src/6.eml"
server_stall
cp "$src/6.eml" "$mnt/Archive/interrupted.eml" 2>/dev/null &
copying=$!
ok "it waits" await 10 bash -c "find '$work/cache' -name '*.place' | grep ."
since=$(now_ms)
kill -TERM $copying # (a shell makes its background jobs ignore SIGINT)
wait $copying 2>/dev/null
ok "and ends at once" took 2000 "$since"
server_continue
sent_or_kept() {
    local there=0
    if ! getfattr -n user.imap.uid "$mnt/Archive/interrupted.eml" >/dev/null 2>&1; then # it is no message
        cmp -s "$src/6.eml" "$mnt/Archive/interrupted.eml" && there=1
    fi
    [ "$(copies Archive "$src/6.eml") $there" = "1 0" ] || [ "$(copies Archive "$src/6.eml") $there" = "0 1" ]
}
ok "it is sent, or still where it was written" await 20 sent_or_kept
rm -f "$mnt/Archive/interrupted.eml"

echo "--- the mailbox is deleted by another client"
mkdir "$mnt/Doomed" && cp "$src/1.eml" "$mnt/Doomed/.kept" || failed "writing a local one"
imap 'DELETE Doomed' >/dev/null
mount_stop
mount_start rw
ok "the log says where the bytes are" grep -q "\.kept, written to Doomed and not sent, stays in" "$daemon_log"
kept=$(sed -n 's/.*\.kept, written to Doomed and not sent, stays in \(.*\): there is no place.*/\1/p' "$daemon_log" | tail -n 1)
ok "and there they are" cmp "$src/1.eml" "$kept"
cp "$src/2.eml" "$mnt/Archive/.other" || failed "writing another"
mount_stop
ok "still" cmp "$src/1.eml" "$kept"

echo "--- one round trip at 40 ms"
if [ -x "$DELAYPROXY" ]; then
    "$DELAYPROXY" --rtt 40 "127.0.0.1:$IMAP_PORT" >"$work/proxy.port" 2>"$work/proxy.log" &
    await 5 test -s "$work/proxy.port" || failed "no proxy"
    mount_url "imap://user@localhost:$(tr -dc 0-9 <"$work/proxy.port")/" tls=none,rw
    within 20 ls "$mnt/Archive" >/dev/null
    best=1000
    for n in {1..5}; do
        since=$(now_ms)
        within 20 cp "$src/1.eml" "$mnt/Archive/timed$n.eml" || failed "cp at 40 ms"
        elapsed=$(($(now_ms) - since))
        [ $elapsed -ge $best ] || best=$elapsed
    done
    echo "cp of one message at 40 ms: $best ms at best"
    # The program itself takes some of them, and a build with sanitizers more; two round trips would be 80.
    ok "which is one round trip" [ $best -lt 75 ]
    mount_stop
fi
