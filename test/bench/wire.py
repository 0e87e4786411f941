# SPDX-License-Identifier: MIT
"""A relay before a server that counts what goes over the line once the client has logged in, and keeps the commands.

Plain TCP only. Logging in ends with the server's OK to LOGIN or AUTHENTICATE (or a PREAUTH greeting)."""
import socket
import threading
import time

LOGINS = (b"LOGIN", b"AUTHENTICATE")


class Line:
    """One connection. Written by its two threads, each its own members."""

    def __init__(self):
        self.login_tag = None
        self.counting = False
        self.sent = self.received = 0  # octets of the client and of the server
        self.commands = []  # (seconds of the monotonic clock, line)
        self.client_rest = self.server_rest = b""

    def from_client(self, data):
        if self.counting:
            self.sent += len(data)
        *lines, self.client_rest = (self.client_rest + data).split(b"\r\n")
        for line in lines:
            words = line.split(None, 2)
            if self.counting:
                self.commands.append((time.monotonic(), line))
            elif len(words) > 1 and words[1].upper() in LOGINS:
                self.login_tag = words[0]

    def from_server(self, data):
        if self.counting:
            self.received += len(data)
            return
        *lines, self.server_rest = (self.server_rest + data).split(b"\r\n")
        for i, line in enumerate(lines):
            words = line.split(None, 2)
            if words[1:2] == [b"PREAUTH"] or (words[:1] == [self.login_tag] and words[1:2] == [b"OK"]):
                self.counting = True
                self.received += sum(len(later) + 2 for later in lines[i + 1:]) + len(self.server_rest)
                return


class Wire:
    def __init__(self, port):
        self.server_port = port
        self.lines = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            line = Line()
            self.lines.append(line)
            server = socket.create_connection(("127.0.0.1", self.server_port))
            for source, target, note in ((client, server, line.from_client), (server, client, line.from_server)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pass_on, args=(source, target, note), daemon=True).start()

    @staticmethod
    def pass_on(source, target, note):
        try:
            while data := source.recv(1 << 20):
                note(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def forget(self):
        """Of the lines so far."""
        self.lines = []

    def octets(self):
        """Both directions, all lines so far, logging in left out."""
        return sum(line.sent + line.received for line in self.lines)

    def commands(self, since=0.0):
        return [text for line in self.lines for when, text in line.commands if when >= since]

    def settled_octets(self, quiet=0.3, limit=10.0):
        """The count once nothing has been said for a while."""
        end = time.monotonic() + limit
        last, since = self.octets(), time.monotonic()
        while time.monotonic() - since < quiet and time.monotonic() < end:
            time.sleep(0.02)
            now = self.octets()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
