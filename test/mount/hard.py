# SPDX-License-Identifier: MIT
"""For the tests of hard cases, which lib.sh has given a server: mounts of any number of users, what the server has by the
word of another client, and what a change was answered with.

IMAPFS_OPTIONS (as given to -o) are added to each mount's. With writeback among them a change counts as told to have failed,
too, when the mount has caught up and its status names the file among what was refused: caught_up() and was_told() alone
know of that."""
import errno
import imaplib
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "bench")]
from stage import Failure, await_true, is_mounted  # noqa: E402

PORT = int(os.environ["IMAP_PORT"])
PASSWORD = os.environ["IMAP_PASSWORD"]
IMAPFS = os.environ["IMAPFS"]
WORK = os.environ["work"]
OPTIONS = [option for option in os.environ.get("IMAPFS_OPTIONS", "").split(",") if option]
WRITEBACK = "writeback" in OPTIONS
TOKEN = re.compile(rb"^X-Token: (\S+)\r?$", re.M)
LINE_AWAY = (errno.EHOSTUNREACH, errno.ETIMEDOUT)
CATCHING_UP = 60  # seconds for what waits, after a line was lost
imaplib.Commands.setdefault("MOVE", ("SELECTED",))


def message(token, size=200):
    head = b"From: a@example.org\r\nSubject: hard\r\nX-Token: %s\r\n\r\n" % token.encode()
    line = b"%s and so on, to the end of the line\r\n" % token.encode()
    return head + line * max(1, (size - len(head)) // len(line))


class Client:
    """Another client of the same user, on a line of its own."""

    def __init__(self, user):
        self.imap = imaplib.IMAP4("127.0.0.1", PORT, timeout=30)
        self.imap.login(user, PASSWORD)

    def ok(self, answer):
        if answer[0] != "OK":
            raise Failure(f"the server says {answer}")
        return answer[1]

    def create(self, *mailboxes):
        for mailbox in mailboxes:
            self.ok(self.imap.create(mailbox))

    def append(self, mailbox, text):
        """Its UID."""
        answer = self.ok(self.imap.append(mailbox, "", None, text))
        return int(re.search(rb"APPENDUID \d+ (\d+)", answer[0])[1])

    def mailboxes(self):
        return {line.split(b' "/" ', 1)[1].strip(b'"').decode() for line in self.ok(self.imap.list()) if line}

    def messages(self, mailbox):
        """{uid: (flags, bytes)}"""
        self.ok(self.imap.select(mailbox, readonly=True))
        found = {}
        for part in self.ok(self.imap.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")):
            if isinstance(part, tuple):
                uid = int(re.search(rb"UID (\d+)", part[0])[1])
                flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])[1].split()
                found[uid] = (frozenset(flags) - {rb"\Recent"}, part[1])
        self.imap.unselect()
        return found

    def places(self, token):
        """The mailboxes that have this message, each as often as it is there."""
        return [mailbox for mailbox in sorted(self.mailboxes()) for _, text in self.messages(mailbox).values()
                if token_of(text) == token]

    def close(self):
        try:
            self.imap.logout()
        except (imaplib.IMAP4.error, OSError):
            pass


def token_of(text):
    found = TOKEN.search(text)
    return found[1].decode() if found else None


