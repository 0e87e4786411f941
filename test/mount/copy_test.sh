#!/bin/bash
# SPDX-License-Identifier: MIT
# cp from mailbox to mailbox is done by the server, and is as right as a copy of the bytes would be.
. "$(dirname "$0")/lib.sh"

MESSAGES=1000 SIZE=20000 # and 100 to 180 octets of commands and answers for each
wire_totals=$work/wire.totals
wire=

count() {
    server_files "$1" | wc -l
}

fetch() {
    local mailbox=$1
    shift
    "$dovecot" doveadm "$work/s" -f tab fetch -u user "$*" mailbox "$mailbox" all | tail -n +2
}

# wire_start: a relay before the server that writes, when it is asked to (SIGUSR1), what went through it after logging in.
wire_start() {
    rm -f "$work/wire.port"
    python3 - "$top/test/bench" "$IMAP_PORT" "$work/wire.port" "$wire_totals" <<'PY' &
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import wire
relay = wire.Wire(int(sys.argv[2]))
def tell(*_):
    octets = sum(line.sent + line.received for line in relay.lines)
    commands = [line.decode("latin-1") for one in relay.lines for _, line in one.commands]
    with open(sys.argv[4] + ".new", "w") as out:
        print(octets, *commands, sep="\n", file=out)
    os.rename(sys.argv[4] + ".new", sys.argv[4])
signal.signal(signal.SIGUSR1, tell)
with open(sys.argv[3] + ".new", "w") as out:
    print(relay.port, file=out)
os.rename(sys.argv[3] + ".new", sys.argv[3])
while True:
    signal.pause()
PY
    wire=$!
    await 10 test -s "$work/wire.port" || failed "no relay"
}

# octets: what went over the line until now.
octets() {
    rm -f "$wire_totals"
    kill -USR1 "$wire"
    await 5 test -s "$wire_totals" || failed "the relay tells nothing"
    head -n 1 "$wire_totals"
}

# commands PATTERN: how many of them matched until the last call of octets.
commands() {
    tail -n +2 "$wire_totals" | cut -d' ' -f2- | grep -c "^$1"
}

# all_of MAILBOX: a line for each message: what it is made of, its date and flags.
all_of() {
    local uid path
    paste <(while IFS=$'\t' read -r uid path; do md5sum <"$path"; done < <(server_files "$1")) \
        <(fetch "$1" date.received flags | sed 's/\\Recent//; s/ *$//') | sort
}

message() {
    printf 'From: a@example.org\r\nSubject: number %d\r\n\r\n' "$1"
    head -c "${2:-1000}" /dev/urandom | base64 -w 72 | sed 's/$/\r/'
}

python3 - "$work/mail" "$MESSAGES" "$SIZE" <<'PY'
import base64, os, random, sys
random.seed(5)
os.mkdir(sys.argv[1])
for n in range(int(sys.argv[2])):
    head = b"From: a@example.org\nSubject: number %d\n\n" % n
    text = base64.b64encode(random.randbytes(int(sys.argv[3])))[:int(sys.argv[3]) - len(head) - 100]
    lines = b"".join(text[at:at + 72] + b"\n" for at in range(0, len(text), 72))
    path = "%s/%d.M%d" % (sys.argv[1], 1000000000 + n, n)
    with open(path, "wb") as out:
        out.write(head + lines)
    os.utime(path, (1000000000 + n, 1000000000 + n))
PY
for mailbox in From One Small; do
    mkdir -p "$box/$mailbox"/{cur,new,tmp}
