# SPDX-License-Identifier: MIT
"""What is measured. Each step adds samples, in seconds if not said otherwise, under names that rows use."""
import filecmp
import os
import signal
import subprocess
import time

import stage as stages
from stage import Failure

RTT_MS = 40
QUIET_TICKS = 3  # of 10 ms, in 0.2 s on all processors
QUIET_DEADLINE = 6
ENV = dict(os.environ, LC_ALL="C")
# grep notices /dev/null and stops at the first match, so the output goes to a file and nothing matches.
GREP = ["grep", "-r", "zqxj-in-no-message-zqxj"]


class Samples(dict):
    def add(self, name, value):
        self.setdefault(name, []).append(value)


def busy_ticks():
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return user + nice + system + irq + softirq + steal


def await_quiet(stage):
    """Until the machine has been idle for 0.2 s: the daemon has settled, and nobody else is at work."""
    end = time.monotonic() + QUIET_DEADLINE
    while time.monotonic() < end:
        before = busy_ticks()
        time.sleep(0.2)
        if busy_ticks() - before <= QUIET_TICKS:
            return
    stage.disturbed += 1


def settled(stage, measure, path):
    await_quiet(stage)
    return measure(stage, path)


def timed(stage, argv, ok=0):
    with open(os.path.join(stage.dir, "output"), "wb") as output:
        start = time.monotonic()
        process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=ENV)
        process.wait()
        seconds = time.monotonic() - start
    if process.returncode != ok:
        with open(os.path.join(stage.dir, "output"), "rb") as output:
            raise Failure(f"{argv[0]} ended with {process.returncode}: {output.read()[-500:]}")
    return seconds


def list_long(stage, path):
    return timed(stage, ["ls", "-l", path])


def grep(stage, path):
    return timed(stage, [*GREP, path], ok=1)


def cat_all(stage, path):
    return timed(stage, ["sh", "-c", 'cd "$1" && cat * >/dev/null', "sh", path])


def rsync_twice(stage, path, check=False):
    """Seconds of the copy, and of the run after it that finds nothing to do."""
    target = stage.fresh("rsync")
    first = timed(stage, ["rsync", "-a", path + "/", target])
    await_quiet(stage)
    again = timed(stage, ["rsync", "-a", path + "/", target])
    if check:
        compare(stage.local, target)
    stage.remove(target)
    return first, again


# ---- right before fast ------------------------------------------------------------------------------
def compare(wanted, found):
    """Names, sizes, times and every byte."""
    attributes = []
    for path in (wanted, found):
        with os.scandir(path) as entries:
            attributes.append({e.name: (e.stat().st_size, e.stat().st_mtime_ns) for e in entries})
    if attributes[0] != attributes[1]:
        wrong = [n for n in attributes[0].keys() | attributes[1].keys()
                 if attributes[0].get(n) != attributes[1].get(n)]
        raise Failure(f"{found}: {len(wrong)} wrong names, sizes or times, such as {sorted(wrong)[0]}: "
                      f"{attributes[1].get(wrong[0])} instead of {attributes[0].get(wrong[0])}")
    _, mismatch, errors = filecmp.cmpfiles(wanted, found, sorted(attributes[0]), shallow=False)
    if mismatch or errors:
        raise Failure(f"{found}: {len(mismatch)} files differ, {len(errors)} unreadable, "
                      f"such as {(mismatch + errors)[0]}")


def verify(stage, samples):
    with stage.mount() as mount:
        if len(os.listdir(mount.path)) != stage.count:
            raise Failure(f"{len(os.listdir(mount.path))} of {stage.count} messages listed")
        compare(stage.local, mount.path)
    with stage.mount() as mount:
        rsync_twice(stage, mount.path, check=True)
    if stage.raw("seen") != stage.seen:
        raise Failure("reading has marked messages as \\Seen")
    samples.add("verified", 1)


# ---- baselines --------------------------------------------------------------------------------------
def raw(stage, samples):
    for what in ("metadata", "bodies"):
        await_quiet(stage)
        samples.add("raw " + what, stage.raw(what))