class Mounted:
    """A mount of the user's account in WORK/name; its cache stays from one to the next of the same name."""

    def __init__(self, user, name, port=PORT, options=()):
        self.path = os.path.join(WORK, name + ".mnt")
        self.log_path = os.path.join(WORK, name + ".log")
        self.name = name
        self.refused_before = []
        os.makedirs(self.path, exist_ok=True)
        self.log_begin = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        cache = os.path.join(WORK, name + ".cache")
        options = ",".join(["tls=none", "rw", "timeout=20", f"cache_dir={cache}", *options, *OPTIONS])
        env = dict(os.environ, IMAPFS_PASSWORD=PASSWORD)
        for sanitizer in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            env[sanitizer] = f"{os.environ.get(sanitizer, '')}:log_path={WORK}/sanitizer"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [IMAPFS, "-f", "-o", options, f"imap://{user}@127.0.0.1:{port}/", self.path],
                env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        await_true("mounting", lambda: is_mounted(self.path) or self.process.poll() is not None, 30)
        if self.process.poll() is not None:
            raise Failure(f"imapfs ended: {self.log()}")
        os.stat(self.path)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            log.seek(self.log_begin)
            return log.read()

    def of(self, *names):
        return os.path.join(self.path, *names)

    def status(self):
        with open(self.of(".imapfs", "status"), encoding="utf-8") as file:
            return file.read()

    def sync(self):
        """What `sync -f` does: to open a directory, and not to list it, waits for the server; the kernel keeps syncfs(2)
        to itself."""
        os.close(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK))

    def waits(self):
        return "\nwaiting for the server: " in self.status()

    def refused(self):
        """[(file, mailbox, why)] as the status has it."""
        listed = re.search(r"^last refused: \d+\n((?:  .*\n)*)", self.status(), re.M)
        return re.findall(r"(\S+) in (\S+) is not \w+: (.*)", listed[1]) if listed else []

    def tokens(self, mailbox):
        """{token: name} of what is listed, read from the mount."""
        found = {}
        for name in os.listdir(self.of(mailbox)):
            path = self.of(mailbox, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found.setdefault(token_of(file.read()), []).append(name)
        return found

    def kill(self):
        """As a crash would. By force, as a thread that was telling the kernel of a name may wait in it for who is changing
        that directory, and he for the answer: then the process does not end by itself, nor is anybody told."""
        self.process.kill()
        subprocess.run(["umount", "-f", "-l", self.path], check=True, timeout=20)
        self.process.wait(timeout=20)

    def close(self):
        if is_mounted(self.path):
            done = subprocess.run(["fusermount3", "-u", self.path], stderr=subprocess.PIPE, check=False)
            if done.returncode:
                subprocess.run(["fusermount3", "-uz", self.path], check=False)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired as late:
            self.process.kill()
            self.process.wait()
            raise Failure(f"the daemon of {self.name} did not end: {self.log()[-1000:]}") from late
        if self.process.returncode:
            raise Failure(f"the daemon of {self.name} ended with {self.process.returncode}: {self.log()[-1000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def write_file(path, text):
    """What cp does; raises what any of its steps returns."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        while text:
            text = text[os.write(fd, text):]
    except OSError:
        os.close(fd)
        raise
    os.close(fd)


def attempt(call):
    """The error that it raises; None: success."""
    try:
        call()
    except OSError as error:
        return error
    return None


def was_told(mounted, error, name):
    """Whether who made a change knows that it has failed: by the call itself; with writeback also by the status, once
    the mount has caught up."""
    return error is not None or any(file == name for file, _, _ in mounted.refused())


def caught_up(mounted):
    """With writeback, waits until what was answered is on the server or refused. Returns what sync told of the latter, which
    the status then has, too. While the line is away sync fails, and nothing is refused by that: it is tried again."""
    end, told = time.monotonic() + CATCHING_UP, []
    while WRITEBACK:
        error = attempt(mounted.sync)
        if not error:
            break
        told.append(error)
        if time.monotonic() > end:
            raise Failure(f"{name_of(error)}, and it is not done:\n{mounted.status()}")
        time.sleep(0.05)
    if not WRITEBACK:
        return None
    if mounted.waits():
        raise Failure(f"sync has left something to be done:\n{mounted.status()}")
    refused = mounted.refused()
    if refused == mounted.refused_before:
        if any(error.errno not in LINE_AWAY for error in told):
            raise Failure(f"sync tells {[name_of(error) for error in told]} of what the status does not name")
        return None
    mounted.refused_before = refused
    if not told:
        raise Failure(f"sync tells nothing of {refused}")
    return told[-1]


class Checks:
    failures = 0

    @classmethod
    def same(cls, what, expected, got):
        if expected == got:
            print(f"ok: {what}", flush=True)
        else:
            cls.failures += 1
            print(f"FAILED: {what}: {got!r} instead of {expected!r}", flush=True)

    @classmethod
    def ok(cls, what, good, detail=""):
        if good:
            print(f"ok: {what}", flush=True)
        else:
            cls.failures += 1
            print(f"FAILED: {what} {detail}", flush=True)


def name_of(error):
    return errno.errorcode.get(error.errno, str(error.errno)) if error else "success"


def run(main):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main()
    except (Failure, OSError, imaplib.IMAP4.error, TimeoutError) as failure:
        print(f"FAILED: {type(failure).__name__}: {failure}", flush=True)
        Checks.failures += 1
    sys.exit(1 if Checks.failures else 0)
