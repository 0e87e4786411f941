#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Cuts the line at the n-th line that the client or the server says during an operation, for every n until the operation
goes through uncut, before or after that line is passed on. cutlines_test.sh runs it.

cutlines.py [--cut before|after|both] [--only OPERATION] [--workers N]"""
import argparse
import collections
import os
import queue
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hard  # noqa: E402
from hard import Failure, attempt, message, write_file  # noqa: E402
from lineproxy import AFTER, BEFORE, LineProxy  # noqa: E402

LINES_MAX = 80  # of one operation; far more than any has
RESULTS = ("cuts", "succeeded", "failed", "lost", "doubled", "untrue")


class World:
    """One user with a proxy before the server: what one operation is tried in."""

    def __init__(self, user, operation):
        self.user, self.client, self.proxy = user, hard.Client(user), LineProxy(hard.PORT)
        self.client.create("From", "To")
        self.operation = operation
        self.mounted = None

    def mount(self):
        self.mounted = hard.Mounted(self.user, self.user, self.proxy.port, self.operation.options)
        return self.mounted

    def there(self, token):
        return self.client.places(token)

    def close(self):
        self.client.close()
        self.proxy.close()


class Operation:
    """begin() makes what it works on, without the mount; call() is the operation. Then judge() says of what the server
    has whether that is as it should be after success, and whether it is an acceptable state after an error."""

    options = ()
    name = ""
    copies_after_error = 1  # of the message, at most

    def begin(self, world, token):
        self.uid = world.client.append("From", message(token))

    def source(self, world):
        return world.mounted.of("From", f"{self.uid}.eml")

    def call(self, world, token):
        raise NotImplementedError

    done_places = ()  # of the message after success
    kept_places = ("From",)  # where it may be after an error, once at least

    def judge(self, world, token, told):
        """(lost, doubled, untrue): untrue is success that has not happened."""
        places = tuple(world.there(token))
        if told:
            kept = any(place in places for place in self.kept_places) or self.kept_elsewhere(world, token, places)
            return not kept, len(places) > self.copies_after_error, False
        most = max(1, len(self.done_places))
        return len(places) < len(self.done_places), len(places) > most, places != self.done_places

    def kept_elsewhere(self, world, token, places):
        """After an error it may have been done all the same."""
        return places == self.done_places

    def name_for_status(self, token):
        return f"{self.uid}.eml"

    def end(self, world, token):
        pass


class Append(Operation):
    name = "APPEND (cp into the mount)"
    done_places = ("To",)
    kept_places = ("To",)

    def begin(self, world, token):
        pass

    def path(self, world, token):
        return world.mounted.of("To", token + ".eml")

    def call(self, world, token):
        write_file(self.path(world, token), message(token))

    def kept_elsewhere(self, world, token, places):
        """The draft is where it was written."""
        with open(self.path(world, token), "rb") as file:
            return file.read() == message(token)

    def name_for_status(self, token):
        return token + ".eml"

    def end(self, world, token):
        attempt(lambda: os.unlink(self.path(world, token)))


class AppendPlain(Append):
    name = "APPEND without UIDPLUS, LITERAL+"
    options = ("disable=UIDPLUS,disable=LITERAL+",)


class Move(Operation):
    name = "MOVE (mv)"
    done_places = ("To",)

    def call(self, world, token):
        os.rename(self.source(world), world.mounted.of("To", f"{self.uid}.eml"))


class MoveByCopy(Move):
    name = "COPY, STORE, EXPUNGE (mv without MOVE)"
    options = ("disable=MOVE",)
    copies_after_error = 2  # the caller knows of it


class Copy(Operation):
    name = "COPY (ln)"
    done_places = ("From", "To")
    copies_after_error = 2

    def call(self, world, token):
        os.link(self.source(world), world.mounted.of("To", token + ".eml"))


class CopyRange(Copy):
    """The server makes the copy when the file is closed."""

    name = "UID COPY (cp between mailboxes)"

    def call(self, world, token):
        with open(self.source(world), "rb") as source:
            size = os.fstat(source.fileno()).st_size
            fd = os.open(world.mounted.of("To", token + ".eml"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                if os.copy_file_range(source.fileno(), fd, size) != size:
                    raise Failure("copy_file_range copies a part")
            except OSError:
                os.close(fd)
                raise
        os.close(fd)

    def name_for_status(self, token):
        return token + ".eml"

    def end(self, world, token):
        attempt(lambda: os.unlink(world.mounted.of("To", token + ".eml")))


class Expunge(Operation):
    name = "STORE, UID EXPUNGE (rm)"
    done_places = ()

    def call(self, world, token):
        os.unlink(self.source(world))


class Trash(Expunge):
    name = "MOVE (rm into the trash)"
    options = ("trash=To",)
    done_places = ("To",)


class TrashByCopy(Trash):
    name = "COPY, STORE, EXPUNGE (rm into the trash)"
    options = ("trash=To", "disable=MOVE")
    copies_after_error = 2  # the caller knows of it


class Rename(Operation):
    name = "RENAME (mv of a mailbox)"

    def begin(self, world, token):
        self.old, self.new = "old-" + token, "new-" + token
        world.client.create(self.old)
        world.client.append(self.old, message(token))

    def call(self, world, token):
        os.rename(world.mounted.of(self.old), world.mounted.of(self.new))

    def judge(self, world, token, told):
        self.done_places, self.kept_places = (self.new,), (self.old,)
        return super().judge(world, token, told)

    def name_for_status(self, token):
        return self.old

    def end(self, world, token):
        for mailbox in world.client.mailboxes() & {self.old, self.new}:
            world.client.ok(world.client.imap.delete(mailbox))


class Mailbox(Operation):
    """No mail in it: untrue success is all that can be wrong."""

    wanted = True  # is the mailbox there after success?

    def begin(self, world, token):
        pass

    def call(self, world, token):
        os.mkdir(world.mounted.of("box-" + token))

    def judge(self, world, token, told):
        there = "box-" + token in world.client.mailboxes()
        return False, False, not told and there != self.wanted

    def name_for_status(self, token):
        return "box-" + token

    def end(self, world, token):
        if "box-" + token in world.client.mailboxes():
            world.client.ok(world.client.imap.delete("box-" + token))


class Create(Mailbox):
    name = "CREATE (mkdir)"


class Delete(Mailbox):
    name = "DELETE (rmdir)"
    wanted = False

    def begin(self, world, token):
        world.client.create("box-" + token)

    def call(self, world, token):
        os.rmdir(world.mounted.of("box-" + token))


class Flags(Operation):
    name = "STORE (setfattr)"
    done_places = ("From",)

    def call(self, world, token):
        os.setxattr(self.source(world), "user.imap.flags", rb"+\Flagged")

    def judge(self, world, token, told):
        lost, doubled, untrue = super().judge(world, token, told)
        flags = next(flags for flags, text in world.client.messages("From").values() if hard.token_of(text) == token)
        return lost, doubled, untrue or (not told and rb"\Flagged" not in flags)


OPERATIONS = (Append, AppendPlain, Move, MoveByCopy, Copy, CopyRange, Expunge, Trash, TrashByCopy, Flags, Rename, Create,
              Delete)


class Trial:
    """One operation and one way of cutting."""

    def __init__(self, operation, how):
        self.operation, self.how = operation, how
        self.counts = collections.Counter()
        self.errors = collections.Counter()
        self.complaints = []
        self.uncut = False
        self.longest = 0.0

    def cut_at(self, world, n):
        """Whether the line was cut."""
        operation, token = self.operation, f"{self.how}-{n}"
        operation.begin(world, token)
        with world.mount() as mounted:
            for directory in ("To", "From"):
                os.listdir(mounted.of(directory))
            world.proxy.await_quiet()
            world.proxy.arm(n, self.how)
            start = time.monotonic()
            error = attempt(lambda: operation.call(world, token))
            late = hard.caught_up(mounted)  # of what was told to be done before
            self.longest = max(self.longest, time.monotonic() - start)
            line = world.proxy.disarm()
            world.proxy.await_cut_ended()
            told = hard.was_told(mounted, error, operation.name_for_status(token))
            if late and not told:
                raise Failure(f"sync tells {hard.name_of(late)}, and the status does not name it")
            lost, doubled, untrue = operation.judge(world, token, told)
            self.note(n, line, error or late, lost, doubled, untrue, told, world, token)
            operation.end(world, token)
        return line is not None

    def note(self, n, line, error, lost, doubled, untrue, told, world, token):
        self.counts["cuts"] += line is not None
        if line is not None:
            self.counts["failed" if told else "succeeded"] += 1
            if error:
                self.errors[hard.name_of(error)] += 1
        elif told:
            self.complaints.append(f"uncut, and it failed: {error}")
        self.counts["lost"] += lost
        self.counts["doubled"] += doubled
        self.counts["untrue"] += untrue
        if lost or doubled or untrue:
            self.complaints.append(f"{self.how} line {n} {line}: {hard.name_of(error)}, it is in {world.there(token)}")

    def run(self, user):
        world = World(user, self.operation)
        try:
            for n in range(1, LINES_MAX):
                if not self.cut_at(world, n):
                    self.uncut = True
                    break
        finally:
            world.close()


def work(tasks):
    while True:
        try:
            user, trial = tasks.get_nowait()
        except queue.Empty:
            return
        try:
            trial.run(user)
        except Exception as failure:  # pylint: disable=broad-except
            trial.complaints.append(f"{type(failure).__name__}: {failure}")


def report(trials):
    print(f"{'operation':<42}{'cut':<8}" + "".join(f"{name:>10}" for name in RESULTS) + "  longest s  errors")
    for trial in trials:
        errors = ", ".join(f"{name} {count}" for name, count in sorted(trial.errors.items()))
        print(f"{trial.operation.name:<42}{trial.how:<8}" + "".join(f"{trial.counts[name]:>10}" for name in RESULTS) +
              f"{trial.longest:>11.1f}  {errors}")
    for trial in trials:
        for complaint in trial.complaints:
            print(f"    {trial.operation.name}: {complaint}")
    total = collections.Counter()
    for trial in trials:
        total.update(trial.counts)
    print("in all: " + ", ".join(f"{total[name]} {name}" for name in RESULTS) +
          f"; mounted with {','.join(hard.OPTIONS) or 'no more options'}")
    for what in ("lost", "doubled", "untrue"):
        hard.Checks.same(f"{what}", 0, total[what])
    for trial in trials:
        hard.Checks.ok(f"{trial.operation.name}, cut {trial.how}: every line up to the end was cut at",
                       trial.uncut and trial.counts["cuts"] > 1 and not trial.complaints)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cut", choices=(BEFORE, AFTER, "both"), default="both")
    parser.add_argument("--only", metavar="TEXT", help="operations whose name begins so")
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args()
    ways = (BEFORE, AFTER) if arguments.cut == "both" else (arguments.cut,)
    trials = [Trial(operation(), how) for operation in OPERATIONS for how in ways
              if operation.name.startswith(arguments.only or "")]
    tasks = queue.Queue()
    for number, trial in enumerate(trials):
        tasks.put((f"cut{number}", trial))
    threads = [threading.Thread(target=work, args=(tasks,)) for _ in range(arguments.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not trials:
        raise Failure("no such operation")
    report(trials)


if __name__ == "__main__":
    hard.run(main)
