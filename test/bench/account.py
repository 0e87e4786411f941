# SPDX-License-Identifier: MIT
"""An account on a private Dovecot for the benchmarks beside test/bench/run: mail of few bytes, what the server
itself says of it, local files that look alike, and mounts with a cache that is kept. All of it on tmpfs."""
import calendar
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

import stage as stages
from stage import Failure

MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
ROW = re.compile(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) INTERNALDATE \"([^\"]+)\" RFC822.SIZE (\d+)")


def unix_seconds(date):
    day, clock, zone = date.split()
    d, month, year = day.split(b"-")
    h, m, s = map(int, clock.split(b":"))
    offset = (int(zone[1:3]) * 60 + int(zone[3:5])) * 60 * (-1 if zone[:1] == b"-" else 1)
    return calendar.timegm((int(year), MONTHS.index(month) + 1, int(d), h, m, s)) - offset


class Client:
    """What a second client says, over a socket of its own."""

    def __init__(self, port, user, password):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.rest = b""
        self.until(rb"\A\* OK .*\r\n")
        self.say(f"LOGIN {user} {password}")

    def until(self, pattern):
        wanted = re.compile(pattern)
        parts, tail = [], self.rest
        while not (found := wanted.search(tail)):
            data = self.socket.recv(1 << 20)
            if not data:
                raise Failure("the server hung up")
            parts.append(tail[:-400])
            tail = tail[-400:] + data
        self.rest = tail[found.end():]
        return b"".join(parts) + tail[:found.end()]

    def say(self, command):
        """The answer; raises when it is not OK."""
        self.socket.sendall(b"x " + command.encode() + b"\r\n")
        answer = self.until(rb"(?:\A|\r\n)x (?:OK|NO|BAD)[^\r]*\r\n")
        if not re.search(rb"(?:\A|\r\n)x OK[^\r]*\r\n\Z", answer):
            raise Failure(f"{command}: {answer[-200:]}")
        return answer

    def close(self):
        self.socket.close()


class Account:
    def __init__(self, build, imapfs=None, base="/dev/shm"):
        self.build = build
        self.imapfs = imapfs or os.path.join(build, "fs", "imapfs")
        self.dir = tempfile.mkdtemp(prefix="imapfs-bench-", dir=base)
        os.chmod(self.dir, 0o755)
        self.server_dir = os.path.join(self.dir, "s")
        self.mnt = os.path.join(self.dir, "mnt")
        self.cache = os.path.join(self.dir, "cache")
        self.started = False
        self.serial = 0
        self.disturbed = 0

    # ---- the server ---------------------------------------------------------------------------------
    def maildir(self, mailbox):
        return os.path.join(self.server_dir, "mail", stages.USER, mailbox)

    def start(self, port=None):
        env = dict(os.environ, **({"DOVECOT_PORT": str(port)} if port else {}))
        done = subprocess.run([os.path.join(stages.SUPPORT, "dovecot.sh"), "start", self.server_dir], check=False,
                              env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if done.returncode:
            raise Failure("cannot start Dovecot")
        self.started = True
        with open(os.path.join(self.server_dir, "env"), encoding="utf-8") as file:
            env = dict(line.rstrip("\n").split("=", 1) for line in file)
        self.port, self.password = int(env["IMAP_PORT"]), env["IMAP_PASSWORD"]

    def client(self):
        return Client(self.port, stages.USER, self.password)

    def fill(self, mailbox, count, first=0):
        """Seen mail of some hundred octets each, put there as files before the server is started."""
        path = self.maildir(mailbox)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, sub), exist_ok=True)
        for i in range(first, first + count):
            self.write_message(os.path.join(path, "cur"), i, ":2,S")

    def write_message(self, directory, i, flags=""):
        text = b"From: a@example.org\r\nSubject: message %d\r\n\r\n%s\r\n" % (i, b"x" * (i * 7919 % 900))
        name = f"{1700000000 + i}.M{i}P1.bench,S={len(text)},W={len(text)}{flags}"
        path = os.path.join(directory, name)
        with open(path, "wb", buffering=0) as file:
            file.write(text)
        os.utime(path, (1500000000 + 60 * i, 1500000000 + 60 * i))
        return path

    def deliver(self, mailbox, i):
        """As a delivery does it: complete in tmp, then renamed."""
        path = self.maildir(mailbox)
        temporary = self.write_message(os.path.join(path, "tmp"), i)
        os.rename(temporary, os.path.join(path, "new", os.path.basename(temporary)))

    def rows(self, client, mailbox):
        """{uid: (size, unix seconds, flags)} as the server tells it."""
        client.say(f"EXAMINE {mailbox}")
        answer = client.say("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
        return {int(uid): (int(size), unix_seconds(date), frozenset(flags.split()) - {rb"\Recent"})
                for uid, flags, date, size in ROW.findall(answer)}

    # ---- the mount ----------------------------------------------------------------------------------
    def mount(self, *options, port=None, cache=None, program=None, mailbox=""):
        options = ",".join(("tls=none", f"cache_dir={cache or self.cache}", *options))
        env = dict(os.environ, IMAPFS_PASSWORD=self.password)
        url = f"imap://{stages.USER}@127.0.0.1:{port or self.port}/{mailbox}"
        return stages.Mount(self, "imapfs", [program or self.imapfs, "-o", options, url], env)

    def close(self):
        if stages.is_mounted(self.mnt):
            subprocess.run(["umount", "-l", self.mnt], check=False)
        if self.started:
            subprocess.run([os.path.join(stages.SUPPORT, "dovecot.sh"), "stop", self.server_dir], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def make_alike(directory, rows):
    """Local files that list as the mount does; sparse, as nobody reads them."""
    os.mkdir(directory)
    for uid, (size, date, _) in rows.items():
        path = os.path.join(directory, f"{uid}.eml")
        file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o400)
        os.ftruncate(file, size)
        os.close(file)
        os.utime(path, (date, date))


def check_listing(path, rows):
    """Names, sizes and dates of the mount are the server's."""
    with os.scandir(path) as entries:
        found = {entry.name: entry.stat() for entry in entries}
    found = {name: (st.st_size, int(st.st_mtime)) for name, st in found.items()}
    wanted = {f"{uid}.eml": (size, date) for uid, (size, date, _) in rows.items()}
    if found != wanted:
        names = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
        raise Failure(f"{path}: {len(names)} wrong, such as {names[0]}: {found.get(names[0])}"
                      f" instead of {wanted.get(names[0])}")


def check_flags(path, rows, uids):
    for uid in uids:
        flags = os.getxattr(os.path.join(path, f"{uid}.eml"), "user.imap.flags")
        if frozenset(flags.split()) - {rb"\Recent"} != rows[uid][2]:
            raise Failure(f"{path}/{uid}.eml: flags {flags} instead of {sorted(rows[uid][2])}")


def first_entry(path):
    """Seconds until the first message of the directory is listed."""
    start = time.monotonic()
    with os.scandir(path) as entries:
        next(entries)
    return time.monotonic() - start
