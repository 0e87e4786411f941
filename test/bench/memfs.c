/* SPDX-License-Identifier: MIT */
/*
 * memfs: the floor of what a FUSE daemon can reach here: the files of one directory, held in memory,
 * behind the fastest recipe that still sees every open: READDIRPLUS, cached listing and pages, no FLUSH,
 * a short spin before sleeping, and all bytes put into the page cache from the first open on.
 *
 *     memfs DIRECTORY -f MOUNTPOINT [-o ...]
 */
#define FUSE_USE_VERSION 314
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOREVER 86400.0
#define SPIN_NS 30000
#define BLOCK_DIRECTORY 131072 /* glibc reads directories in pieces of this */

struct file {
    char name[NAME_MAX + 1];
    struct stat st;
    char *data;
};

static struct file *files;
static size_t file_count;
static struct stat root;
static struct fuse_session *session;
static pthread_once_t push_once = PTHREAD_ONCE_INIT;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "memfs: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void load_file(int dir, const char *name)
{
    struct file *file = &files[file_count++];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &file->st))
        fail(name);
    snprintf(file->name, sizeof(file->name), "%s", name);
    file->data = malloc((size_t)file->st.st_size + 1);
    if (!file->data || read(fd, file->data, (size_t)file->st.st_size) != file->st.st_size)
        fail(name);
    close(fd);
}

static void load(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir || fstat(dirfd(dir), &root))
        fail(path);
    size_t capacity = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_type != DT_REG)
            continue;
        if (file_count == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            files = reallocarray(files, capacity, sizeof(*files));
            if (!files)
                fail("reallocarray");
        }
        load_file(dirfd(dir), entry->d_name);
    }
    closedir(dir);
    if (file_count)
        qsort(files, file_count, sizeof(*files), by_name);
    for (size_t i = 0; i < file_count; i++)
        files[i].st.st_ino = FUSE_ROOT_ID + 1 + i;
    root.st_ino = FUSE_ROOT_ID;
    root.st_blksize = BLOCK_DIRECTORY;
}

static struct file *file_of(fuse_ino_t ino)
{
    return &files[ino - FUSE_ROOT_ID - 1];
}

static struct fuse_entry_param entry_of(struct file *file)
{
    return (struct fuse_entry_param){
        .ino = file->st.st_ino, .attr = file->st, .attr_timeout = FOREVER, .entry_timeout = FOREVER};
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    conn->want |= FUSE_CAP_READDIRPLUS;
    conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    (void)parent;
    struct file key;
    snprintf(key.name, sizeof(key.name), "%s", name);
    struct file *file = bsearch(&key, files, file_count, sizeof(*files), by_name);
    struct fuse_entry_param entry = {.entry_timeout = FOREVER};
    if (file)
        entry = entry_of(file);
    fuse_reply_entry(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)info;
    fuse_reply_attr(req, ino == FUSE_ROOT_ID ? &root : &file_of(ino)->st, FOREVER);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)ino;
    info->cache_readdir = 1;
    info->keep_cache = 1;
    fuse_reply_open(req, info);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                           struct fuse_file_info *info)
{
    (void)ino;
    (void)info;
    char *buf = malloc(size);
    if (!buf)
        fail("malloc");
    size_t used = 0;
    for (size_t i = (size_t)offset; i < file_count; i++) {
        struct fuse_entry_param entry = entry_of(&files[i]);
        size_t len =
            fuse_add_direntry_plus(req, buf + used, size - used, files[i].name, &entry, (off_t)i + 1);
        if (len > size - used)
            break;
        used += len;
    }
    fuse_reply_buf(req, buf, used);
    free(buf);
}

static void *push(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < file_count; i++) {
        struct fuse_bufvec bytes = FUSE_BUFVEC_INIT((size_t)files[i].st.st_size);
        bytes.buf[0].mem = files[i].data;
        (void)fuse_lowlevel_notify_store(session, files[i].st.st_ino, 0, &bytes, 0);
    }
    return NULL;
}

static void start_push(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, push, NULL) || pthread_detach(thread))
        fail("pthread_create");
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)ino;
    info->keep_cache = 1;
    info->noflush = 1;
    fuse_reply_open(req, info);
    pthread_once(&push_once, start_push);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
    (void)info;
    struct file *file = file_of(ino);
    size_t rest = offset < file->st.st_size ? (size_t)(file->st.st_size - offset) : 0;
    fuse_reply_buf(req, file->data + offset, size < rest ? size : rest);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    (void)ino;
    (void)name;
    (void)size;
    fuse_reply_err(req, EOPNOTSUPP); /* coreutils then stops asking for the whole device */
}

static const struct fuse_lowlevel_ops ops = {
    .init = op_init,
    .lookup = op_lookup,
    .getattr = op_getattr,
    .opendir = op_opendir,
    .readdirplus = op_readdirplus,
    .open = op_open,
    .read = op_read,
    .getxattr = op_getxattr,
};

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Waking a sleeping thread costs more than serving it, most of all in a virtual machine, and the next
   request of a program that reads files is only microseconds away. */
static int serve(void)
{
    struct fuse_buf buf = {0};
    int fd = fuse_session_fd(session);
    int64_t sleep_at = 0;
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
        return 1;
    while (!fuse_session_exited(session)) {
        int n = fuse_session_receive_buf(session, &buf);
        if (n > 0) {
            fuse_session_process_buf(session, &buf);
            sleep_at = now_ns() + SPIN_NS;
        } else if (n == -EAGAIN && now_ns() > sleep_at) {
            struct pollfd ready = {.fd = fd, .events = POLLIN};
            poll(&ready, 1, -1);
        } else if (n != -EAGAIN && n != -EINTR) {
            return n;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: memfs DIRECTORY -f MOUNTPOINT\n");
        return 2;
    }
    load(argv[1]);
    argv[1] = argv[0];
    struct fuse_args args = FUSE_ARGS_INIT(argc - 1, argv + 1);
    struct fuse_cmdline_opts options;
    if (fuse_parse_cmdline(&args, &options))
        return 2;
    session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
    if (!session || fuse_set_signal_handlers(session) || fuse_session_mount(session, options.mountpoint))
        return 1;
    int rc = serve();
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    fuse_session_destroy(session);
    free(options.mountpoint);
    fuse_opt_free_args(&args);
    return rc ? 1 : 0;
}
