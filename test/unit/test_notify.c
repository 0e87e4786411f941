/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is told, against a libfuse and a model of our own making.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node.h"
#include "ops.h"
#include "unit_main.h"

/* ---- the model --------------------------------------------------------------------------------- */

struct account {
    int unused;
};

struct mailbox {
    uint32_t dir_id;
    const char *name;
    uint64_t generation;
};

static struct account the_account;
static struct mailbox root = {.dir_id = 1, .name = ""};
static struct mailbox inbox = {.dir_id = 5, .name = "INBOX", .generation = 3};

void account_lock(struct account *account)
{
    (void)account;
}

void account_unlock(struct account *account)
{
    (void)account;
}

struct mailbox *account_root(struct account *account)
{
    (void)account;
    return &root;
}

struct mailbox *account_by_id_locked(struct account *account, uint32_t id)
{
    (void)account;
    return id == inbox.dir_id ? &inbox : NULL;
}

struct mailbox *mailbox_now_locked(struct mailbox *mailbox)
{
    return mailbox;
}

bool mailbox_gone_locked(const struct mailbox *mailbox)
{
    (void)mailbox;
    return false;
}

uint32_t mailbox_message_id_locked(const struct mailbox *mailbox)
{
    (void)mailbox;
    return 6;
}

bool mailbox_find_locked(const struct mailbox *mailbox, uint32_t uid, struct message *message_out)
{
    (void)mailbox;
    (void)uid;
    (void)message_out;
    return false;
}

uint32_t mailbox_dir_id(const struct mailbox *mailbox)
{
    return mailbox->dir_id;
}

const char *mailbox_file_name(const struct mailbox *mailbox)
{
    return mailbox->name;
}

uint64_t mailbox_generation_locked(const struct mailbox *mailbox)
{
    return mailbox->generation;
}

static size_t retired_count;

size_t op_file_retired_locked(struct fs *fs, fuse_ino_t **inos_out)
{
    (void)fs;
    *inos_out = retired_count ? malloc(retired_count * sizeof(fuse_ino_t)) : NULL;
    for (size_t i = 0; i < retired_count; i++)
        (*inos_out)[i] = node_number(77, (uint32_t)i + 1);
    return retired_count;
}

/* ---- libfuse: a diary; it can be held up as by a kernel that waits for a lock --------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t written = PTHREAD_COND_INITIALIZER;
static char diary[8192];
static bool held_up;

static void note(const char *line)
{
    pthread_mutex_lock(&lock);
    strncat(diary, line, sizeof(diary) - strlen(diary) - 1);
    pthread_cond_broadcast(&written);
    while (held_up)
        pthread_cond_wait(&written, &lock);
    pthread_mutex_unlock(&lock);
}

int fuse_lowlevel_notify_inval_inode(struct fuse_session *se, fuse_ino_t ino, off_t off, off_t len)
{
    char line[100];

    (void)se;
    ck_assert_int_eq(len, 0);
    (void)snprintf(line, sizeof(line), "inode %" PRIu64 ".%" PRIu64 " %d\n", (uint64_t)ino >> 32,
                   (uint64_t)ino & UINT32_MAX, (int)off);
    note(line);
    return 0;
}

int fuse_lowlevel_notify_inval_entry(struct fuse_session *se, fuse_ino_t parent, const char *name,
                                     size_t namelen)
{
    char line[100];

    (void)se;
    ck_assert_uint_eq(namelen, strlen(name));
    (void)snprintf(line, sizeof(line), "entry %" PRIu64 "/%s\n", (uint64_t)parent >> 32, name);
    note(line);
    return -2; /* ENOENT is what the kernel often answers */
}

static void hold_up(bool yes)
{
    pthread_mutex_lock(&lock);
    held_up = yes;
    pthread_cond_broadcast(&written);
    pthread_mutex_unlock(&lock);
}

static void await(const char *line)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&lock);
    while (!strstr(diary, line))
        ck_assert_msg(pthread_cond_timedwait(&written, &lock, &until) == 0, "no '%s' in '%s'", line, diary);
    pthread_mutex_unlock(&lock);
}

/* ---- tests ------------------------------------------------------------------------------------- */

static struct fs fs = {.account = &the_account};

static struct notify *set_up(void)
{
    diary[0] = '\0';
    held_up = false;
    struct notify *notify = notify_new(&fs);
    notify_start(notify, NULL);
    return notify;
}

