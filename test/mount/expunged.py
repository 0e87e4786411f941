#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Messages and mailboxes that another client takes away while something is done to them here: while they are read, between
a call and its command (which the proxy holds back until then), and while a new message is being written."""
import errno
import glob
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hard  # noqa: E402
from hard import Checks, Failure, attempt, await_true, message, name_of  # noqa: E402
from lineproxy import LineProxy  # noqa: E402

USER = "user"
LARGE = 20_000_000
GONE = ("ENOENT", "ESTALE")


class World:
    def __init__(self, name, *options):
        self.client, self.proxy = hard.Client(USER), LineProxy(hard.PORT)
        self.mounted = hard.Mounted(USER, name, self.proxy.port, options)
        for mailbox in ("To", "From"):
            os.listdir(self.of(mailbox))

    def of(self, *names):
        return self.mounted.of(*names)

    def put(self, token, size=300):
        """A message in From that is listed; its UID."""
        uid = self.client.append("From", message(token, size))
        await_true("a listing", lambda: f"{uid}.eml" in os.listdir(self.of("From")), 20)
        return uid

    def expunge(self, uid):
        imap = self.client.imap
        self.client.ok(imap.select("From"))
        self.client.ok(imap.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)"))
        self.client.ok(imap.uid("EXPUNGE", str(uid)))
        imap.unselect()

    def take_away(self, uid):
        self.client.ok(self.client.imap.select("From"))
        self.client.ok(self.client.imap.uid("MOVE", str(uid), "Third"))
        self.client.imap.unselect()

    def while_held(self, command, call, meanwhile):
        """What the call is told when `meanwhile` is done before the server gets its command."""
        told = []
        self.proxy.await_quiet()
        self.proxy.hold_at(command)
        thread = threading.Thread(target=lambda: told.append(attempt(call)))
        thread.start()
        try:
            if not self.proxy.held.wait(20):
                raise Failure(f"no {command} was sent")
            meanwhile()
        finally:
            self.proxy.release()
            thread.join(60)
        if not told:
            raise Failure(f"the call with {command} hangs")
        return told[0] or hard.caught_up(self.mounted)

    def close(self):
        self.mounted.close()
        self.proxy.close()
        self.client.close()


def while_open(world):
    uid = world.put("large", LARGE)
    wanted = message("large", LARGE)
    path = world.of("From", f"{uid}.eml")
    with open(path, "rb", buffering=0) as file:
        Checks.ok("the beginning of a large message", os.pread(file.fileno(), 65536, 0) == wanted[:65536])
        world.expunge(uid)
        await_true("it to go", lambda: f"{uid}.eml" not in os.listdir(world.of("From")), 20)
        Checks.ok("what was read can be read again when it is expunged", os.pread(file.fileno(), 65536, 0) == wanted[:65536])
        Checks.same("its size is what it was", len(wanted), os.fstat(file.fileno()).st_size)
        at, error = 0, None
        while at < len(wanted):
            try:
                data = os.pread(file.fileno(), 1 << 20, at)
            except OSError as failure:
                error = failure
                break
            if not data or data != wanted[at:at + len(data)]:
                raise Failure(f"wrong bytes at {at} of an expunged message")
            at += len(data)
        print(f"    read up to {at} of {len(wanted)}, then {name_of(error)}")
        Checks.ok("the rest is right, or ESTALE", at == len(wanted) or name_of(error) == "ESTALE", name_of(error))
        Checks.ok("not all of it had been fetched", at < len(wanted))
    Checks.same("it is not opened again", "ENOENT", name_of(attempt(lambda: os.close(os.open(path, os.O_RDONLY)))))
    uid = world.put("small")
    with open(world.of("From", f"{uid}.eml"), "rb", buffering=0) as file:
        os.pread(file.fileno(), 10, 0)
        world.expunge(uid)
        await_true("it to go", lambda: f"{uid}.eml" not in os.listdir(world.of("From")), 20)
        Checks.ok("a small one is read to its end", os.pread(file.fileno(), 1000, 0) == message("small", 300))


def while_moving(world, kind, commands):
    for command in commands:
        for what, meanwhile, left in (("expunged", world.expunge, []), ("moved", world.take_away, ["Third"])):
            token = f"{kind}-{what}-{command[4:].decode()}".replace(" ", "-")
            uid = world.put(token)
            source, target = world.of("From", f"{uid}.eml"), world.of("To", token + ".eml")
            error = world.while_held(command, lambda: os.rename(source, target), lambda: meanwhile(uid))
            places, copied = world.client.places(token), command == b"UID STORE"
            print(f"    mv, {what} elsewhere before {command.decode()}: {name_of(error)}, it is in {places or 'no mailbox'}")
            Checks.same(f"{token}: it is where the other put it, and where it was copied to before that",
                        sorted(left + (["To"] if copied else [])), places)
            if copied:
                Checks.ok(f"{token}: done, or told so", error is None or name_of(error) in GONE, name_of(error))
            else:
                Checks.ok(f"{token}: the caller is told", name_of(error) in GONE, name_of(error))
            Checks.ok(f"{token}: nothing is shown of it where it was", not os.path.exists(source))
            Checks.same(f"{token}: where it was to go only what is there", copied, os.path.exists(target))


def while_deleting(world):
    for what, meanwhile, left in (("expunged", world.expunge, []), ("moved", world.take_away, ["Third"])):
        token = f"rm-{what}"
        uid = world.put(token)
        path = world.of("From", f"{uid}.eml")
        error = world.while_held(b"UID STORE", lambda: os.unlink(path), lambda: meanwhile(uid))
        Checks.ok(f"{token}: it is done, or the caller is told", error is None or name_of(error) in GONE, name_of(error))
        Checks.same(f"{token}: it is where the other put it", left, world.client.places(token))


def one_of_many(world):
    """Moves that wait together are one command; one of the messages goes before it arrives."""
    uids = [world.put(f"many-{n}") for n in range(10)]
    results = {}

    def move(n):
        results[n] = attempt(lambda: os.rename(world.of("From", f"{uids[n]}.eml"), world.of("To", f"many-{n}.eml")))

    threads = [threading.Thread(target=move, args=(n,)) for n in range(1, 10)]

    def others():
        for thread in threads:
            thread.start()
        world.expunge(uids[5])

    late = world.while_held(b"UID MOVE", lambda: move(0), others)
    for thread in threads:
        thread.join(60)
    late = hard.caught_up(world.mounted) or late
    told = hard.was_told(world.mounted, results[5], f"{uids[5]}.eml")
    error = name_of(results[5] or late)
    Checks.ok("one of ten moves is told that its message has gone", told and error in GONE, error)
    Checks.same("the others are done", [], [n for n in results if n != 5 and results[n]])
    Checks.same("each is there once", [["To"]] * 9, [world.client.places(f"many-{n}") for n in range(10) if n != 5])


def mailbox_deleted(world, noticed):
    """While a file is written into it. noticed: the mount knows before the file is closed."""
    box, name, text = f"Doomed{noticed:d}", "letter.eml", message(f"doomed-{noticed:d}")
    world.client.create(box)
    await_true("the mailbox", lambda: os.path.isdir(world.of(box)), 80)
    os.listdir(world.of(box))
    fd = os.open(world.of(box, name), os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, text)
    world.client.ok(world.client.imap.delete(box))
    if noticed:
        await_true("it to go", lambda: not os.path.isdir(world.of(box)), 80)
    error = attempt(lambda: os.close(fd)) or hard.caught_up(world.mounted)
    print(f"    the mailbox was deleted{' and that was known' if noticed else ''}: close tells {name_of(error)}")
    Checks.ok("close tells an error", error is not None and error.errno != errno.EIO, name_of(error))
    Checks.same("it is in no mailbox", [], world.client.places(f"doomed-{noticed:d}"))
    Checks.ok("the log names it", f"{name} in {box}" in world.mounted.log(), world.mounted.log()[-500:])
    return text


def kept(name, text):
    for path in glob.glob(os.path.join(hard.WORK, name + ".cache", "*.drafts", "*")):
        with open(path, "rb") as file:
            if file.read() == text:
                return True
    return False


def main():
    client = hard.Client(USER)
    client.create("From", "To", "Third")
    client.close()
    world = World("first", "poll=2")
    while_open(world)
    while_moving(world, "MOVE", [b"UID MOVE"])
    one_of_many(world)
    while_deleting(world)
    texts = [mailbox_deleted(world, noticed) for noticed in (False, True)]
    for text in texts:
        Checks.ok("its bytes are kept", kept("first", text))
    world.close()
    for text in texts:
        Checks.ok("also when the mount has ended", kept("first", text))
    with hard.Mounted(USER, "first", world.proxy.server_port):
        for text in texts:
            Checks.ok("and while there is a next one", kept("first", text))
    world = World("second", "disable=MOVE")
    while_moving(world, "COPY", [b"UID COPY", b"UID STORE"])
    world.close()


if __name__ == "__main__":
    hard.run(main)
