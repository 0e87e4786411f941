#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What each operation does on a mount that may be written to, and which errno each wrong use gives.

posix_test.py MOUNT: prints a line per row, "ok: ..." or "FAILED: ...". The mount has INBOX (with messages 1 to 9),
Archive (with message 1, mailboxes below it), Empty and Trash.
"""

import ctypes
import errno
import os
import stat
import sys

mount = sys.argv[1]
os.chdir(mount)
libc = ctypes.CDLL(None, use_errno=True)
failures = 0


def same(what, expected, got):
    global failures
    if got == expected:
        print(f"ok: {what}")
    else:
        print(f"FAILED: {what}: {got!r} instead of {expected!r}")
        failures += 1


def row(what, expected, function, *args):
    """expected: 0 or the name of an errno."""
    global failures
    try:
        function(*args)
        got = 0
    except OSError as error:
        got = errno.errorcode.get(error.errno, error.errno)
    if got == expected:
        print(f"ok: {what}: {expected or 'success'}")
    else:
        failures += 1
        print(f"FAILED: {what}: {got or 'success'} instead of {expected or 'success'}")


def renameat2(old, new, flags):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), new)


def touch_now(path):
    os.utime(path)


def write(path):
    os.close(os.open(path, os.O_WRONLY))


def create_new(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def create(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
long_name = "x" * 256
longest = "x" * 250
one = os.stat("INBOX/1.eml")

# ---- mkdir
row("mkdir", 0, os.mkdir, "New")
row("mkdir below a mailbox", 0, os.mkdir, "New/Üb er")
row("mkdir of what exists", "EEXIST", os.mkdir, "New")
row("mkdir of INBOX in another case", "EEXIST", os.mkdir, "inbox")
row("mkdir of a message's name", "EINVAL", os.mkdir, "New/77.eml")
row("mkdir of an existing message's name", "EEXIST", os.mkdir, "INBOX/1.eml")
row("mkdir with the delimiter in the name", "EINVAL", os.mkdir, "New/a%2Fb")
row("mkdir with bytes that are no UTF-8", "EINVAL", os.mkdir, b"New/\xff")
row("mkdir with a control byte", "EINVAL", os.mkdir, "New/a\x01b")
row("mkdir, name too long", "ENAMETOOLONG", os.mkdir, "New/" + long_name)
row("mkdir, path too long", "ENAMETOOLONG", os.mkdir, "New/" + "/".join([longest] * 17))
row("mkdir below nothing", "ENOENT", os.mkdir, "Nothing/below")
row("mkdir below a message", "ENOTDIR", os.mkdir, "INBOX/1.eml/below")

# ---- rmdir
row("rmdir with a mailbox below", "ENOTEMPTY", os.rmdir, "New")
row("rmdir", 0, os.rmdir, "New/Üb er")
row("rmdir with messages", "ENOTEMPTY", os.rmdir, "Trash")
row("rmdir of a message", "ENOTDIR", os.rmdir, "INBOX/1.eml")
row("rmdir of nothing", "ENOENT", os.rmdir, "Nothing")
row("rmdir of INBOX", "EBUSY", os.rmdir, "INBOX")
row("rmdir of '.'", "EINVAL", os.rmdir, "New/.")
row("rmdir of the mount point", "EBUSY", os.rmdir, mount)

# ---- unlink
row("unlink", 0, os.unlink, "INBOX/2.eml")
row("unlink of what is gone", "ENOENT", os.unlink, "INBOX/2.eml")
row("unlink of nothing", "ENOENT", os.unlink, "INBOX/nothing")
row("unlink of a mailbox", "EISDIR", os.unlink, "New")
row("unlink below a message", "ENOTDIR", os.unlink, "INBOX/1.eml/x")

# ---- rename of messages
row("rename to another mailbox", 0, os.rename, "INBOX/3.eml", "New/letter.eml")
row("what was moved is there", 0, os.stat, "New/letter.eml")
row("and not where it was", "ENOENT", os.stat, "INBOX/3.eml")
row("and may go on from there", 0, os.rename, "New/letter.eml", "Empty/letter.eml")
row("rename within the mailbox", 0, os.rename, "INBOX/6.eml", "INBOX/letter.eml")
row("rename to what is no message's name", "EPERM", os.rename, "INBOX/1.eml", "INBOX/letter")
row("rename to a hidden name", "EPERM", os.rename, "INBOX/1.eml", "INBOX/.letter.eml")
row("rename to its own number when that steps aside: the same file", 0, os.rename, "INBOX/1.eml", "INBOX/=1.eml")
row("rename to such a name elsewhere", "EPERM", os.rename, "INBOX/1.eml", "New/=1.eml")
row("rename onto itself", 0, os.rename, "INBOX/1.eml", "INBOX/1.eml")
row("rename onto a message of the same mailbox", 0, os.rename, "INBOX/letter.eml", "INBOX/7.eml")
row("rename to where no message can be", "EPERM", os.rename, "INBOX/1.eml", "1.eml")
row("rename onto a mailbox", "EISDIR", os.rename, "INBOX/1.eml", "New")
row("rename, name too long", "ENAMETOOLONG", os.rename, "INBOX/1.eml", "New/" + long_name)
row("rename of nothing", "ENOENT", os.rename, "INBOX/nothing", "New/x")
row("rename to nowhere", "ENOENT", os.rename, "INBOX/1.eml", "Nothing/x")
row("rename to another file system", "EXDEV", os.rename, "INBOX/1.eml", "/dev/shm/x")
row("rename, NOREPLACE, onto a message", "EEXIST", renameat2, "INBOX/4.eml", "Trash/1.eml", NOREPLACE)
row("rename, NOREPLACE", 0, renameat2, "INBOX/4.eml", "New/other.eml", NOREPLACE)
row("rename, EXCHANGE", "EINVAL", renameat2, "INBOX/1.eml", "Trash/1.eml", EXCHANGE)
row("rename, WHITEOUT", "EINVAL", renameat2, "INBOX/1.eml", "New/x", WHITEOUT)

# ---- rename of mailboxes
row("rename of a mailbox", 0, os.rename, "New", "Newer")
row("and its messages", 0, os.stat, "Newer/2.eml")
row("rename into itself", "EINVAL", os.rename, "Newer", "Newer/below")
row("rename of INBOX", "EBUSY", os.rename, "INBOX", "Outbox")
row("rename onto a message", "ENOTDIR", os.rename, "Newer", "INBOX/1.eml")
row("rename onto a mailbox that is not empty", "ENOTEMPTY", os.rename, "Newer", "Trash")
row("rename to a message's name", "EINVAL", os.rename, "Newer", "5.eml")
os.mkdir("Void")
row("rename, NOREPLACE, onto a mailbox", "EEXIST", renameat2, "Newer", "Void", NOREPLACE)
row("rename onto an empty mailbox", 0, os.rename, "Newer", "Void")
row("and its messages", 0, os.stat, "Void/2.eml")

# ---- link
row("link", 0, os.link, "INBOX/5.eml", "Void/copy.eml")
row("link to what exists", "EEXIST", os.link, "INBOX/5.eml", "Void/2.eml")
row("link to what is no message's name", "EPERM", os.link, "INBOX/5.eml", "Void/copy")
row("link of a mailbox", "EPERM", os.link, "Void", "Empty/Void")
row("link to where no message can be", "EPERM", os.link, "INBOX/5.eml", "5.eml")
row("link to another file system", "EXDEV", os.link, "INBOX/5.eml", "/dev/shm/x")
row("symlink", "EPERM", os.symlink, "INBOX", "Void/symlink")
row("mkfifo", "EPERM", os.mkfifo, "Void/fifo")

# ---- chmod, chown, utimens, truncate: what changes nothing
mode = stat.S_IMODE(one.st_mode)
row("chmod to what it is", 0, os.chmod, "INBOX/1.eml", mode)
row("chmod, which is not kept", 0, os.chmod, "INBOX/1.eml", mode ^ 0o111)
same("the mode stays", mode, stat.S_IMODE(os.stat("INBOX/1.eml").st_mode))
row("chmod of a mailbox, likewise", 0, os.chmod, "Void", 0o755)
same("its mode stays", 0o700, stat.S_IMODE(os.stat("Void").st_mode))
row("chown to who it is", 0, os.chown, "INBOX/1.eml", one.st_uid, one.st_gid)
row("chown", "EPERM", os.chown, "INBOX/1.eml", 12345, -1)
row("utimens to what it is", 0, os.utime, "INBOX/1.eml", (0, one.st_mtime))
row("utimens", "EPERM", os.utime, "INBOX/1.eml", (0, one.st_mtime + 1))
row("utimens, now", "EPERM", touch_now, "INBOX/1.eml")
row("utimens of a mailbox, which keeps none", 0, os.utime, "Void", (1, 1))
row("truncate to its size", 0, os.truncate, "INBOX/1.eml", one.st_size)
row("truncate", "EPERM", os.truncate, "INBOX/1.eml", 0)
row("truncate of a mailbox", "EISDIR", os.truncate, "Void", 0)

# ---- writing new files
row("open of a message for writing", "EPERM", write, "INBOX/1.eml")
row("create", 0, create, "INBOX/new.eml")
row("create of what exists", "EEXIST", create_new, "INBOX/new.eml")
row("create of a message that exists", "EEXIST", create_new, "INBOX/1.eml")
row("create of what is no message's name", "EINVAL", create, "INBOX/new.txt")
row("create of a local name", 0, create, "INBOX/.local")
row("create, name too long", "ENAMETOOLONG", create, "INBOX/" + "x" * 252 + ".eml")
row("create where no message can be", "EPERM", create, "new.eml")
row("create below a message", "ENOTDIR", create, "INBOX/1.eml/new.eml")
row("open of a new file for writing", 0, write, "INBOX/new.eml")
row("truncate of it", 0, os.truncate, "INBOX/new.eml", 0)
row("chmod of it", 0, os.chmod, "INBOX/new.eml", 0o644)
row("utimens of it", 0, os.utime, "INBOX/new.eml", (1, 1))
row("link of it", "EPERM", os.link, "INBOX/new.eml", "Void/new.eml")
row("rename of it", 0, os.rename, "INBOX/new.eml", "Void/newer.eml")
row("rename of it to what is no message's name", "EINVAL", os.rename, "Void/newer.eml", "Void/newer.txt")
row("rename of an empty one onto a message", "EBUSY", os.rename, "INBOX/.local", "INBOX/1.eml")
row("rename onto it", 0, os.rename, "INBOX/.local", "Void/newer.eml")
row("rename, NOREPLACE, onto it", "EEXIST", renameat2, "INBOX/1.eml", "Void/newer.eml", NOREPLACE)
row("mkdir of its name", "EEXIST", os.mkdir, "Void/newer.eml")
row("rmdir of it", "ENOTDIR", os.rmdir, "Void/newer.eml")
row("unlink of it", 0, os.unlink, "Void/newer.eml")
row("and it is gone", "ENOENT", os.stat, "Void/newer.eml")

# ---- extended attributes
flags = "user.imap.flags"
row("setxattr", 0, os.setxattr, "INBOX/1.eml", flags, b"\\Seen work")
row("setxattr, CREATE", "EEXIST", os.setxattr, "INBOX/1.eml", flags, b"", os.XATTR_CREATE)
row("setxattr of what is no flag", "EINVAL", os.setxattr, "INBOX/1.eml", flags, b"\\Unheard")
row("setxattr of another", "EPERM", os.setxattr, "INBOX/1.eml", "user.imap.uid", b"7")
row("setxattr of a foreign one", "ENOTSUP", os.setxattr, "INBOX/1.eml", "user.other", b"7")
row("setxattr on a mailbox", "EPERM", os.setxattr, "Void", flags, b"")
row("removexattr", 0, os.removexattr, "INBOX/1.eml", flags)
row("removexattr of what is not there", "ENODATA", os.removexattr, "INBOX/1.eml", "user.other")

sys.exit(failures != 0)