def local(stage, samples):
    samples.add("local ls", settled(stage, list_long, stage.local))
    samples.add("local grep", settled(stage, grep, stage.local))
    samples.add("local cat", settled(stage, cat_all, stage.local))
    first, again = settled(stage, rsync_twice, stage.local)
    samples.add("local rsync", first)
    samples.add("local rsync again", again)


def mbsync(stage, samples):
    target = stage.fresh("mbsync")
    config = stage.mbsync_config(target)
    await_quiet(stage)
    samples.add("mbsync", timed(stage, ["mbsync", "-q", "-c", config, "bench"]))
    with os.scandir(os.path.join(target, stages.BULK, "new")) as new, \
            os.scandir(os.path.join(target, stages.BULK, "cur")) as cur:
        if len(list(new)) + len(list(cur)) != stage.count:
            raise Failure("mbsync did not pull every message")
    stage.remove(target)


def measure_mount(stage, samples, prefix, mount):
    """The rows at no distance. What is cold begins at once when the mount is there."""
    await_quiet(stage)
    with mount() as mounted:
        samples.add(prefix + " mount", mounted.seconds)
        samples.add(prefix + " ls", list_long(stage, mounted.path))
        samples.add(prefix + " memory", mounted.memory())
        samples.add(prefix + " ls again", settled(stage, list_long, mounted.path))
    await_quiet(stage)
    with mount() as mounted:
        samples.add(prefix + " grep", grep(stage, mounted.path))
        samples.add(prefix + " grep again", settled(stage, grep, mounted.path))
    await_quiet(stage)
    with mount() as mounted:
        first, again = rsync_twice(stage, mounted.path)
        samples.add(prefix + " rsync", first)
        samples.add(prefix + " rsync again", again)
    await_quiet(stage)
    with mount() as mounted:
        samples.add(prefix + " cat", cat_all(stage, mounted.path))


def floor(stage, samples):
    measure_mount(stage, samples, "floor", stage.mount_memfs)


# ---- imapfs -----------------------------------------------------------------------------------------
def near(stage, samples):
    measure_mount(stage, samples, "imapfs", stage.mount)


def far(stage, samples):
    for name, read in (("grep", grep), ("rsync", lambda s, path: rsync_twice(s, path)[0]), ("cat", cat_all)):
        await_quiet(stage)
        with stage.proxy(RTT_MS) as proxy, stage.mount(port=proxy.port) as mounted:
            samples.add("far " + name, read(stage, mounted.path))


def head(stage, samples):
    """Bytes on the wire for the first lines of a message of 50 MB."""
    with stage.proxy(0) as proxy, stage.mount(stages.LARGE, port=proxy.port) as mounted:
        list_long(stage, mounted.path)
        before = proxy.settled_bytes()
        timed(stage, ["head", os.path.join(mounted.path, "1.eml")])
        samples.add("head bytes", proxy.settled_bytes() - before)
    output = os.path.join(stage.dir, "output")
    with open(output, "rb") as found, open(stage.local + "-large/1.eml", "rb") as wanted:
        if found.read() != b"".join(wanted.readline() for _ in range(10)):
            raise Failure("head of the large message is wrong")


def system_call(pid):
    try:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def await_blocked(pid):
    """Until the process has stood in one system call for 0.1 s."""
    end = time.monotonic() + 10
    last, since = None, 0.0
    while time.monotonic() < end:
        call = system_call(pid)
        if call != last or call.startswith("running"):
            last, since = call, time.monotonic()
        elif time.monotonic() - since > 0.1:
            return
        time.sleep(0.005)
    raise Failure("cat did not wait for the stalled server")


def kill(stage, samples):
    """kill -9 of a cat that waits for a server gone silent."""
    with stage.proxy(0) as proxy, stage.mount(port=proxy.port) as mounted:
        list_long(stage, mounted.path)
        proxy.settled_bytes()
        proxy.toggle_stall()
        process = subprocess.Popen(["cat", os.path.join(mounted.path, f"{stage.count // 2}.eml")],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_blocked(process.pid)
        start = time.monotonic()
        process.send_signal(signal.SIGKILL)
        process.wait()
        samples.add("kill", time.monotonic() - start)
        proxy.toggle_stall()
