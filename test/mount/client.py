# SPDX-License-Identifier: MIT
"""An account as an IMAP client of its own sees it: imaplib, nothing of imapfs. For tests of the mount.

    client.py PORT state [MAILBOX]         each mailbox, and each message as its bytes' digest, length, moment of
                                           arrival and flags; the same for two accounts with the same content
    client.py PORT tree [subscribed]       the mailboxes
    client.py PORT uids MAILBOX            on one line
    client.py PORT flags MAILBOX UID       on one line, sorted
    client.py PORT body MAILBOX UID        the bytes
    client.py PORT append MAILBOX FILE...  the files as messages
    client.py PORT say COMMAND...          each as it stands; prints what is answered

Names are in UTF-8. The password is IMAP_PASSWORD, the user "user" or IMAP_CLIENT_USER.
"""
import base64
import hashlib
import imaplib
import os
import re
import sys
import time
from datetime import datetime

imaplib._MAXLINE = 10_000_000  # of a LIST, say


def encode(name):
    """Modified UTF-7, RFC 3501 5.1.3."""
    def shift(match):
        text = base64.b64encode(match.group().encode("utf-16-be")).decode().rstrip("=")
        return "&" + text.replace("/", ",") + "-"
    return re.sub(r"[^\x20-\x7e]+", shift, name.replace("&", "&-"))


def decode(wire):
    def unshift(match):
        text = match.group(1)
        if not text:
            return "&"
        return base64.b64decode(text.replace(",", "/") + "=" * (-len(text) % 4)).decode("utf-16-be")
    return re.sub(r"&([^-]*)-", unshift, wire)


def quoted(name):
    return '"' + encode(name).replace("\\", "\\\\").replace('"', '\\"') + '"'


def must(answer):
    if answer[0] != "OK":
        sys.exit(f"{answer}")
    return answer[1]


def login(port, user="user"):
    client = imaplib.IMAP4("localhost", port, timeout=60)
    must(client.login(user, os.environ["IMAP_PASSWORD"]))
    return client


def listed(lines):
    """The names of a LIST's or LSUB's answer that can be selected, levels parted by "/"."""
    for line in lines:
        if line is None:
            continue
        head = line[0] if isinstance(line, tuple) else line
        attributes, delimiter, name = re.match(rb'\(([^)]*)\) (NIL|"(?:\\.|[^"])*") (.*)', head, re.S).groups()
        if isinstance(line, tuple):
            name = line[1]
        elif name.startswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        if re.search(rb"\\(noselect|nonexistent)", attributes, re.I):
            continue
        name = name.decode()
        if delimiter not in (b"NIL", b'"/"'):
            name = name.replace(delimiter[1:-1].decode()[-1], "/")
        yield decode(name)


def tree(client):
    return sorted(listed(must(client.list())))


def select(client, mailbox):
    must(client.select(quoted(mailbox), readonly=True))


def flags_of(head):
    flags = re.search(rb"FLAGS \(([^)]*)\)", head).group(1).decode().split()
    return " ".join(sorted(flag for flag in flags if flag.lower() != "\\recent"))


def moment_of(head):
    date = re.search(rb'INTERNALDATE "([^"]*)"', head).group(1).decode().strip()
    return int(datetime.strptime(date, "%d-%b-%Y %H:%M:%S %z").timestamp())


def messages(client, mailbox):
    """UID, bytes, moment, flags of each."""
    select(client, mailbox)
    if not must(client.uid("SEARCH", "ALL"))[0]:
        return
    found = {}
    for part in must(client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")):
        if isinstance(part, tuple):
            head = part[0]
            uid = int(re.search(rb"UID (\d+)", head).group(1))
            found[uid] = (part[1], moment_of(head), flags_of(head))
    for uid in sorted(found):
        yield (uid, *found[uid])


def state(client, mailboxes):
    for mailbox in mailboxes:
        print(mailbox)
        lines = []
        for _, body, moment, flags in messages(client, mailbox):
            lines.append(f"    {hashlib.sha256(body).hexdigest()[:16]} {len(body)} "
                         f"{time.strftime('%F %T', time.gmtime(moment))} {flags}")
        print("\n".join(sorted(lines)))


def say(client, commands):
    for command in commands:
        tag = client._new_tag()
        client.send(tag + b" " + command.encode() + b"\r\n")
        while True:
            line = client.readline()
            if not line:
                sys.exit("the line is gone")
            sys.stdout.write(line.decode(errors="replace").replace("\r", ""))
            if line.startswith(tag + b" "):
                break


def main():
    port, command, rest = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    client = login(port, os.environ.get("IMAP_CLIENT_USER", "user"))
    if command == "state":
        state(client, rest or tree(client))
    elif command == "tree":
        print("\n".join(sorted(listed(must(client.lsub()))) if rest else tree(client)))
    elif command == "uids":
        select(client, rest[0])
        print(must(client.uid("SEARCH", "ALL"))[0].decode())
    elif command == "flags":
        select(client, rest[0])
        print(flags_of(must(client.uid("FETCH", rest[1], "(FLAGS)"))[0]))
    elif command == "body":
        select(client, rest[0])
        sys.stdout.buffer.write(must(client.uid("FETCH", rest[1], "(BODY.PEEK[])"))[0][1])
    elif command == "append":
        for name in rest[1:]:
            with open(name, "rb") as file:
                must(client.append(quoted(rest[0]), None, None, file.read()))
    elif command == "say":
        say(client, rest)
    else:
        sys.exit(__doc__)
    client.logout()


if __name__ == "__main__":
    main()
