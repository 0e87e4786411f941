/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 * 1. Only the notify thread waits for the kernel, and it holds no lock then.
 * 2. A name is told to the kernel as absent under the account lock, and noted in `absent` under the same
 *    hold; a message appears under the account lock too. So no message appears unnoticed between.
 * 3. The kernel takes a directory's lock for each of our name notifications and holds it while it looks
 *    a name up: a notification cannot overtake the answer that it takes back.
 */
#include "notify.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../imap/mem.h"
#include "name.h"
#include "node.h"
#include "ops.h"
#include "thread.h"

#define GATHER_MS 25

#define ABSENT_MAX 4096 /* remembered absent names a mailbox; beyond, all new names are taken for such */

/* What is to be told of one mailbox. */
struct notes {
    struct mailbox *mailbox;
    struct imap_seqset names;   /* UIDs whose name came or went */
    struct imap_seqset changed; /* UIDs whose attributes changed */
    uint32_t message_id;        /* of `changed` */
    bool listing;
    char **others; /* names that are not messages' */
    size_t other_count;
    struct mailbox **children; /* whose name came or went */
    size_t child_count;
};

struct absent {
    struct mailbox *mailbox;
    struct imap_seqset uids;
    bool overflow;
};

struct notify {
    struct fs *fs;
    struct fuse_session *session; /* constant from start on */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* guarded by lock */
    bool running, stop;
    bool urgent; /* what waits is not to wait for more */
    struct notes *notes;
    size_t count, capacity;
    struct absent *absent;
    size_t absent_count;
    unsigned changes_pending; /* notes with `changed`, those in the thread's hands included */
};

/* ---- taking notes ------------------------------------------------------------------------------ */

/* Under the lock. The last one first: events come in runs. */
static struct notes *notes_of(struct notify *notify, struct mailbox *mailbox)
{
    for (size_t i = notify->count; i-- > 0;) {
        if (notify->notes[i].mailbox == mailbox)
            return &notify->notes[i];
    }
    if (notify->count == notify->capacity) {
        notify->capacity = notify->capacity ? notify->capacity * 2 : 16;
        notify->notes = imap_xreallocarray(notify->notes, notify->capacity, sizeof(*notify->notes));
    }
    if (!notify->count)
        pthread_cond_signal(&notify->wake);
    struct notes *notes = &notify->notes[notify->count++];
    *notes = (struct notes){.mailbox = mailbox};
    return notes;
}

static struct absent *absent_of(struct notify *notify, const struct mailbox *mailbox)
{
    for (size_t i = 0; i < notify->absent_count; i++) {
        if (notify->absent[i].mailbox == mailbox)
            return &notify->absent[i];
    }
    return NULL;
}

void notify_told_absent(struct notify *notify, struct mailbox *mailbox, uint32_t uid)
{
    pthread_mutex_lock(&notify->lock);
    struct absent *absent = absent_of(notify, mailbox);
    if (!absent) {
        notify->absent =
            imap_xreallocarray(notify->absent, notify->absent_count + 1, sizeof(*notify->absent));
        absent = &notify->absent[notify->absent_count++];
        *absent = (struct absent){.mailbox = mailbox};
    }
    if (absent->uids.count >= ABSENT_MAX) {
        imap_seqset_fini(&absent->uids);
        absent->overflow = true;
    }
    if (!absent->overflow)
        imap_seqset_add(&absent->uids, uid, uid);
    pthread_mutex_unlock(&notify->lock);
}

/* The note of a UID stays: telling twice does no harm, and sets have no removal. */
void notify_appeared(struct notify *notify, struct mailbox *mailbox, uint32_t uid)
{
    pthread_mutex_lock(&notify->lock);
    const struct absent *absent = notify->running ? absent_of(notify, mailbox) : NULL;
    if (absent && (absent->overflow || imap_seqset_contains(&absent->uids, uid)))
        imap_seqset_add(&notes_of(notify, mailbox)->names, uid, uid);
    pthread_mutex_unlock(&notify->lock);
}

void notify_gone(struct notify *notify, struct mailbox *mailbox, uint32_t uid)
{
    pthread_mutex_lock(&notify->lock);
    if (notify->running)
        imap_seqset_add(&notes_of(notify, mailbox)->names, uid, uid);
    pthread_mutex_unlock(&notify->lock);
}

