/* SPDX-License-Identifier: MIT */
#include "ops.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "name.h"
#include "op_copy.h"
#include "op_settle.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* the operations' shapes are libfuse's */

/* ---- a thread's buffer --------------------------------------------------------------------------- */

struct buffer {
    size_t size;
    char bytes[];
};

static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    if (pthread_key_create(&buffer_key, free) != 0)
        abort();
}

char *ops_buffer(size_t size)
{
    pthread_once(&buffer_once, make_key);
    struct buffer *buffer = pthread_getspecific(buffer_key);

    if (!buffer || buffer->size < size) {
        free(buffer);
        buffer = malloc(sizeof(*buffer) + size);
        if (buffer)
            buffer->size = size;
        pthread_setspecific(buffer_key, buffer);
    }
    return buffer ? buffer->bytes : NULL;
}

/* ---- the connection to the kernel -------------------------------------------------------------- */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    /* Not the automatic kind: it would answer a plain listing without attributes, and the kernel would
     * then ask for each name. */
    conn->want |= conn->capable & FUSE_CAP_READDIRPLUS;
    conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
    /* One slow name must not make others in its directory wait. */
    conn->want |= conn->capable & FUSE_CAP_PARALLEL_DIROPS;
    conn->max_background = 64;
    conn->congestion_threshold = 48;
}

/* From memory always: df must not hang on a network. How much room there is, is not known. */
static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs answer = {.f_bsize = 4096,
                             .f_frsize = 4096,
                             .f_namemax = NAME_SIZE - 1,
                             .f_flag = ops_fs(req)->read_write ? 0 : ST_RDONLY};

    fuse_reply_statfs(req, &answer);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    fuse_reply_none(req);
}

const struct fuse_lowlevel_ops ops_table = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .open = op_open,
    .read = op_read,
    .release = op_release,
    .flush = op_flush,
    .fsync = op_fsync,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .releasedir = op_releasedir,
    .fsyncdir = op_fsyncdir,
    .statfs = op_statfs,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .setattr = op_setattr,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .create = op_create,
    .write = op_write,
    .copy_file_range = op_copy_file_range,
    .setxattr = op_setxattr,
    .removexattr = op_removexattr,
};

/* ---- what the account tells ---------------------------------------------------------------------- */

static void on_new(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    struct fs *fs = arg;

    notify_appeared(fs->notify, mailbox, uid);
}

static void on_gone(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    struct fs *fs = arg;

    notify_gone(fs->notify, mailbox, uid);
}

/* Flags are no attribute that the kernel keeps; only a size that was verified can have changed. */
static void on_changed(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    struct fs *fs = arg;
    struct message message;

    account_lock(fs->account);
    uint32_t message_id = mailbox_message_id_locked(mailbox);
    bool verified = mailbox_find_locked(mailbox, uid, &message) && message.size_verified;
    account_unlock(fs->account);
    if (verified)
        notify_changed(fs->notify, mailbox, message_id, uid);
}

static void on_body_ahead(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    struct fs *fs = arg;

    push_add(fs->push, mailbox, uid);
}

static void on_listing(void *arg, struct mailbox *mailbox)
{
    struct fs *fs = arg;

    notify_listing(fs->notify, mailbox);
}

static void on_child(void *arg, struct mailbox *parent, struct mailbox *child)
{
    struct fs *fs = arg;

    notify_child(fs->notify, parent, child);
}

static void on_name(void *arg, struct mailbox *mailbox, const char *name)
{
    struct fs *fs = arg;

    notify_name(fs->notify, mailbox, name, false);
}

void ops_events(struct account_events *events_out)
{
    *events_out = (struct account_events){
        .message_new = on_new,
        .message_gone = on_gone,
        .body_ahead = on_body_ahead,
        .message_changed = on_changed,
        .listing_changed = on_listing,
        .child_new = on_child,
        .child_gone = on_child,
        .name_changed = on_name,
    };
}
