#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kills the mount at random moments of a stream of rm, mv and cp into it, with -o writeback, and mounts again at once: what
callers were told is done is done then, what they were not told of is done or not, and every message is there exactly once.
killed_test.sh runs it. Moments and changes come of --seed; how far the server was, of the machine."""
import argparse
import collections
import os
import random
import re
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hard  # noqa: E402
from hard import Checks, Failure, message, write_file  # noqa: E402

BOXES = ("One", "Two", "Three")
AT_FIRST = 40  # messages in each
WORKERS = 3
LONGEST = 1.2  # seconds from mounting to killing
FEW = 60  # so many messages left: nothing is deleted any more
USER = "user"
PORT = int(os.environ.get("FAR_PORT", hard.PORT))
REFUSED = re.compile(r"(\S+) in (\S+) is not (?:moved|deleted): ")

# A message as it is known to be: in this mailbox, under this name. change: what was begun and not told.
Change = collections.namedtuple("Change", "kind box file target told")


class Message:
    def __init__(self, token, box, file):
        self.token, self.box, self.file = token, box, file
        self.changes = []  # since it was known where it is

    def acceptable(self, refused):
        """The ways of being there: tuples of mailboxes."""
        ways = {(self.box,)} if self.box else {()}
        for change in self.changes:
            after = (change.target,) if change.target else ()
            if (change.file, change.box) in refused:
                ways |= {after} | {tuple(sorted((*way, *after))) for way in ways if way}
            elif change.told:
                ways = {after}
            else:
                ways |= {after}
        return ways


class Worker(threading.Thread):
    """Changes messages that are its own."""

    def __init__(self, name, seed, mounted, messages, over):
        super().__init__()
        self.name, self.mounted, self.messages, self.over = name, mounted, messages, over
        self.dice = random.Random(f"{seed} {name}")
        self.serial, self.counts, self.broken = 0, collections.Counter(), None

    def run(self):
        try:
            while not self.over.is_set() and self.step():
                pass
        except Exception as failure:  # pylint: disable=broad-except
            self.broken = f"{type(failure).__name__}: {failure}"

    def step(self):
        """Whether the mount still answers."""
        self.serial += 1
        there = [one for one in self.messages if one.file and (not one.changes or one.changes[-1].told)]
        kind = self.dice.choice(("cp", "cp", "mv", "mv", "mv", "rm" if len(there) > FEW / WORKERS else "cp"))
        box = self.dice.choice(BOXES)
        name = f"{self.name}-{self.serial}.eml"
        if kind == "cp" or not there:
            one = Message(f"{self.name}-{self.serial}", None, name)
            self.messages.append(one)
            return self.make(one, "cp", box, name, lambda: write_file(self.mounted.of(box, name), message(one.token, 2000)))
        one = self.dice.choice(there)
        at, file = (one.changes[-1].target, one.file) if one.changes else (one.box, one.file)
        path = self.mounted.of(at, file)
        if kind == "rm":
            one.file = None
            return self.make(one, "rm", at, None, lambda: os.unlink(path), file)
        box = self.dice.choice([box for box in BOXES if box != at])
        one.file = name
        return self.make(one, "mv", box, name, lambda: os.rename(path, self.mounted.of(box, name)), file, at)

    def make(self, one, kind, box, name, call, file=None, at=None):
        source, target = (at, box) if kind == "mv" else (box, None) if kind == "rm" else (None, box)
        change = Change(kind, source, file or name, target, False)
        one.changes.append(change)
        error = hard.attempt(call)
        if not error:
            one.changes[-1] = change._replace(told=True)
            self.counts[kind] += 1
        elif not self.over.is_set():
            raise Failure(f"{kind} {file or name}: {error}")
        return not error


class Soak:
    def __init__(self, arguments):
        self.arguments, self.dice = arguments, random.Random(arguments.seed)
        self.client = hard.Client(USER)
        self.messages = [[] for _ in range(WORKERS)]
        self.counts = collections.Counter()
        self.wrong, self.retired = [], set()  # retired: those that are not there, or are there twice

    def set_up(self):
        self.client.create(*BOXES)
        for box in BOXES:
            for n in range(AT_FIRST):
                token = f"first-{box}-{n}"
                uid = self.client.append(box, message(token, 2000))
                self.messages[n % WORKERS].append(Message(token, box, f"{uid}.eml"))

    def mount(self):
        return hard.Mounted(USER, "killed", PORT, self.options())

    def options(self):
        return [option for option in self.arguments.options.split(",") if option]

    def life(self, number):
        """From one mount to its being killed."""
        mounted, over = self.mount(), threading.Event()
        hard.caught_up(mounted)
        self.judge(mounted)
        self.name_anew(mounted)
        workers = [Worker(f"k{number}w{n}", self.arguments.seed, mounted, messages, over)
                   for n, messages in enumerate(self.messages)]
        for worker in workers:
            worker.start()
        time.sleep(self.dice.uniform(0.02, LONGEST))
        over.set()
        mounted.kill()
        for worker in workers:
            worker.join(60)
            if worker.is_alive() or worker.broken:
                raise Failure(f"{worker.name}: {worker.broken or 'hangs'}")
            self.counts.update(worker.counts)

    def judge(self, mounted):
        refused = set(REFUSED.findall(mounted.log()))
        places = collections.defaultdict(list)
        for box in BOXES:
            for _, text in self.client.messages(box).values():
                token = hard.token_of(text)
                places[token].append(box)
                if text != message(token, 2000):
                    self.wrong.append(f"{token} in {box} is not what was written")
        for messages in self.messages:
            for one in list(messages):
                found = tuple(sorted(places.pop(one.token, ())))
                ways = one.acceptable(refused)
                if found not in ways:
                    self.wrong.append(f"{one.token} is in {found}, not in one of {ways}: {one.changes}, from {one.box}; "
                                      f"the log: {mounted.log()[-1500:]}")
                self.counts["refused"] += any((change.file, change.box) in refused for change in one.changes)
                if len(found) == 1:
                    one.box, one.changes = found[0], []
                else:
                    messages.remove(one)
                    self.retired.add(one.token)
        unknown = [token for token in places if token not in self.retired]
        if unknown:
            self.wrong.append(f"nobody has written {unknown}")

    def name_anew(self, mounted):
        """As the mount shows them, which is what the server has."""
        names = {(box, token): files for box in BOXES for token, files in mounted.tokens(box).items()}
        for one in (one for messages in self.messages for one in messages):
            files = names.get((one.box, one.token), [])
            if len(files) != 1:
                self.wrong.append(f"the mount shows {one.token} of {one.box} as {files}")
            one.file = files[0] if files else None

    def run(self):
        self.set_up()
        for number in range(self.arguments.kills):
            self.life(number)
            if self.wrong:
                break
        with self.mount() as mounted:
            hard.caught_up(mounted)
            self.judge(mounted)
        print(f"{self.arguments.kills} kills; told as done: " +
              ", ".join(f"{self.counts[kind]} {kind}" for kind in ("rm", "mv", "cp")) +
              f"; told later as refused: {self.counts['refused']}")
        Checks.same("what is not as somebody was told", [], self.wrong)
        if "disable=MOVE" not in self.options():  # a copy that was begun is not made twice
            Checks.same("changes that were refused, as nobody else changes anything", 0, self.counts["refused"])
        for kind in ("rm", "mv", "cp"):
            Checks.ok(f"some {kind} were told as done", self.counts[kind] > self.arguments.kills)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "1")))
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--options", default="", help="of the mount besides rw and writeback")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    Soak(arguments).run()


if __name__ == "__main__":
    hard.run(main)