void notify_changed(struct notify *notify, struct mailbox *mailbox, uint32_t message_id, uint32_t uid)
{
    pthread_mutex_lock(&notify->lock);
    if (notify->running) {
        struct notes *notes = notes_of(notify, mailbox);

        if (notes->message_id != message_id) /* the old numbers are retired */
            imap_seqset_fini(&notes->changed);
        if (!notes->message_id)
            notify->changes_pending++;
        notes->message_id = message_id;
        imap_seqset_add(&notes->changed, uid, uid);
    }
    pthread_mutex_unlock(&notify->lock);
}

void notify_listing(struct notify *notify, struct mailbox *mailbox)
{
    pthread_mutex_lock(&notify->lock);
    if (notify->running)
        notes_of(notify, mailbox)->listing = true;
    pthread_mutex_unlock(&notify->lock);
}

void notify_child(struct notify *notify, struct mailbox *parent, struct mailbox *child)
{
    pthread_mutex_lock(&notify->lock);
    if (notify->running) {
        struct notes *notes = notes_of(notify, parent);

        notes->children =
            imap_xreallocarray(notes->children, notes->child_count + 1, sizeof(struct mailbox *));
        notes->children[notes->child_count++] = child;
    }
    pthread_mutex_unlock(&notify->lock);
}

void notify_name(struct notify *notify, struct mailbox *mailbox, const char *name, bool urgent)
{
    pthread_mutex_lock(&notify->lock);
    if (notify->running) {
        struct notes *notes = notes_of(notify, mailbox);

        notify->urgent |= urgent;
        if (urgent)
            pthread_cond_signal(&notify->wake);

        notes->others = imap_xreallocarray(notes->others, notes->other_count + 1, sizeof(char *));
        notes->others[notes->other_count++] = imap_xstrdup(name);
    }
    pthread_mutex_unlock(&notify->lock);
}

bool notify_changes_pending(struct notify *notify)
{
    pthread_mutex_lock(&notify->lock);
    bool pending = notify->changes_pending > 0;
    pthread_mutex_unlock(&notify->lock);
    return pending;
}

/* ---- telling the kernel; that it knows nothing of the thing is no error --------------------------- */

/* So that a long list does not hold up the end. */
static bool stopped(struct notify *notify)
{
    pthread_mutex_lock(&notify->lock);
    bool stop = notify->stop;
    pthread_mutex_unlock(&notify->lock);
    return stop;
}

void notify_attributes_now(struct notify *notify, fuse_ino_t ino)
{
    (void)fuse_lowlevel_notify_inval_inode(notify->session, ino, -1, 0);
}

static void tell_listing(struct notify *notify, const struct notes *notes, fuse_ino_t ino)
{
    struct fs *fs = notify->fs;
    uint64_t cached;

    account_lock(fs->account);
    bool outdated = notes->listing && listing_find(&fs->listing, mailbox_dir_id(notes->mailbox), &cached) &&
                    cached != mailbox_generation_locked(notes->mailbox);
    account_unlock(fs->account);
    /* (0, 0) drops the cached listing too; a listing that was read since is spared. */
    (void)fuse_lowlevel_notify_inval_inode(notify->session, ino, outdated ? 0 : -1, 0);
}

static void tell_names(struct notify *notify, const struct notes *notes, fuse_ino_t ino)
{
    char name[NAME_SIZE];

    for (size_t i = 0; i < notes->names.count; i++) {
        const struct imap_range *range = &notes->names.ranges[i];

        for (uint64_t uid = range->first; uid <= range->last && !stopped(notify); uid++) {
            name_of_message((uint32_t)uid, name);
            (void)fuse_lowlevel_notify_inval_entry(notify->session, ino, name, strlen(name));
        }
    }
    for (size_t i = 0; i < notes->child_count; i++) {
        const char *child = mailbox_file_name(notes->children[i]);

        (void)fuse_lowlevel_notify_inval_entry(notify->session, ino, child, strlen(child));
    }
    for (size_t i = 0; i < notes->other_count && !stopped(notify); i++)
        (void)fuse_lowlevel_notify_inval_entry(notify->session, ino, notes->others[i],
                                               strlen(notes->others[i]));
}

