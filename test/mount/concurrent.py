#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two mounts and another client upload, delete, move and flag messages of the same mailboxes at once, at random; then
what the server has is held against what each of them was told, with writeback also by the log. concurrent_test.sh runs it.

What they do comes of --seed; when, of the machine. A server may do two moves of one message that overlap in time both, and
then there are two of it: these are counted, and nothing else may be there twice."""
import argparse
import collections
import errno
import os
import random
import re
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hard  # noqa: E402
from hard import Checks, Failure, message, token_of, write_file  # noqa: E402

BOXES = ("One", "Two", "Three")
AT_FIRST = 30  # messages in each
SENSIBLE = {errno.ENOENT, errno.ESTALE, errno.EBUSY, errno.EAGAIN}
MAYBE_DONE = {errno.EHOSTUNREACH, errno.ETIMEDOUT}  # so imapfs(1)
KINDS = ("upload", "upload", "upload", "delete", "delete", "move", "move", "move", "flag", "read")
USER = "user"
PUT_OFF = 3  # seconds, of what waits for the server with writeback
PATIENCE = 30  # for the mounts to agree with the server

Done = collections.namedtuple("Done", "actor kind token source target file begin end error")


class Actor(threading.Thread):
    """uploads, deletes ...: each sets what = (token, source, target, name) and raises what it is told."""

    def __init__(self, name, seed, until):
        super().__init__()
        self.name, self.until = name, until
        self.dice = random.Random(f"{seed} {name}")
        self.log, self.broken, self.serial = [], None, 0

    def new_token(self):
        self.serial += 1
        return f"{self.name}-{self.serial}"

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.step()
        except Exception as failure:  # pylint: disable=broad-except
            self.broken = f"{type(failure).__name__}: {failure}"

    def step(self):
        self.what = (None, None, None, None)
        kind, begin, error = self.dice.choice(KINDS), time.monotonic(), None
        try:
            getattr(self, kind)(*self.dice.sample(BOXES, 2))
        except OSError as failure:
            error = failure
        self.log.append(Done(self.name, kind, *self.what, begin, time.monotonic(), error))


class OfMount(Actor):
    def __init__(self, mounted, *rest):
        super().__init__(mounted.name, *rest)
        self.mounted = mounted

    def pick(self, box):
        """A message's path and token; what it is about is noted for the log."""
        names = sorted(os.listdir(self.mounted.of(box)))
        path = self.mounted.of(box, self.dice.choice(names))
        with open(path, "rb") as file:
            token = token_of(file.read())
        self.what = (token, box, None, os.path.basename(path))
        return path, token

    def upload(self, box, _):
        token = self.new_token()
        self.what = (token, None, box, token + ".eml")
        write_file(self.mounted.of(box, token + ".eml"), message(token, self.dice.choice((300, 300, 9000))))

    def delete(self, box, _):
        path, _ = self.pick(box)
        os.unlink(path)

    def move(self, box, other):
        path, token = self.pick(box)
        self.serial += 1
        name = self.dice.choice((os.path.basename(path), f"{token}-{self.name}-{self.serial}.eml"))
        self.what = (token, box, other, os.path.basename(path))
        os.rename(path, self.mounted.of(other, name if not name.startswith("=") else name[1:]))

    def flag(self, box, _):
        path, _ = self.pick(box)
        os.setxattr(path, "user.imap.flags", self.dice.choice((rb"+\Flagged", rb"-\Flagged", rb"+work", rb"-work")))

    def read(self, box, _):
        self.pick(box)


