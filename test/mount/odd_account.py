# SPDX-License-Identifier: MIT
"""odd_account.py PORT: fills an empty account with what a migration might damage. For migrate_test.sh."""
import random
import sys

import client as imap

HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: %s\r\nMessage-ID: <%d@example.org>\r\n"
FLAGS = [None, r"\Seen", r"\Answered", r"\Flagged", r"\Draft", r"\Seen \Answered \Flagged \Draft", "$Forwarded",
         "$MDNSent work", r"\Seen work $Forwarded $MDNSent NonJunk", r"\Deleted \Seen"]
DATES = ["17-Jul-1996 02:44:25 -0700", "31-Dec-1999 23:59:59 +0000", "29-Feb-2004 12:00:00 +1300",
         "28-Oct-2012 02:30:00 +0200", "28-Oct-2012 02:30:00 +0100", " 1-Apr-2019 00:00:00 +0530",
         "02-Aug-2024 03:04:05 -1100", "01-Jan-1971 00:00:00 +0000"]
TREE = ["Archive", "Archive/2019", "Archive/2019/Q1", "Büro", "Büro/Straße & Weg", "日本語", "日本語/受信 トレイ", "a & b", "&",
        "Drafts", "Trash", "with.dot", "it's", "Empty", "Deep", "Deep/1", "Deep/1/2", "Deep/1/2/3", "ends with ~",
        "(brackets) [and] $ @", "#1 + 50€", "=plus,comma", "Ünïcødé 🎉 emoji"]


def messages():
    """The parts of the messages behind the header's first lines."""
    dice = random.Random(5)
    yield b"usual", b"\r\nHello.\r\n"
    yield b"no final line end", b"\r\nHello"
    yield b"header and blank line only", b"\r\n"
    yield b"8-bit", b"Content-Type: text/plain; charset=ISO-8859-1\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
    yield "8-bit in the header, grüße".encode(), b"\r\n\xfc\xe4\r\n"
    yield b"controls", b"\r\n" + bytes(n for n in range(1, 32) if n not in (10, 13)) + b"\x7f\r\n"
    yield b"dots", b"\r\n.\r\n..\r\n.x\r\n"
    yield b"From", b"\r\nFrom here on\r\n>From\r\n"
    yield b"blank lines at the end", b"\r\nx\r\n\r\n\r\n\r\n"
    yield b"blanks at ends of lines", b"\r\nx \r\n\t\r\n  \r\n"
    yield b"a long line", b"\r\n" + b"x" * 70000 + b"\r\n"
    yield b"a long header", b"X-Long: " + b"y" * 3000 + b"\r\n\r\nx\r\n"
    yield b"many headers", b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(500)) + b"\r\nx\r\n"
    yield b"folded\r\n\tand folded", b"\r\nx\r\n"
    yield b"multipart", (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n"
                         b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nin\r\n--b--\r\n")
    yield b"broken multipart", b"Content-Type: multipart/mixed\r\n\r\n--b\r\nno end"
    yield b"one MiB", b"\r\n" + b"".join(b"%x\r\n" % dice.getrandbits(288) for _ in range(14300))
    yield b"a literal's look", b"\r\n{10}\r\na1 OK done)\r\n* BYE\r\n"


def fill(client):
    for name in TREE:
        imap.must(client.create(imap.quoted(name)))
        imap.must(client.subscribe(imap.quoted(name)))
    number = 0

    def add(mailbox, subject, rest):
        nonlocal number
        number += 1
        flags = FLAGS[number % len(FLAGS)]
        imap.must(client.append(imap.quoted(mailbox), flags and f"({flags})", f'"{DATES[number % len(DATES)]}"',
                                HEAD % (subject, number) + rest))

    for subject, rest in messages():
        add("INBOX", subject, rest)
    for flags in FLAGS:  # each with each date somewhere
        for _ in DATES:
            add("Archive/2019", b"one of many", b"\r\n%d\r\n" % number)
    for mailbox in TREE:
        if mailbox != "Empty":
            for _ in range(3):
                add(mailbox, b"in a mailbox", b"\r\nx\r\n")
    for mailbox, gone in (("INBOX", "1,4"), ("Archive/2019", "2:9,11,20:22"), ("Büro", "1"), ("日本語/受信 トレイ", "1:2")):
        imap.must(client.select(imap.quoted(mailbox)))
        imap.must(client.uid("STORE", gone, "+FLAGS.SILENT", r"(\Deleted)"))
        imap.must(client.uid("EXPUNGE", gone))
    imap.must(client.unselect())


fill(imap.login(int(sys.argv[1])))
