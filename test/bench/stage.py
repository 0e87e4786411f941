# SPDX-License-Identifier: MIT
"""The stage of the benchmark: private server, mail, the same mail as local files, mounts, delaying line.

Everything lies in one directory on tmpfs and is gone, with every process, when the stage closes.
"""
import os
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
SUPPORT = os.path.join(SOURCE, "test", "support")
DEADLINE = 60
USER = "user"
BULK = "bulk"
LARGE = "large"
LARGE_SIZE = 50_000_000
BULK_BYTES_EACH = 7300  # what mailgen makes, about: 20,000 are 146 MB


class Failure(Exception):
    """The measurement itself failed (as opposed to: turned out slow)."""


def await_true(what, condition, seconds=DEADLINE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.002)


def build(directory, targets):
    """Builds what is missing or older than its sources, optimised."""
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        subprocess.run(["cmake", "--preset", "bench", "-B", directory], cwd=SOURCE, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", directory, "--target", *targets], cwd=SOURCE, check=True,
                   stdout=subprocess.DEVNULL)


def is_mounted(path):
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return any(line.split()[4] == path for line in mounts)


class Mount:
    """A file system daemon in the foreground, so that its process is known and its messages are kept."""

    def __init__(self, stage, name, argv, env=None, wrapper=()):
        self.path = os.path.join(stage.dir, "mnt")
        self.log = os.path.join(stage.dir, name + ".log")
        os.makedirs(self.path, exist_ok=True)
        start = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*wrapper, *argv, "-f", self.path], env=env, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        await_true(f"{name} mounting", lambda: is_mounted(self.path) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise Failure(f"{name} ended with {self.process.returncode}: {self.messages()}")
        os.stat(self.path)  # answered only once the daemon serves
        self.seconds = time.monotonic() - start

    def messages(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:].strip()

    def memory(self):
        """Resident bytes of the daemon."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise Failure("no VmRSS")

    def close(self):
        if is_mounted(self.path):
            done = subprocess.run(["umount", self.path], stderr=subprocess.PIPE, check=False)
            if done.returncode:
                subprocess.run(["umount", "-l", self.path], check=False)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired as late:
            self.process.kill()
            self.process.wait()
            raise Failure(f"the daemon did not end after umount: {self.messages()}") from late

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Proxy:
    """delayproxy before the stage's server."""

    def __init__(self, stage, rtt_ms):
        self.counters_path = os.path.join(stage.dir, "proxy.counters")
        self.process = subprocess.Popen(
            [stage.tool("delayproxy"), "--rtt", str(rtt_ms), "--counters", self.counters_path,
             f"127.0.0.1:{stage.port}"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.port = int(self.process.stdout.readline())

    def counters(self):
        if os.path.exists(self.counters_path):
            os.unlink(self.counters_path)
        self.process.send_signal(signal.SIGUSR1)
        await_true("the proxy's counters", lambda: os.path.exists(self.counters_path), 5)
        with open(self.counters_path, encoding="ascii") as file:
            return {name: int(value) for name, value in (line.split() for line in file)}

    def settled_bytes(self):
        """What the server has sent, once nothing more comes for 0.3 s."""
        last, since = self.counters()["server_bytes"], time.monotonic()
        while time.monotonic() - since < 0.3:
            time.sleep(0.02)
            count = self.counters()["server_bytes"]
            if count != last:
                last, since = count, time.monotonic()
        return last

    def toggle_stall(self):
        self.process.send_signal(signal.SIGUSR2)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Stage:
    def __init__(self, build, count, imapfs=None):
        self.build, self.count = build, count
        self.imapfs = imapfs or os.path.join(build, "fs", "imapfs")
        self.dir = tempfile.mkdtemp(prefix="imapfs-bench-", dir="/dev/shm")
        os.chmod(self.dir, 0o755)
        self.local = os.path.join(self.dir, "local")
        self.dovecot_dir = os.path.join(self.dir, "dovecot")
        self.started = False
        self.serial = 0
        self.disturbed = 0  # measurements begun while the machine was busy with something else

    # ---- setting up ---------------------------------------------------------------------------------
    def tool(self, name):
        return os.path.join(self.build, "test", "bench", name)

    def maildir(self, mailbox):
        return os.path.join(self.dovecot_dir, "mail", USER, mailbox)

    def open(self):
        self.make_bulk()
        self.make_large()
        self.start_server()
        for mailbox in (BULK, LARGE):  # the server's index and caches are warm for everyone alike
            for _ in range(2):
                self.raw("metadata", mailbox)
                self.raw("bodies", mailbox)
        self.make_local(BULK, self.local)
        self.make_local(LARGE, self.local + "-large")
        self.seen = self.raw("seen")

    def start_server(self):
        subprocess.run([os.path.join(SUPPORT, "dovecot.sh"), "start", self.dovecot_dir], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.started = True
        with open(os.path.join(self.dovecot_dir, "env"), encoding="utf-8") as file:
            env = dict(line.rstrip("\n").split("=", 1) for line in file)
        self.port, self.password = int(env["IMAP_PORT"]), env["IMAP_PASSWORD"]

    def make_bulk(self):
        path = self.maildir(BULK)
        os.makedirs(os.path.dirname(path))
        mailgen = os.path.join(self.build, "test", "mount", "mailgen")
        subprocess.run([mailgen, "bulk", path, str(self.count), "1"], check=True)

    def make_large(self):
        path = self.maildir(LARGE)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, sub))
        head = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: large\r\n\r\n"
        line = b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4\r\n"
        name = f"1700000000.M1P1.bench,S={LARGE_SIZE},W={LARGE_SIZE}:2,"
        with open(os.path.join(path, "cur", name), "wb") as file:
            file.write((head + line * (LARGE_SIZE // len(line) + 1))[:LARGE_SIZE - 2] + b"\r\n")

    def make_local(self, mailbox, target):
        """The server's own files as the mount must show them. The server's list tells which UID is which."""
        maildir = self.maildir(mailbox)
        names = {}
        for sub in ("cur", "new"):
            with os.scandir(os.path.join(maildir, sub)) as entries:
                names.update((entry.name.split(":")[0], entry.path) for entry in entries)
        os.mkdir(target)
        with open(os.path.join(maildir, "dovecot-uidlist"), encoding="utf-8") as uidlist:
            next(uidlist)
            for line in uidlist:
                left, name = line.rstrip("\n").split(" :", 1)
                source = names.pop(name.split(":")[0])
                self.copy_message(source, os.path.join(target, left.split()[0] + ".eml"))
        if names:
            raise Failure(f"the server did not list {len(names)} messages")

    @staticmethod
    def copy_message(source, target):
        with open(source, "rb") as file:
            text = file.read()
            mtime = int(os.fstat(file.fileno()).st_mtime)
        if text.count(b"\n") != text.count(b"\r\n"):
            text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        with open(target, "wb") as file:
            file.write(text)
        os.chmod(target, 0o400)
        os.utime(target, (mtime, mtime))

    # ---- what the rows use --------------------------------------------------------------------------
    def fresh(self, name):
        """The path of something that does not exist yet."""
        self.serial += 1
        return os.path.join(self.dir, f"{name}.{self.serial}")

    def raw(self, what, mailbox=BULK):
        done = subprocess.run([self.tool("rawfetch"), "127.0.0.1", str(self.port), USER, mailbox, what],
                              env={"IMAPFS_PASSWORD": self.password}, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise Failure("rawfetch failed")
        return float(done.stdout.split()[0])

    def mount(self, mailbox=BULK, port=None, wrapper=()):
        """imapfs with an empty cache."""
        cache = self.fresh("cache")
        url = f"imap://{USER}@127.0.0.1:{port or self.port}/{mailbox}"
        env = dict(os.environ, IMAPFS_PASSWORD=self.password)
        return Mount(self, "imapfs", [self.imapfs, "-o", f"tls=none,cache_dir={cache}", url], env, wrapper)

    def mount_memfs(self):
        return Mount(self, "memfs", [self.tool("memfs"), self.local, "-o", "ro"])

    def proxy(self, rtt_ms):
        return Proxy(self, rtt_ms)

    def mbsync_config(self, target):
        path = os.path.join(self.dir, "mbsyncrc")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"FSync no\n\nIMAPAccount bench\nHost 127.0.0.1\nPort {self.port}\nUser {USER}\n"
                       f"Pass {self.password}\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount bench\n\n"
                       f"MaildirStore near\nPath {target}/\nInbox {target}/INBOX\nSubFolders Verbatim\n\n"
                       f"Channel bench\nFar :far:{BULK}\nNear :near:{BULK}\nCreate Near\nSync Pull\n"
                       f"SyncState *\n")
        os.makedirs(target)
        return path

    def remove(self, path):
        shutil.rmtree(path, ignore_errors=True)

    def close(self):
        if is_mounted(os.path.join(self.dir, "mnt")):
            subprocess.run(["umount", "-l", os.path.join(self.dir, "mnt")], check=False)
        if self.started:
            subprocess.run([os.path.join(SUPPORT, "dovecot.sh"), "stop", self.dovecot_dir], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
