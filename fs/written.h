/* SPDX-License-Identifier: MIT */
/*
 * written: the names under which messages of one mailbox were written, by name and by UID.
 *
 * A message has one at most, and no two have the same: who gets a name takes it from who had it. NULL is the
 * empty set and costs nothing. Nothing here knows what the names mean: see naming.h. Guarded by its owner.
 */
#ifndef FS_WRITTEN_H
#define FS_WRITTEN_H

#include <stddef.h>
#include <stdint.h>

struct written;

void written_set(struct written **written, uint32_t uid, const char *name);
void written_drop(struct written **written, uint32_t uid);
void written_free(struct written **written);
const char *written_name(const struct written *written, uint32_t uid); /* NULL: none; good until a change */
uint32_t written_uid(const struct written *written, const char *name); /* 0: none */
size_t written_count(const struct written *written);
/* By position, 0 to written_count - 1. Dropping one moves the last one to its place. */
uint32_t written_at(const struct written *written, size_t position);

#endif