class OfClient(Actor):
    def __init__(self, *rest):
        super().__init__("client", *rest)
        self.client = hard.Client(USER)
        self.imap = self.client.imap

    def say(self, *command):
        """A UID command; what somebody else was quicker with is an error like a mount's."""
        answer = self.imap.uid(*command)
        if answer[0] == "NO" and b"[EXPUNGEISSUED]" in answer[1][0]:
            raise OSError(errno.ENOENT, "expunged")
        return self.client.ok(answer)

    def pick(self, box):
        self.client.ok(self.imap.select(box))
        uids = self.say("SEARCH", "ALL")[0].split()
        uid = self.dice.choice(uids).decode()
        answer = self.say("FETCH", uid, "(BODY.PEEK[])")
        texts = [part[1] for part in answer if isinstance(part, tuple)]
        if not texts:
            raise OSError(errno.ENOENT, "expunged")
        self.what = (token_of(texts[0]), box, None, None)
        return uid

    def upload(self, box, _):
        token = self.new_token()
        self.what = (token, None, box, None)
        self.client.append(box, message(token))

    def delete(self, box, _):
        uid = self.pick(box)
        self.say("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
        self.say("EXPUNGE", uid)

    def move(self, box, other):
        uid = self.pick(box)
        self.what = (self.what[0], box, other, None)
        self.say("MOVE", uid, other)
        if not self.imap.response("COPYUID")[1][0]:
            raise OSError(errno.ENOENT, "moved away")

    def flag(self, box, _):
        self.say("STORE", self.pick(box), self.dice.choice("+-") + "FLAGS", r"(\Answered)")

    def read(self, box, _):
        self.pick(box)


class History:
    """What everybody was told, by token. refused: {(mount, kind, file, mailbox)} of what was told later."""

    def __init__(self, actors, first, refused):
        self.all = [self.with_its_end(done) for actor in actors for done in actor.log]
        self.refused = refused
        self.uploaded = set(first) | {done.token for done in self.all if done.kind == "upload" and not done.error}
        self.tried = {done.token for done in self.all if done.kind == "upload"}
        self.moved, self.deleted = collections.defaultdict(list), collections.defaultdict(list)
        for done in self.all:
            if (not done.error or done.error.errno in MAYBE_DONE) and done.kind in ("move", "delete"):
                (self.moved if done.kind == "move" else self.deleted)[done.token].append(done)

    def was_refused(self, done):
        """Perhaps: another may have had that name later."""
        return done.error or (done.actor, done.kind, done.file, done.source) in self.refused

    @staticmethod
    def with_its_end(done):
        """When it was done at the latest."""
        return done._replace(end=done.end + PUT_OFF) if done.file and hard.WRITEBACK else done

    def two_moves_at_once(self, token):
        moves = self.moved[token]
        return any(a is not b and a.source == b.source and a.begin <= b.end and b.begin <= a.end
                   for a in moves for b in moves)

    def has_left(self, done, box):
        """Somebody took it out of the box, not before `done` began."""
        return any(later.source == box and later.end >= done.begin and later is not done
                   for later in self.moved[done.token] + self.deleted[done.token])

    def came_back(self, done, box):
        return any(later.target == box and later.end >= done.begin for later in self.moved[done.token])


def judge(history, places, texts):
    lost = sorted(t for t in history.uploaded if not places[t] and not history.deleted[t])
    doubled = sorted(t for t in places if len(places[t]) > 1 and not history.two_moves_at_once(t))
    by_server = sum(1 for t in places if len(places[t]) > 1 and history.two_moves_at_once(t))
    wrong = sorted(t for t, text in texts if text != message(t, len(text)) or t not in history.uploaded | history.tried)
    undone = []
    for done in history.all:
        if history.was_refused(done) or done.kind not in ("upload", "move", "delete"):
            continue
        if done.target and done.target not in places[done.token] and not history.has_left(done, done.target):
            undone.append(done)
        if done.source and done.source in places[done.token] and not history.came_back(done, done.source) and \
                not history.two_moves_at_once(done.token):
            undone.append(done)
    Checks.same("messages that were uploaded, and deleted by nobody, and are gone", [], lost)
    Checks.same("messages that are there twice, not by two moves at once", [], doubled)
    Checks.same("messages that are not what was uploaded", [], wrong)
    Checks.same("changes told as done whose effect is not there", [], undone)
    for token in {done.token for done in undone}:
        print(f"    {token} is in {places[token]}:")
        for done in sorted((done for done in history.all if done.token == token), key=lambda done: done.begin):
            print(f"        {done}")
    print(f"({by_server} messages are there twice because the server did two moves of it at once)")


def judge_errors(actors):
    counts = collections.Counter()
    for actor in actors:
        Checks.same(f"{actor.name} came to its end", None, actor.broken)
        for done in actor.log:
            counts[(actor.name, done.kind, hard.name_of(done.error))] += 1
            if done.error and done.error.errno not in SENSIBLE:
                Checks.ok("an errno that makes sense", False, f"{done}")
    for (name, kind, result), count in sorted(counts.items()):
        print(f"    {name:<8}{kind:<8}{result:<10}{count:>5}")
    for actor in actors:
        for kind in set(KINDS):
            Checks.ok(f"{actor.name} could {kind} some", counts[(actor.name, kind, "success")] > 0)


def refused_late(*mounts):
    kinds = {"moved": "move", "deleted": "delete"}
    found = {(mounted.name, kinds[kind], file, box) for mounted in mounts
             for file, box, kind in re.findall(r"(\S+) in (\S+) is not (moved|deleted): ", mounted.log())}
    if found:
        print(f"({len(found)} changes were refused when they had been told to be done)")
    return found


def state_of_mount(mounted):
    found = set()
    for box in BOXES:
        for name in os.listdir(mounted.of(box)):
            path = mounted.of(box, name)
            with open(path, "rb") as file:
                token = token_of(file.read())
            flags = frozenset(os.getxattr(path, "user.imap.flags").split()) - {rb"\Recent"}
            found.add((box, token, int(os.getxattr(path, "user.imap.uid")), flags))
    return found


def await_agreement(mounted, client):
    end = time.monotonic() + PATIENCE
    while True:
        server = {(box, token_of(text), uid, flags) for box in BOXES for uid, (flags, text) in client.messages(box).items()}
        try:
            here = state_of_mount(mounted)
        except OSError as error:
            here = {("error", str(error), 0, frozenset())}
        if here == server or time.monotonic() > end:
            Checks.same(f"{mounted.name} shows what the server has", [], sorted(here ^ server, key=repr))
            return
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "1")))
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    client = hard.Client(USER)
    client.create(*BOXES)
    first = [f"first-{box}-{n}" for box in BOXES for n in range(AT_FIRST)]
    for token in first:
        client.append(token.split("-")[1], message(token))
    with hard.Mounted(USER, "left") as left, hard.Mounted(USER, "right") as right:
        until = time.monotonic() + arguments.seconds
        actors = [OfMount(left, arguments.seed, until), OfMount(right, arguments.seed, until),
                  OfClient(arguments.seed, until)]
        for actor in actors:
            actor.start()
        for actor in actors:
            actor.join(arguments.seconds + 60)
            if actor.is_alive():
                raise Failure(f"{actor.name} hangs")
        for mounted in (left, right):
            hard.caught_up(mounted)
        judge_errors(actors)
        places, texts = collections.defaultdict(list), []
        for box in BOXES:
            for _, text in client.messages(box).values():
                places[token_of(text)].append(box)
                texts.append((token_of(text), text))
        judge(History(actors, first, refused_late(left, right)), places, texts)
        for mounted in (left, right):
            await_agreement(mounted, client)
        for mounted in (left, right):
            lines = [line for line in mounted.log().splitlines() if re.search("cannot|protocol", line)]
            Checks.same(f"{mounted.name} logged nothing as lost or broken", [],
                        [line for line in lines if "no longer exist" not in line])
    client.close()


if __name__ == "__main__":
    hard.run(main)
