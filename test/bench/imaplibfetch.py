# SPDX-License-Identifier: MIT
"""imaplibfetch.py PORT USER MAILBOX metadata|bodies all|COUNT         (password in $IMAPFS_PASSWORD)

The same as clientfetch by Python's imaplib, which hands over lines and literals as they are, unparsed. With COUNT one
FETCH for each of the first COUNT messages, one after the other."""
import imaplib
import os
import sys
import time


def main():
    port, user, mailbox, what, count = sys.argv[1:]
    imap = imaplib.IMAP4("127.0.0.1", int(port))
    imap.login(user, os.environ["IMAPFS_PASSWORD"])
    imap.select(mailbox, readonly=True)
    items = "(UID BODY.PEEK[])" if what == "bodies" else "(UID FLAGS INTERNALDATE RFC822.SIZE)"
    wall, used, messages, total = time.monotonic(), time.process_time(), 0, 0
    answers = ([imap.uid("FETCH", "1:*", items)] if count == "all" else
               (imap.fetch(str(number), items) for number in range(1, int(count) + 1)))
    for status, data in answers:
        if status != "OK":
            sys.exit(f"imaplibfetch: {status}")
        for part in data:
            if isinstance(part, tuple):
                total += len(part[1])
            if isinstance(part, tuple) or what == "metadata":
                messages += 1
    print(f"{time.monotonic() - wall:.6f} {time.process_time() - used:.6f} {messages} {total}")


main()
