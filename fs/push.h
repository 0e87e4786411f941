/* SPDX-License-Identifier: MIT */
/*
 * push: puts bodies that were fetched ahead into the kernel's page cache before anybody reads them.
 *
 * A program that walks a mailbox then finds the bytes there and sends no READ: one wait less a message,
 * which is most of what reading a small file costs. Only whole bodies whose size the kernel was told
 * rightly from the start are pushed, and only while nobody has opened them; so what is skipped or fails
 * costs nothing but the READ that it would have saved.
 *
 * A thread of its own does it: the kernel makes it wait while a page is being read, and a READ may be
 * answered by any other thread of ours, so it holds no lock then.
 *
 * Threads: push_add may be called from any thread, also under the account lock.
 */
#ifndef FS_PUSH_H
#define FS_PUSH_H

#include <fuse_lowlevel.h>

#include "mailbox.h"

struct push;

/* What is added before start is dropped: the kernel knows no message yet. */
struct push *push_new(void);
void push_start(struct push *push, struct account *account, struct fuse_session *session);
void push_stop(struct push *push); /* joins; nothing is taken any more */
void push_free(struct push **push);

/* The body of this message has arrived and nobody has asked for it yet. */
void push_add(struct push *push, struct mailbox *mailbox, uint32_t uid);

#endif