/* What the kernel has of old messages that are still open: reading them is to fail from now on. */
static void tell_retired(struct notify *notify)
{
    struct fs *fs = notify->fs;
    fuse_ino_t *inos;

    account_lock(fs->account);
    size_t count = op_file_retired_locked(fs, &inos);
    account_unlock(fs->account);
    for (size_t i = 0; i < count; i++)
        (void)fuse_lowlevel_notify_inval_inode(notify->session, inos[i], 0, 0);
    free(inos);
}

static void tell_changed(struct notify *notify, const struct notes *notes)
{
    for (size_t i = 0; i < notes->changed.count; i++) {
        const struct imap_range *range = &notes->changed.ranges[i];

        for (uint64_t uid = range->first; uid <= range->last && !stopped(notify); uid++)
            notify_attributes_now(notify, node_number(notes->message_id, (uint32_t)uid));
    }
}

static void notes_fini(struct notes *notes)
{
    imap_seqset_fini(&notes->names);
    imap_seqset_fini(&notes->changed);
    for (size_t i = 0; i < notes->other_count; i++)
        free(notes->others[i]);
    free(notes->others);
    free(notes->children);
}

static void tell(struct notify *notify, struct notes *notes)
{
    fuse_ino_t ino = node_of_directory(notify->fs->account, notes->mailbox);

    tell_changed(notify, notes);
    if (notes->message_id) {
        pthread_mutex_lock(&notify->lock);
        notify->changes_pending--;
        pthread_mutex_unlock(&notify->lock);
    }
    tell_listing(notify, notes, ino);
    tell_names(notify, notes, ino);
    if (notes->names.count)
        tell_retired(notify);
}

/* Each name that is told takes the lock of its directory, and each listing has the kernel ask for that anew: while a
 * thousand messages come or go many are told together. */
static void gather(struct notify *notify)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GATHER_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!notify->stop && !notify->urgent && rc == 0)
        rc = pthread_cond_clockwait(&notify->wake, &notify->lock, CLOCK_MONOTONIC, &until);
}

static void *run(void *arg)
{
    struct notify *notify = arg;

    pthread_mutex_lock(&notify->lock);
    while (!notify->stop) {
        if (!notify->count) {
            pthread_cond_wait(&notify->wake, &notify->lock);
            continue;
        }
        struct notes notes = notify->notes[0];
        notify->count--;
        notify->urgent &= notify->count > 0;
        memmove(notify->notes, notify->notes + 1, notify->count * sizeof(*notify->notes));
        pthread_mutex_unlock(&notify->lock);
        tell(notify, &notes);
        notes_fini(&notes);
        pthread_mutex_lock(&notify->lock);
        gather(notify);
    }
    pthread_mutex_unlock(&notify->lock);
    return NULL;
}

/* ---- life --------------------------------------------------------------------------------------- */

struct notify *notify_new(struct fs *fs)
{
    struct notify *notify = imap_xcalloc(1, sizeof(*notify));

    notify->fs = fs;
    pthread_mutex_init(&notify->lock, NULL);
    pthread_cond_init(&notify->wake, NULL);
    return notify;
}

void notify_start(struct notify *notify, struct fuse_session *session)
{
    notify->session = session;
    thread_start(&notify->thread, "notify", run, notify);
    pthread_mutex_lock(&notify->lock);
    notify->running = true;
    pthread_mutex_unlock(&notify->lock);
}

void notify_stop(struct notify *notify)
{
    pthread_mutex_lock(&notify->lock);
    bool joined = notify->running;
    notify->running = false;
    notify->stop = true;
    pthread_cond_signal(&notify->wake);
    pthread_mutex_unlock(&notify->lock);
    if (joined)
        pthread_join(notify->thread, NULL);
}

void notify_free(struct notify **notify_in)
{
    struct notify *notify = *notify_in;

    if (!notify)
        return;
    notify_stop(notify);
    for (size_t i = 0; i < notify->count; i++)
        notes_fini(&notify->notes[i]);
    for (size_t i = 0; i < notify->absent_count; i++)
        imap_seqset_fini(&notify->absent[i].uids);
    free(notify->notes);
    free(notify->absent);
    pthread_cond_destroy(&notify->wake);
    pthread_mutex_destroy(&notify->lock);
    free(notify);
    *notify_in = NULL;
}
