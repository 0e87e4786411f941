/* SPDX-License-Identifier: MIT */
#include "op_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../imap/mem.h"
#include "daemon.h"
#include "status.h"

/* No mailbox or message has a number below 2^32 but the root (node.h). */
#define DIRECTORY_INO 2
#define FILE_INO 3
#define DIRECTORY_NAME ".imapfs"
#define FILE_NAME "status"

/* An open one. */
struct status_file {
    char *text;
    size_t len;
    struct status_file *previous, *next; /* fs->status.files, guarded by the account lock */
};

/* ---- the text ---------------------------------------------------------------------------------------- */

static char *make_text(struct fs *fs, size_t *len_out)
{
    struct status *status = imap_xcalloc(1, sizeof(*status));

    status->version = fs->version;
    status->source = fs->source;
    status->mountpoint = fs->mountpoint;
    status->requests = jobs_waiting(fs->jobs);
    status->line_count = daemon_recent(status->lines);
    status_take(fs->account, status);
    char *text = status_text(status, len_out);
    status_fini(status);
    free(status);
    account_lock(fs->account);
    fs->status.size = *len_out;
    clock_gettime(CLOCK_REALTIME, &fs->status.made);
    account_unlock(fs->account);
    return text;
}

/* ---- attributes --------------------------------------------------------------------------------------- */

static struct stat attr_of(struct fs *fs, fuse_ino_t ino)
{
    struct stat attr = {.st_ino = ino, .st_uid = fs->uid, .st_gid = fs->gid, .st_blksize = 4096};

    if (ino == FILE_INO) {
        account_lock(fs->account);
        attr.st_mtim = fs->status.made;
        attr.st_size = (off_t)fs->status.size;
        account_unlock(fs->account);
        attr.st_mode = S_IFREG | (0444 & ~fs->umask);
        attr.st_nlink = 1;
    } else {
        attr.st_mtim.tv_sec = fs->started;
        attr.st_mode = S_IFDIR | (0555 & ~fs->umask);
        attr.st_nlink = 2;
    }
    attr.st_atim = attr.st_ctim = attr.st_mtim;
    attr.st_blocks = (attr.st_size + 511) / 512;
    return attr;
}

/* Before the first open there would be no size to tell. */
static struct stat attr_now(struct fs *fs, fuse_ino_t ino)
{
    struct stat attr = attr_of(fs, ino);
    size_t len;

    if (ino != FILE_INO || attr.st_size > 0)
        return attr;
    free(make_text(fs, &len));
    return attr_of(fs, ino);
}

static bool is_ours(fuse_ino_t ino)
{
    return ino == DIRECTORY_INO || ino == FILE_INO;
}

static struct status_file *file_of(const struct fuse_file_info *fi)
{
    return (struct status_file *)(uintptr_t)fi->fh;
}

bool op_status_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {.entry_timeout = OPS_CACHE_SECONDS};

    if (parent == FUSE_ROOT_ID && strcmp(name, DIRECTORY_NAME) == 0)
        entry.ino = DIRECTORY_INO;
    else if (parent == DIRECTORY_INO && strcmp(name, FILE_NAME) == 0)
        entry.ino = FILE_INO;
    else if (!is_ours(parent))
        return false;
    if (entry.ino)
        entry.attr = attr_now(ops_fs(req), entry.ino);
    fuse_reply_entry(req, &entry); /* attr_timeout 0: the size changes */
    return true;
}

bool op_status_getattr(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
    if (!is_ours(ino))
        return false;
    struct stat attr = attr_now(ops_fs(req), ino);
    if (fi && ino == FILE_INO && fi->fh) {
        attr.st_size = (off_t)file_of(fi)->len;
        attr.st_blocks = (attr.st_size + 511) / 512;
    }
    fuse_reply_attr(req, &attr, 0);
    return true;
}

/* ---- the file ----------------------------------------------------------------------------------------- */