done
for file in "$work/mail"/*; do
    cp -p "$file" "$box/From/cur/$(basename "$file"):2,S"
done
for n in 1 2 3; do
    message $n 700 | tr -d '\r' >"$box/Small/cur/100000000$n.M$n:2,F"
    touch -d "@100000000$n" "$box/Small/cur/100000000$n.M$n:2,F"
done
mkdir -p "$box"/{To,INBOX,Archive}/{cur,new,tmp}
chown -R --reference="$work/s" "$box"
server_start
wire_start
mount_url "imap://user@localhost:$(<"$work/wire.port")/" tls=none,rw
within 20 ls -l "$mnt"/* >/dev/null

echo "--- all of a mailbox"
before=$(octets)
ok "cp of $MESSAGES messages" within 60 bash -c "cp '$mnt'/From/*.eml '$mnt/To/'"
over_the_line=$(($(octets) - before))
same "done by the server" "$MESSAGES" "$(commands 'UID COPY')"
same "not sent" 0 "$(commands APPEND)"
echo "    $over_the_line octets over the line"
ok "under 1% of the bytes" [ $((over_the_line * 100)) -lt $((MESSAGES * SIZE)) ]
ok "of which most is one message, that was opened before it was known what for" \
    [ $((over_the_line - SIZE)) -le $((MESSAGES * 190)) ]
same "each is there, with its date and flags" "$(all_of From)" "$(all_of To)"
ok "under its name" diff <(ls "$mnt/From") <(ls "$mnt/To")
for n in 1 500 1000; do
    ok "$n.eml byte for byte" within 20 cmp "$mnt/From/$n.eml" "$mnt/To/$n.eml"
done

echo "--- as cp is asked to"
octets >/dev/null
sent=$(commands APPEND) done=$(commands 'UID COPY')
# copied HOW-OFTEN APPENDED: since it was asked last.
copied() {
    octets >/dev/null
    same "by the server $1, sent $2" "$1 $2" "$(($(commands 'UID COPY') - done)) $(($(commands APPEND) - sent))"
    sent=$(commands APPEND) done=$(commands 'UID COPY')
}
for options in "" -p -a --preserve=all -n "--sparse=never" --attributes-only; do
    # shellcheck disable=SC2086
    ok "cp $options" within 20 cp $options "$mnt/Small/1.eml" "$mnt/One/copy$options.eml"
    [ "$options" = --attributes-only ] || ok "is the same" within 20 cmp "$mnt/Small/1.eml" "$mnt/One/copy$options.eml"
done
copied 6 0
same "their dates and flags" "$(for _ in {1..6}; do echo '2001-09-09 01:46:41 \Flagged'; done)" \
    "$(fetch One date.received flags | sed 's/\\Recent//; s/ *$//' | tr '\t' ' ')"
rm "$mnt/One/copy--attributes-only.eml"
ok "cp -n of what is there" within 20 cp -n "$mnt/Small/2.eml" "$mnt/One/copy.eml"
copied 0 0
error=$(within 20 cp "$mnt/Small/2.eml" "$mnt/One/copy.eml" 2>&1)
ok "a message is not overwritten" grep -q "Operation not permitted" <<<"$error"
ok "cp -f takes its place" within 20 cp -f "$mnt/Small/2.eml" "$mnt/One/copy.eml"
copied 1 0
ok "then it is that one" within 20 cmp "$mnt/Small/2.eml" "$mnt/One/copy.eml"
ok "cp -r" within 20 cp -r "$mnt/Small" "$mnt/Tree"
copied 3 0
same "all of it" "$(all_of Small)" "$(all_of Tree)"
ok "within a mailbox" within 20 cp "$mnt/Small/3.eml" "$mnt/Small/again.eml"
copied 1 0
ok "is the same" within 20 cmp "$mnt/Small/3.eml" "$mnt/Small/again.eml"

echo "--- where the bytes are wanted"
ok "cat" within 20 bash -c "cat '$mnt/Small/1.eml' >'$mnt/Archive/one.eml'"
copied 1 0
ok "cat of two" within 20 bash -c "cat '$mnt/Small/1.eml' '$mnt/Small/2.eml' >'$mnt/Archive/two.eml'"
copied 0 1
ok "is both" cmp <(cat "$mnt/Small/1.eml" "$mnt/Small/2.eml") "$mnt/Archive/two.eml"
ok "a local name" within 20 cp "$mnt/Small/1.eml" "$mnt/Archive/.local"
copied 0 0
ok "has the bytes" cmp "$mnt/Small/1.eml" "$mnt/Archive/.local"
ok "from a local name" within 20 cp "$mnt/Archive/.local" "$mnt/Archive/from-local.eml"
copied 0 1
rm "$mnt/Archive/.local"
ok "out of the mount" within 20 cp "$mnt/Small/1.eml" "$work/out.eml"
ok "is the same" cmp "$mnt/Small/1.eml" "$work/out.eml"
error=$(within 20 cp "$mnt/.imapfs/status" "$mnt/Archive/status.eml" 2>&1)
copied 0 1
python3 - "$mnt/Small/1.eml" "$mnt/Archive" <<'PY' || failed "by its parts"
import os, sys
source, target = sys.argv[1:]
want = open(source, "rb").read()
size = len(want)

def begin(name, how=os.O_RDWR):
    return os.open(source, os.O_RDONLY), os.open(target + "/" + name, how | os.O_CREAT | os.O_EXCL, 0o600)

def whole(name):
    a, b = begin(name)
    assert os.copy_file_range(a, b, 1 << 20, 0, 0) == size
    os.close(a)
    return b

def is_now(name, text):
    got = open(target + "/" + name, "rb").read()
    assert got == text, (name, len(got), len(text), got[:100], text[:100])

# a part of it is not the message
a, b = begin("part.eml")
assert os.copy_file_range(a, b, 100, 0, 0) == 100
os.close(b)
is_now("part.eml", want[:100])
# neither is it where something is already
a, b = begin("more.eml")
os.write(b, b"X-Before: 1\r\n")
assert os.copy_file_range(a, b, 1 << 20, 0) == size
os.close(b)
is_now("more.eml", b"X-Before: 1\r\n" + want)
# what was copied can be read, and is written on like anything else
b = whole("read.eml")
assert os.fstat(b).st_size == size
assert os.pread(b, 1 << 20, 0) == want
os.close(b)
is_now("read.eml", want)
b = whole("on.eml")
os.pwrite(b, b"end\r\n", size)
os.close(b)
is_now("on.eml", want + b"end\r\n")
assert os.getxattr(target + "/on.eml", "user.imap.flags") == b""
# after it was sent, too: then it is replaced
b = whole("after.eml")
os.fsync(b)
is_now("after.eml", want)
os.pwrite(b, b"end\r\n", size)
os.close(b)
is_now("after.eml", want + b"end\r\n")
b = whole("cut.eml")
os.ftruncate(b, 50)
os.close(b)
is_now("cut.eml", want[:50])
# another date, other flags
b = whole("date.eml")
os.utime(b, (1234567890, 1234567890))
os.close(b)
is_now("date.eml", want)
assert os.stat(target + "/date.eml").st_mtime == 1234567890
b = whole("flags.eml")
os.setxattr(b, "user.imap.flags", rb"+\Seen")
os.close(b)
flags = os.getxattr(target + "/flags.eml", "user.imap.flags")
assert set(flags.split()) == {rb"\Seen", rb"\Flagged"}, flags
# a name that becomes local has nothing that could be kept
b = whole("local.eml")
try:
    os.rename(target + "/local.eml", target + "/.local")
    assert False
except OSError as e:
    assert e.errno == 16, e
os.unlink(target + "/local.eml")
os.close(b)
assert "local.eml" not in os.listdir(target)
# who is killed has copied nothing
pid = os.fork()
if not pid:
    whole("killed.eml")
    os.kill(os.getpid(), 9)
os.waitpid(pid, 0)
for _ in range(100):
    if "killed.eml" not in os.listdir(target):
        break
    import time
    time.sleep(0.05)
assert "killed.eml" not in os.listdir(target)
PY
same "each once" 12 "$(count Archive)"
mount_stop
kill "$wire"
wait "$wire" 2>/dev/null

echo "--- without a server nothing is copied"
mount_start rw
within 20 ls "$mnt/Small" "$mnt/One" >/dev/null
mkfifo "$work/go"
python3 - "$mnt/Small/1.eml" "$mnt/One/lost.eml" "$work/go" <<'PY' >"$work/said" 2>&1 &
import os, sys
a, b = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
os.copy_file_range(a, b, 1 << 20)
open(sys.argv[3]).read()
os.close(b)
PY
writer=$!
# whoever opens the other end finds it waiting
within 20 bash -c "exec 3>'$work/go'; '$dovecot' stop '$work/s'" || failed "stopping the server"
wait $writer && failed "closing succeeds"
ok "closing fails: $(tail -n 1 "$work/said")" grep -qE "No route to host|timed out" "$work/said"
ok "the name goes" await 10 test ! -e "$mnt/One/lost.eml"
mount_stop
