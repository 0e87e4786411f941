#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lineproxy: stands between a client and an IMAP server, line by line: cuts at the n-th line of either side, refuses
what it is told to refuse as if the server had, or holds a command back until it is let go.

As a program:  lineproxy.py [--refuse MAILBOX:UID,UID...] [--refuse-text TEXT] PORT
prints its own port and serves until it is ended. --refuse answers NO [NOPERM] to every UID STORE, COPY, MOVE or EXPUNGE of any of
these messages, --refuse-text to every APPEND in which the text is; all else passes. Plain TCP, no COMPRESS."""
import argparse
import re
import socket
import threading
import time

BEFORE, AFTER = "before", "after"  # of cutting: is the line itself still passed on?
LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
OF_UIDS = re.compile(rb"\S+ UID (?:STORE|COPY|MOVE|EXPUNGE) ([0-9:,*]+)", re.I)
SELECT = re.compile(rb'\S+ (?:SELECT|EXAMINE) (?:"([^"]*)"|([^ \r]+))', re.I)
APPEND = re.compile(rb"\S+ APPEND ", re.I)
DEADLINE = 30


def uids_of(text):
    """Of a sequence set without *."""
    for part in text.decode().split(","):
        first, _, last = part.partition(":")
        low, high = sorted((int(first), int(last or first)))
        yield from range(low, high + 1)


class Refusals:
    """What is refused; may be changed at any time."""

    def __init__(self, messages=(), texts=()):
        self.messages = set(messages)  # (mailbox, uid)
        self.texts = set(texts)  # bytes
        self.count = 0

    def refuses(self, line, command):
        found = OF_UIDS.match(command)
        if found and b"*" not in found[1]:
            refused = any((line.mailbox, uid) in self.messages for uid in uids_of(found[1]))
        else:
            refused = bool(APPEND.match(command)) and any(text in command for text in self.texts)
        self.count += refused
        return refused


class Line:
    """One connection; a thread for each direction."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.mailbox = ""  # selected
        self.to_client = threading.Lock()
        self.ended = threading.Event()  # the server has nothing more to say
        self.cut = False
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.carry_up, daemon=True).start()
        threading.Thread(target=self.carry_down, daemon=True).start()

    def say(self, data):
        with self.to_client:
            self.client.sendall(data)

    def pieces(self, source, answer_literals):
        """Lines with the literals that belong to them; or lines alone, where nothing is to be understood."""
        rest, piece, literal = b"", b"", 0
        while True:
            while len(rest) >= literal and (end := rest.find(b"\n", literal)) >= 0:
                piece, rest, literal = piece + rest[:end + 1], rest[end + 1:], 0
                found = LITERAL.search(piece) if self.proxy.refusals else None
                if not found:
                    yield piece
                    piece = b""
                    continue
                literal = int(found[1])
                if answer_literals and not found[2]:
                    piece = piece[:found.start()] + b"{%d+}\r\n" % literal
                    self.say(b"+ go on\r\n")
            try:
                data = source.recv(1 << 18)
            except OSError:
                data = b""
            if not data:
                return
            rest += data

    def carry_up(self):
        try:
            for piece in self.pieces(self.client, True):
                self.take_command(piece)
                if self.cut:
                    return
            self.server.shutdown(socket.SHUT_WR)
        except OSError:
            self.end()

    def take_command(self, piece):
        found = SELECT.match(piece)
        if found:
            self.mailbox = (found[1] or found[2] or b"").decode()
        if self.proxy.refusals and self.proxy.refusals.refuses(self, piece):
            self.say(piece.split(b" ", 1)[0] + b" NO [NOPERM] refused by the proxy\r\n")
            return
        self.proxy.hold_back(piece)
        self.pass_on(piece, self.server.sendall)

    def carry_down(self):
        try:
            for piece in self.pieces(self.server, False):
                if not self.cut:
                    self.pass_on(piece, self.say)
        except OSError:
            pass
        self.end()
        self.ended.set()
        self.server.close()

    def pass_on(self, piece, send):
        cut = self.proxy.count_line(piece)
        if cut != BEFORE:
            send(piece)
        if cut:
            self.end()

    def end(self):
        """The client has lost its line; the server gets what was passed on, and may end what it is doing."""
        self.cut = True
        for sock, how in ((self.client, socket.SHUT_RDWR), (self.server, socket.SHUT_WR)):
            try:
                sock.shutdown(how)
            except OSError:
                pass


class LineProxy:
    def __init__(self, server_port, refusals=None):
        self.server_port, self.refusals = server_port, refusals
        self.lock = threading.Lock()
        self.lines = []
        self.cut_at = self.cut_how = None
        self.counted = 0  # since it was armed
        self.cut_line = None  # at which it was cut
        self.last = time.monotonic()
        self.hold, self.held, self.let_go = None, threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.server_port))
            except OSError:
                client.close()
                continue
            self.lines.append(Line(self, client, server))

    def count_line(self, piece):
        """BEFORE or AFTER, if the line is to be cut at this one."""
        with self.lock:
            self.last = time.monotonic()
            self.counted += 1
            if self.cut_at is None or self.counted != self.cut_at:
                return None
            self.cut_at, self.cut_line = None, piece
            return self.cut_how

    def hold_back(self, piece):
        if self.hold and self.hold.search(piece):
            self.hold = None
            self.held.set()
            self.let_go.wait(DEADLINE)

    def arm(self, at, how):
        """Cuts the line at which the at-th line from now on goes, once."""
        with self.lock:
            self.counted, self.cut_at, self.cut_how, self.cut_line = 0, at, how, None

    def disarm(self):
        """The line at which it was cut; None: it was not."""
        with self.lock:
            self.cut_at = None
            return self.cut_line

    def hold_at(self, pattern):
        """The next command in which the pattern is waits until release()."""
        self.held.clear()
        self.let_go.clear()
        self.hold = re.compile(pattern)

    def release(self):
        self.hold = None
        self.let_go.set()

    def await_quiet(self, quiet=0.1):
        """Until nobody has said anything for a while."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() - self.last < quiet:
            if time.monotonic() > end:
                raise TimeoutError("the line never is quiet")
            time.sleep(0.005)

    def await_cut_ended(self):
        """Until the server has ended what it was doing on lines that were cut."""
        for line in list(self.lines):
            if line.cut and not line.ended.wait(DEADLINE):
                raise TimeoutError("the server does not let go of a line")
        self.lines = [line for line in self.lines if not line.ended.is_set()]

    def close(self):
        self.release()
        self.listener.close()
        for line in self.lines:
            line.end()


def refusal(text):
    mailbox, _, uids = text.rpartition(":")
    return [(mailbox, uid) for uid in uids_of(uids.replace("-", ":").encode())]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--refuse", type=refusal, action="append", default=[], metavar="MAILBOX:UIDS")
    parser.add_argument("--refuse-text", action="append", default=[], metavar="TEXT")
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    messages = [message for some in arguments.refuse for message in some]
    texts = [text.encode() for text in arguments.refuse_text]
    print(LineProxy(arguments.port, Refusals(messages, texts)).port, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