static void file_free(struct fs *fs, struct status_file *file)
{
    account_lock(fs->account);
    *(file->previous ? &file->previous->next : &fs->status.files) = file->next;
    if (file->next)
        file->next->previous = file->previous;
    account_unlock(fs->account);
    free(file->text);
    free(file);
}

bool op_status_open(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
    struct fs *fs = ops_fs(req);
    struct fuse_file_info opened = *fi;

    if (!is_ours(ino))
        return false;
    if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC) {
        fuse_reply_err(req, EROFS);
        return true;
    }
    struct status_file *file = imap_xcalloc(1, sizeof(*file));
    file->text = make_text(fs, &file->len);
    account_lock(fs->account);
    file->next = fs->status.files;
    if (file->next)
        file->next->previous = file;
    fs->status.files = file;
    account_unlock(fs->account);
    opened.fh = (uintptr_t)file;
    opened.direct_io = 1; /* whatever size the kernel believes */
    opened.noflush = 1;
    if (fuse_reply_open(req, &opened) != 0) /* the asker is gone, so there will be no release */
        file_free(fs, file);
    return true;
}

bool op_status_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    const struct fuse_file_info *fi)
{
    if (!is_ours(ino))
        return false;
    const struct status_file *file = file_of(fi);
    size_t from = (uint64_t)offset < file->len ? (size_t)offset : file->len;
    size_t len = file->len - from < size ? file->len - from : size;
    fuse_reply_buf(req, file->text + from, len);
    return true;
}

bool op_status_release(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
    if (!is_ours(ino))
        return false;
    file_free(ops_fs(req), file_of(fi));
    fuse_reply_err(req, 0);
    return true;
}

void op_status_forget_all(struct fs *fs)
{
    while (fs->status.files) {
        struct status_file *file = fs->status.files;

        fs->status.files = file->next;
        free(file->text);
        free(file);
    }
}

/* ---- the directory ------------------------------------------------------------------------------------ */

bool op_status_opendir(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
    if (!is_ours(ino))
        return false;
    fuse_reply_open(req, fi);
    return true;
}

bool op_status_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
    static const struct {
        const char *name;
        fuse_ino_t ino;
    } entries[] = {{".", DIRECTORY_INO}, {"..", FUSE_ROOT_ID}, {FILE_NAME, FILE_INO}};
    const size_t count = sizeof(entries) / sizeof(entries[0]);
    char bytes[1024];
    size_t used = 0;

    if (!is_ours(ino))
        return false;
    if (size > sizeof(bytes))
        size = sizeof(bytes);
    for (size_t i = offset > 0 ? (size_t)offset : 0; i < count; i++) {
        struct stat attr = {.st_ino = entries[i].ino, .st_mode = S_IFDIR};
        if (entries[i].ino == FILE_INO)
            attr = attr_now(ops_fs(req), FILE_INO);
        /* only a real entry has a number: the kernel has the dots already */
        struct fuse_entry_param entry = {.ino = entries[i].ino == FILE_INO ? FILE_INO : 0,
                                         .attr = attr,
                                         .entry_timeout = OPS_CACHE_SECONDS};
        const off_t next = (off_t)i + 1;
        size_t need =
            plus ? fuse_add_direntry_plus(req, bytes + used, size - used, entries[i].name, &entry, next)
                 : fuse_add_direntry(req, bytes + used, size - used, entries[i].name, &attr, next);
        if (need > size - used)
            break;
        used += need;
    }
    fuse_reply_buf(req, bytes, used);
    return true;
}

bool op_status_getxattr(fuse_req_t req, fuse_ino_t ino)
{
    if (!is_ours(ino))
        return false;
    fuse_reply_err(req, ENODATA);
    return true;
}

bool op_status_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    if (!is_ours(ino))
        return false;
    if (size == 0) /* asks how much there is */
        fuse_reply_xattr(req, 0);
    else
        fuse_reply_buf(req, NULL, 0);
    return true;
}
