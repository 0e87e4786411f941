# SPDX-License-Identifier: MIT
"""A server that answers FETCH with prepared bytes: what clients need to log in and to select, and nothing else.

Each mailbox is one stream: the untagged responses to whatever is fetched from it."""
import random
import socket
import threading

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
FLAGS = (rb"\Seen", rb"", rb"\Answered \Seen", rb"\Flagged \Seen", rb"\Seen $Forwarded", rb"\Deleted \Seen NonJunk")


class Stream:
    def __init__(self, count, data):
        self.count, self.data = count, data


def metadata(count):
    """As Dovecot answers UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE), with gaps between the UIDs."""
    dice, uid, lines = random.Random(1), 0, []
    for seq in range(1, count + 1):
        uid += dice.choice((1, 1, 1, 2, 7))
        date = b"%02d-%s-%d %02d:%02d:%02d +0%d00" % (dice.randint(1, 28), dice.choice(MONTHS).encode(),
                                                     dice.randint(1999, 2026), dice.randint(0, 23),
                                                     dice.randint(0, 59), dice.randint(0, 59), dice.randint(0, 2))
        lines.append(b'* %d FETCH (UID %d FLAGS (%s) INTERNALDATE "%s" RFC822.SIZE %d)\r\n' %
                     (seq, uid, dice.choice(FLAGS), date, int(dice.lognormvariate(8.9, 1.2)) + 300))
    return Stream(count, b"".join(lines))


def bodies(count, size):
    """As Dovecot answers UID FETCH 1:* (UID BODY.PEEK[]); text of 76 columns."""
    dice = random.Random(2)
    line = lambda: bytes(dice.choices(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ", k=76)) + b"\r\n"
    block = b"".join(line() for _ in range(512))
    text = (b"From: a@example.org\r\nSubject: replayed\r\n\r\n" + block * (size // len(block) + 1))[:size - 2] + b"\r\n"
    return Stream(count, b"".join(b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, uid, size, text)
                                  for uid in range(1, count + 1)))


class Replay:
    def __init__(self, streams):
        self.streams = streams
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:  # closed
                return
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    self.talk(connection)
                except ConnectionError:
                    pass  # the client's business: the bench looks at how it ended

    def talk(self, connection):
        stream = None
        connection.sendall(b"* OK [CAPABILITY IMAP4rev1] replay\r\n")
        for line in connection.makefile("rb"):
            tag, verb, *words = line.split()
            answer = b""
            if verb == b"CAPABILITY":
                answer = b"* CAPABILITY IMAP4rev1\r\n"
            elif verb in (b"SELECT", b"EXAMINE"):
                stream = self.streams[words[0].strip(b'"').decode()]
                answer = (b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* %d EXISTS\r\n* 0 RECENT\r\n"
                          b"* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 4000000000] next\r\n" % stream.count)
            elif verb == b"UID":
                answer = stream.data
            elif verb == b"LOGOUT":
                answer = b"* BYE replayed\r\n"
            connection.sendall(answer)
            connection.sendall(tag + b" OK done\r\n")

    def close(self):
        self.listener.close()
