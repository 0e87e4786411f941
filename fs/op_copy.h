/* SPDX-License-Identifier: MIT */
/*
 * op_copy: copy_file_range(2) of a whole message, which the server does when the copy is closed (draftcopy.h), and what
 * has to be done where the bytes of such a copy are wanted after all.
 */
#ifndef FS_OP_COPY_H
#define FS_OP_COPY_H

#include "op_draft.h"

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in, struct fuse_file_info *fi_in,
                        fuse_ino_t ino_out, off_t offset_out, struct fuse_file_info *fi_out, size_t len,
                        int flags);

/* Whether what this process opens will be copied by the server, and hardly be read: it, or the same program, has just
 * had another message copied like that. Without the account lock. */
bool op_copy_is_expected(struct fs *fs, pid_t pid);
/* It has read after all. */
void op_copy_disappointed_locked(struct fs *fs);

/* An operation on a draft that is to be begun again when the draft has its bytes. */
struct op_again {
    void (*begin)(fuse_req_t req, struct op_again *again);
    fuse_ino_t ino;
    bool has_fi;
    struct fuse_file_info fi;
    struct stat attr;
    int to_set;
    size_t size;
    off_t offset;
    char *data; /* of size octets, or NULL; borrowed */
};

/* False when the draft has its bytes. Else the request is taken: again->begin is called on some thread, with a copy of
 * *again, when it has them, or there is an error. */
bool op_copy_waits(fuse_req_t req, const struct op_again *again);

#endif
