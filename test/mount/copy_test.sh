#!/bin/bash
# SPDX-License-Identifier: MIT
# cp from mailbox to mailbox is done by the server, and is as right as a copy of the bytes would be.
. "$(dirname "$0")/lib.sh"

MESSAGES=200 SIZE=7168
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
    tail -n +2 "$wire_totals" | grep -c "$1"
}

# same_files MAILBOX MAILBOX: whether each message of the one is in the other, once, with its date and flags.
same_messages() {
    diff <(fetch "$1" body date.received flags size.physical | tr -d '\r' | sort) \
        <(fetch "$2" body date.received flags size.physical | tr -d '\r' | sort)
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
octets >/dev/null
before=$(head -n 1 "$wire_totals")
ok "cp of $MESSAGES messages" within 60 bash -c "cp '$mnt'/From/*.eml '$mnt/To/'"
after=$(octets)
total=$(fetch From size.physical | awk '{ sum += $1 } END { print sum }')
echo "    $((after - before)) octets over the line for $MESSAGES messages of $total octets"
tail -n +2 "$wire_totals" | tail -n 16
ok "they are the same" same_messages From To