START_TEST(nothing_before_the_start)
{
    struct notify *notify = notify_new(&fs);

    notify_gone(notify, &inbox, 1);
    notify_listing(notify, &inbox);
    notify_start(notify, NULL);
    notify_gone(notify, &inbox, 2);
    await("entry 5/2.eml\n");
    notify_free(&notify);
    ck_assert_ptr_null(strstr(diary, "1.eml"));
}
END_TEST

START_TEST(gone_message)
{
    struct notify *notify = set_up();

    notify_gone(notify, &inbox, 42);
    await("entry 5/42.eml\n");
    notify_free(&notify);
}
END_TEST

START_TEST(new_message_matters_only_where_it_was_denied)
{
    struct notify *notify = set_up();

    notify_told_absent(notify, &inbox, 8);
    notify_appeared(notify, &inbox, 7);
    notify_appeared(notify, &root, 8);
    notify_appeared(notify, &inbox, 8);
    await("entry 5/8.eml\n");
    notify_free(&notify);
    ck_assert_ptr_null(strstr(diary, "7.eml"));
    ck_assert_ptr_null(strstr(diary, "entry 0/"));
}
END_TEST

START_TEST(too_many_denied_names)
{
    struct notify *notify = set_up();

    for (uint32_t uid = 1; uid <= 20000; uid += 2) /* not adjacent, so as many ranges */
        notify_told_absent(notify, &inbox, uid);
    notify_appeared(notify, &inbox, 30000);
    await("entry 5/30000.eml\n");
    notify_free(&notify);
}
END_TEST

START_TEST(listing_that_the_kernel_keeps)
{
    struct notify *notify = set_up();

    listing_set(&fs.listing, inbox.dir_id, 2); /* it is 3 now */
    notify_listing(notify, &inbox);
    await("inode 5.0 0\n");
    diary[0] = '\0';
    listing_set(&fs.listing, inbox.dir_id, 3); /* was read since: only attributes are old */
    notify_listing(notify, &inbox);
    await("inode 5.0 -1\n");
    notify_free(&notify);
    ck_assert_ptr_null(strstr(diary, "inode 5.0 0\n"));
    listing_fini(&fs.listing);
}
END_TEST

START_TEST(open_files_of_a_mailbox_made_anew)
{
    struct notify *notify = set_up();

    retired_count = 2;
    notify_gone(notify, &inbox, 7);
    await("entry 5/7.eml\n");
    await("inode 77.1 0\n");
    await("inode 77.2 0\n");
    notify_free(&notify);
    retired_count = 0;
}
END_TEST

START_TEST(root_and_children)
{
    struct notify *notify = set_up();

    notify_child(notify, &root, &inbox);
    await("inode 0.1 -1\n"); /* FUSE_ROOT_ID */
    await("entry 0/INBOX\n");
    notify_free(&notify);
}
END_TEST

START_TEST(storms_coalesce)
{
    struct notify *notify = set_up();
    int lines = 0;

    hold_up(true);
    notify_gone(notify, &inbox, 100);
    await("inode 5.0 -1\n"); /* the thread is busy with it */
    for (int round = 0; round < 1000; round++) {
        notify_gone(notify, &inbox, 1 + (uint32_t)round % 3);
        notify_listing(notify, &inbox);
    }
    hold_up(false);
    await("entry 5/3.eml\n");
    notify_free(&notify);
    for (const char *p = diary; (p = strchr(p, '\n')); p++)
        lines++;
    ck_assert_int_eq(lines, 2 + 1 + 3);
}
END_TEST

START_TEST(changes_are_pending_until_told)
{
    struct notify *notify = set_up();
    struct timespec pause = {.tv_nsec = 1000000};

    hold_up(true);
    notify_changed(notify, &inbox, 6, 9);
    await("inode 6.9 -1\n");
    ck_assert(notify_changes_pending(notify));
    hold_up(false);
    for (int i = 0; notify_changes_pending(notify); i++) {
        ck_assert_int_lt(i, 20000);
        nanosleep(&pause, NULL);
    }
    notify_free(&notify);
}
END_TEST

START_TEST(stop_takes_no_more)
{
    struct notify *notify = set_up();

    notify_stop(notify);
    notify_gone(notify, &inbox, 1);
    notify_stop(notify);
    notify_free(&notify);
    ck_assert_str_eq(diary, "");
}
END_TEST

UNIT_MAIN("notify", nothing_before_the_start, gone_message, new_message_matters_only_where_it_was_denied,
          too_many_denied_names, listing_that_the_kernel_keeps, open_files_of_a_mailbox_made_anew,
          root_and_children, storms_coalesce, changes_are_pending_until_told, stop_takes_no_more)
