# SPDX-License-Identifier: MIT
"""A server with one very large mailbox of messages without bodies, generated beforehand so that answering costs it
next to nothing. Knows QRESYNC and CONDSTORE; nothing ever changes in it."""
import random
import re
import socket
import threading
import time

from replay import FLAGS, MONTHS

CAPS = b"IMAP4rev1 ENABLE CONDSTORE QRESYNC ESEARCH IDLE UNSELECT NAMESPACE LIST-EXTENDED"
UIDVALIDITY = 1700000000


def make_rows(count):
    """UIDs with gaps, and the lines that FETCH answers for each."""
    dice = random.Random(1)
    dates = [b"%02d-%s-%d %02d:%02d:%02d +0%d00" % (dice.randint(1, 28), dice.choice(MONTHS).encode(),
                                                   dice.randint(1999, 2026), dice.randint(0, 23), dice.randint(0, 59),
                                                   dice.randint(0, 59), dice.randint(0, 2)) for _ in range(4096)]
    gaps = dice.choices((1, 1, 1, 2, 7), k=count)
    sizes = [int(dice.lognormvariate(8.9, 1.2)) + 300 for _ in range(4096)]
    uids, lines, uid = [], [], 0
    for i in range(count):
        uid += gaps[i]
        uids.append(uid)
        lines.append(b'* %d FETCH (UID %d FLAGS (%s) INTERNALDATE "%s" RFC822.SIZE %d MODSEQ (%d))\r\n' %
                     (i + 1, uid, FLAGS[i * 7 % len(FLAGS)], dates[i * 31 % 4096], sizes[i * 17 % 4096], i + 2))
    return uids, lines


class ListServer:
    """pause: seconds before EXAMINE is answered, as a server far away or slow."""

    def __init__(self, count, mailbox="bulk"):
        self.mailbox, self.pause = mailbox.encode(), 0.0
        self.uids, lines = make_rows(count)
        self.whole = b"".join(lines)
        self.last = lines[-1]
        self.commands = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:  # closed
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def selected(self, name):
        if name != self.mailbox:
            return (b"* FLAGS ()\r\n* 0 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 1] next\r\n"
                    b"* OK [HIGHESTMODSEQ 1] high\r\n")
        return (b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded NonJunk)\r\n* %d EXISTS\r\n"
                b"* 0 RECENT\r\n* OK [UIDVALIDITY %d] valid\r\n* OK [UIDNEXT %d] next\r\n* OK [HIGHESTMODSEQ %d] high\r\n"
                % (len(self.uids), UIDVALIDITY, self.uids[-1] + 1, len(self.uids) + 1))

    def fetched(self, line):
        found = re.match(rb"\S+ UID FETCH (\d+):(\d+|\*) \(([^)]*)\)( \(CHANGEDSINCE (\d+)\))?", line)
        if not found or (found[5] and int(found[5]) <= len(self.uids)):
            raise ValueError(line)  # the bench does not expect that
        if found[5]:
            return b""
        if int(found[1]) > self.uids[-1]:
            return self.last if found[2] == b"*" else b""
        if found[1] != b"1" or b"INTERNALDATE" not in found[3]:
            raise ValueError(line)
        return self.whole

    def answer(self, line):
        verb, *words = line.split()[1:]
        if verb == b"CAPABILITY":
            return b"* CAPABILITY " + CAPS + b"\r\n"
        if verb == b"ENABLE":
            return b"* ENABLED QRESYNC\r\n"
        if verb == b"NAMESPACE":
            return b'* NAMESPACE (("" "/")) NIL NIL\r\n'
        if verb == b"LIST":
            return b'* LIST () "/" INBOX\r\n* LIST () "/" ' + self.mailbox + b"\r\n"
        if verb in (b"SELECT", b"EXAMINE"):
            time.sleep(self.pause)
            return self.selected(words[0].strip(b'"'))
        if verb == b"UID" and words[0] == b"FETCH":
            return self.fetched(line)
        if verb == b"LOGOUT":
            return b"* BYE bye\r\n"
        return b""

    def talk(self, connection):
        idle = None
        connection.sendall(b"* OK [CAPABILITY " + CAPS + b"] ready\r\n")
        try:
            for line in connection.makefile("rb"):
                self.commands.append(line)
                if line.strip().upper() == b"DONE":
                    connection.sendall(idle + b" OK done\r\n")
                    continue
                tag, verb = line.split()[:2]
                if verb == b"IDLE":
                    idle = tag
                    connection.sendall(b"+ idling\r\n")
                    continue
                connection.sendall(self.answer(line))
                connection.sendall(tag + b" OK done\r\n")
        except OSError:
            pass  # the client's business
        finally:
            connection.close()

    def close(self):
        self.listener.close()
