/* SPDX-License-Identifier: MIT */
/*
 * model_world: an account whose pool is the test itself: it sees what the model asks, and says what
 * servers say, in whichever order and however wrong. LIST, LSUB and NAMESPACE are answered at once from
 * what the test has put down, and end before submit returns. One thread. To be included by one program.
 */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "sync.h"

struct imap_pool {
    int unused;
};

struct job {
    struct job *next;
    struct imap_command *command;
    char mailbox[64];
    unsigned flags;
};

static struct world {
    struct imap_pool pool;
    struct imap_pool_events events;
    struct account *account;
    struct imap_caps caps;
    struct job *jobs;
    char dir[32];
    /* what the tree's commands are answered with */
    struct imap_list lists[40], lsubs[8];
    size_t list_count, lsub_count;
    struct imap_namespaces namespaces;
    enum imap_status list_status;
    bool refuses_extended;
    unsigned listed; /* LIST commands seen */
    bool resumes;    /* SELECT was asked what has changed */
    unsigned poll_ms;
    bool read_write, writeback;
    bool maildir; /* the layout */
    const char *trash;
    unsigned notify_again;                   /* how often NOTIFY was to be said again */
    bool notified;                           /* NOTIFY is agreed upon before anything is asked */
    bool tells_names;                        /* of directories that appear */
    struct imap_mailbox_status statuses[40]; /* told with LIST where it asks for STATUS */
    size_t status_count;
    bool refuses_status;
    struct imap_error connect; /* how connecting ends */
    bool offline;
    unsigned hurried, revalidated, replaced;
    char last_list[256];
    char gone[64];     /* by imap_pool_mailbox_gone, the last one */
    size_t grants;     /* so many lanes may watch ... */
    char watched[256]; /* ... of these: the last call */
    /* what was told */
    char told[65536]; /* "+3 -2 ~1 L" and so on, in order */
    unsigned lines;   /* of log; the last one: */
    char line[512];
} world;

/* A sender's thread asks for itself; all others are the test's own. */
static pthread_mutex_t world_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t world_changed = PTHREAD_COND_INITIALIZER;

/* ---- the pool ---- */

static inline void world_done(struct imap_command *command, enum imap_status status, bool bad)
{
    struct imap_error err = {0};
    if (status)
        imap_error_set(&err, status, "made up");
    const struct imap_text text = {.text = ""};
    const bool said = !status || status == IMAP_NO || status == IMAP_GONE;
    const struct imap_result result = {
        .status = status, .bad = bad, .text = said ? &text : NULL, .error = &err};
    command->events.done(command->arg, &result);
    imap_command_free(&command);
}

static void world_lists(struct imap_command *command, const struct imap_list *lists, size_t count,
                        enum imap_response_type type)
{
    for (size_t i = 0; i < count; i++) {
        struct imap_response response = {.type = type, .list = lists[i]};
        response.list.name_len = strlen(lists[i].name);
        command->events.response(command->arg, &response);
    }
}

/* True when that was the end of it. */
static inline bool world_answers_status(struct imap_command *command)
{
    if (world.refuses_status) {
        world_done(command, IMAP_NO, false);
        return true;
    }
    for (size_t i = 0; i < world.status_count; i++) {
        struct imap_response response = {.type = IMAP_RESP_STATUS, .status = world.statuses[i]};
        response.status.name_len = strlen(world.statuses[i].name);
        command->events.response(command->arg, &response);
    }
    return false;
}

static bool world_answers_tree(struct imap_command *command)
{
    const char *verb = command->verb->name;
    if (!strcmp(verb, "LIST")) {
        snprintf(world.last_list, sizeof world.last_list, "%.*s", (int)command->len, command->bytes);
        world.listed++;
        if (world.refuses_extended && strstr(world.last_list, "RETURN")) {
            world_done(command, IMAP_NO, true);
            return true;
        }
        world_lists(command, world.lists, world.list_count, IMAP_RESP_LIST);
        if (strstr(world.last_list, " STATUS ") && world_answers_status(command))
            return true;
        world_done(command, world.list_status, false);
    } else if (!strcmp(verb, "LSUB")) {
        world_lists(command, world.lsubs, world.lsub_count, IMAP_RESP_LSUB);
        world_done(command, IMAP_OK, false);
    } else if (!strcmp(verb, "NAMESPACE")) {
        const struct imap_response response = {.type = IMAP_RESP_NAMESPACE, .ns = world.namespaces};
        command->events.response(command->arg, &response);
        world_done(command, IMAP_OK, false);
    } else {
        return false;
    }
    return true;
}

void imap_pool_submit(struct imap_pool *pool, const char *mailbox, unsigned flags, uint64_t weight,
                      struct imap_command *command)
{
    (void)pool, (void)weight;
    if (world_answers_tree(command))
        return;
    struct job *job = calloc(1, sizeof *job);
    job->command = command;
    job->flags = flags;
    snprintf(job->mailbox, sizeof job->mailbox, "%s", mailbox ? mailbox : "");
    pthread_mutex_lock(&world_lock);
    struct job **end = &world.jobs;
    while (*end)
        end = &(*end)->next;
    *end = job;
    pthread_cond_signal(&world_changed);
    pthread_mutex_unlock(&world_lock);
}

/* For the tests it differs by its flags only: the UIDVALIDITY that it was asked for. */
void imap_pool_change(struct imap_pool *pool, const char *mailbox, uint32_t uidvalidity, unsigned flags,
                      struct imap_command *command)
{
    imap_pool_submit(pool, mailbox, uidvalidity << 8 | flags, 0, command);
}

void imap_pool_mailbox_gone(struct imap_pool *pool, const char *mailbox)
{
    (void)pool;
    snprintf(world.gone, sizeof world.gone, "%s", mailbox);
}

enum imap_status imap_pool_new(const struct imap_pool_options *options, const struct imap_pool_events *events,
                               void *arg, struct imap_pool **pool_out, struct imap_error *err)
{
    (void)options, (void)err;
    world.events = *events;
    world.account = arg;
    *pool_out = &world.pool;
    return IMAP_OK;
}

enum imap_status imap_pool_connect(struct imap_pool *pool, struct imap_error *err)
{
    (void)pool;
    if (world.notified && !world.connect.status)
        world.events.notified(world.account, IMAP_POOL_NOTIFIED_ALL);
    if (world.connect.status && err)
        *err = world.connect;
    return world.connect.status;
}

enum imap_status imap_pool_connect_within(struct imap_pool *pool, unsigned wait_ms, struct imap_error *err)
{
    (void)wait_ms;
    return imap_pool_connect(pool, err);
}

bool imap_pool_keep_trying(struct imap_pool *pool)
{
    (void)pool;
    return true;
}

void imap_pool_hurry(struct imap_pool *pool)
{
    (void)pool;
    world.hurried++;
}

void imap_pool_revalidate(struct imap_pool *pool)
{
    (void)pool;
    world.revalidated++;
}

void imap_pool_free(struct imap_pool **pool)
{
    *pool = NULL;
    while (world.jobs) {
        struct job *job = world.jobs;
        world.jobs = job->next;
        world_done(job->command, IMAP_CANCEL, false);
        free(job);
    }
}

bool imap_pool_caps(struct imap_pool *pool, struct imap_caps *caps_out)
{
    (void)pool;
    *caps_out = world.caps;
    return true;
}

void imap_pool_mailbox_replaced(struct imap_pool *pool, const char *mailbox, unsigned connection)
{
    (void)pool;
    (void)mailbox;
    (void)connection;
    world.replaced++;
}

void imap_pool_mailbox_changed(struct imap_pool *pool, const char *mailbox)
{
    (void)pool;
    (void)mailbox;
}

void imap_pool_notify_again(struct imap_pool *pool)
{
    (void)pool;
    world.notify_again++;
}

size_t imap_pool_watch(struct imap_pool *pool, const char *const *mailboxes, size_t count, unsigned for_ms)
{
    (void)pool, (void)for_ms;
    world.watched[0] = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(world.watched + strlen(world.watched), sizeof world.watched - strlen(world.watched), "%s ",
                 mailboxes[i]);
    return count < world.grants ? count : world.grants;
}

unsigned imap_pool_lanes(const struct imap_pool *pool)
{
    (void)pool;
    return 1;
}

/* ---- what the model asks ---- */

/* The next command, which must be this one; its arguments as sent. */
static inline struct imap_command *asks(const char *mailbox, const char *expected)
{
    char text[256];
    struct job *job = world.jobs;
    ck_assert_msg(job, "nothing is asked instead of %s", expected);
    world.jobs = job->next;
    snprintf(text, sizeof text, "%.*s", (int)job->command->len, job->command->bytes);
    ck_assert_str_eq(text, expected);
    ck_assert_str_eq(job->mailbox, mailbox);
    ck_assert_uint_eq(job->flags, IMAP_POOL_WATCHER);
    struct imap_command *command = job->command;
    free(job);
    return command;
}

static inline void asks_nothing(void)
{
    ck_assert_msg(!world.jobs, "%s is asked", world.jobs ? world.jobs->command->verb->name : "");
}

/* ---- what the server says ---- */

static inline void selects_on(unsigned connection, const char *name, uint32_t exists, uint32_t uidvalidity,
                              uint32_t uidnext, uint64_t modseq)
{
    const struct imap_selected selected = {.name = name,
                                           .exists = exists,
                                           .uidvalidity = uidvalidity,
                                           .uidnext = uidnext,
                                           .highestmodseq = modseq};
    world.events.selected(world.account, connection, &selected, world.resumes);
}

static inline void selects(const char *name, uint32_t exists, uint32_t uidvalidity, uint32_t uidnext,
                           uint64_t modseq)
{
    selects_on(0, name, exists, uidvalidity, uidnext, modseq);
}

/* The pool is about to select it: what the model wants to know of changes, "" for nothing. */
static inline void resumes(const char *name, const char *expected)
{
    struct imap_pool_since since = {0};
    char text[80] = "";
    world.resumes = world.events.since(world.account, name, &since);
    if (world.resumes)
        snprintf(text, sizeof text, "%u %llu 1:%u", since.uidvalidity, (unsigned long long)since.modseq,
                 since.last_uid);
    ck_assert_str_eq(text, expected);
}

static inline void vanishes(uint32_t first, uint32_t last, bool earlier, bool selecting)
{
    struct imap_range range = {first, last};
    const struct imap_seqset set = {.ranges = &range, .count = 1};
    const struct imap_response response = {.type = IMAP_RESP_VANISHED,
                                           .vanished = {.earlier = earlier, .uids = &set}};
    if (selecting)
        world.events.changed(world.account, "INBOX", &response);
    else
        world.events.untagged(world.account, 0, "INBOX", &response, 0);
}

/* Within SELECT. */
static inline void changes(uint32_t uid, unsigned system, uint64_t modseq)
{
    const struct imap_response response = {
        .type = IMAP_RESP_FETCH,
        .number = 1,
        .fetch = {.seq = 1,
                  .uid = uid,
                  .has = (uid ? IMAP_FETCH_UID : 0) | IMAP_FETCH_FLAGS | (modseq ? IMAP_FETCH_MODSEQ : 0),
                  .flags = {.system = system},
                  .modseq = modseq}};
    world.events.changed(world.account, "INBOX", &response);
}

static inline void leaves(const char *name)
{
    world.events.deselected(world.account, 0, name);
}

static inline void says(const struct imap_response *response, uint32_t uid)
{
    world.events.untagged(world.account, 0, "INBOX", response, uid);
}

static inline void exists(uint32_t number)
{
    says(&(struct imap_response){.type = IMAP_RESP_EXISTS, .number = number}, 0);
}

static inline void expunges(uint32_t seq, uint32_t uid)
{
    says(&(struct imap_response){.type = IMAP_RESP_EXPUNGE, .number = seq}, uid);
}

static inline void flags_change(uint32_t seq, uint32_t uid, unsigned system)
{
    says(
        &(struct imap_response){
            .type = IMAP_RESP_FETCH,
            .number = seq,
            .fetch = {.seq = seq, .uid = uid, .has = IMAP_FETCH_FLAGS, .flags = {.system = system}}},
        uid);
}

/* A FETCH response that answers the command; has: IMAP_FETCH_ bits besides UID. */
static inline void answers(struct imap_command *command, uint32_t uid, unsigned has, unsigned system)
{
    const struct imap_response response = {
        .type = IMAP_RESP_FETCH,
        .number = uid,
        .fetch = {.seq = uid,
                  .uid = uid,
                  .has = IMAP_FETCH_UID | has,
                  .flags = {.system = system},
                  .size = (has & IMAP_FETCH_SIZE) ? uid * 100ull : 0,
                  .internaldate = {.unix_seconds = (has & IMAP_FETCH_INTERNALDATE) ? 1000 + uid : 0}}};
    says(&response, uid);
    command->events.response(command->arg, &response);
}

static inline void answers_modseq(struct imap_command *command, uint32_t uid, unsigned has, unsigned system,
                                  uint64_t modseq)
{
    const struct imap_response response = {
        .type = IMAP_RESP_FETCH,
        .number = uid,
        .fetch = {.seq = uid,
                  .uid = uid,
                  .has = IMAP_FETCH_UID | IMAP_FETCH_MODSEQ | has,
                  .flags = {.system = system},
                  .modseq = modseq,
                  .size = (has & IMAP_FETCH_SIZE) ? uid * 100ull : 0,
                  .internaldate = {.unix_seconds = (has & IMAP_FETCH_INTERNALDATE) ? 1000 + uid : 0}}};
    says(&response, uid);
    command->events.response(command->arg, &response);
}

#define EVERYTHING (IMAP_FETCH_FLAGS | IMAP_FETCH_SIZE | IMAP_FETCH_INTERNALDATE)

static inline void ends(struct imap_command *command)
{
    world_done(command, IMAP_OK, false);
}

static inline void ends_with(struct imap_command *command, enum imap_status status)
{
    world_done(command, status, false);
}

/* ---- what the model tells ---- */

static void tell(const char *what, uint32_t uid)
{
    char text[16];
    if (uid)
        snprintf(text, sizeof text, "%s%u ", what, uid);
    else
        snprintf(text, sizeof text, "%s ", what);
    ck_assert_uint_lt(strlen(world.told) + strlen(text), sizeof world.told);
    strcat(world.told, text);
}

static void tell_new(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox;
    tell("+", uid);
}

static void tell_gone(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox;
    tell("-", uid);
}

static void tell_changed(void *arg, struct mailbox *mailbox, uint32_t uid)
{
    (void)arg, (void)mailbox;
    tell("~", uid);
}

static void tell_listing(void *arg, struct mailbox *mailbox)
{
    (void)arg, (void)mailbox;
    tell("L", 0);
}

static void tell_child(void *arg, struct mailbox *parent, struct mailbox *child)
{
    (void)arg, (void)parent;
    tell("C:", 0);
    world.told[strlen(world.told) - 1] = '\0';
    snprintf(world.told + strlen(world.told), 40, "%s ", mailbox_file_name(child));
}

static void tell_child_new(void *arg, struct mailbox *parent, struct mailbox *child)
{
    (void)arg, (void)parent;
    if (!world.tells_names)
        return;
    tell("N:", 0);
    world.told[strlen(world.told) - 1] = '\0';
    snprintf(world.told + strlen(world.told), 40, "%s ", mailbox_file_name(child));
}

static void tell_log(void *arg, int priority, const char *line)
{
    (void)arg, (void)priority;
    world.lines++;
    snprintf(world.line, sizeof world.line, "%s", line);
}

/* What was told since the last look. */
static inline void told(const char *expected)
{
    ck_assert_str_eq(world.told, expected);
    world.told[0] = '\0';
}

/* ---- waiting ---- */

struct asked {
    struct wait wait;
    unsigned told;
    struct imap_error err;
};

static void asked_done(struct wait *wait, const struct imap_error *err)
{
    struct asked *asked = (struct asked *)wait;
    asked->told++;
    if (err)
        asked->err = *err;
}

/* True: fresh at once. */
static inline bool ask_fresh(struct mailbox *mailbox, struct asked *asked)
{
    *asked = (struct asked){.wait = {.done = asked_done}};
    account_lock(world.account);
    const bool fresh = mailbox_fresh_locked(mailbox, &asked->wait);
    account_unlock(world.account);
    return fresh;
}

static inline void ended(const struct asked *asked, enum imap_status status)
{
    ck_assert_uint_eq(asked->told, 1);
    ck_assert_msg(asked->err.status == status, "%s: %s", imap_status_name(asked->err.status),
                  asked->err.text);
}

static inline void cap(const char *word)
{
    imap_caps_add(&world.caps, word, strlen(word));
}

static inline enum imap_status world_open(const char *root, struct imap_error *err)
{
    const struct account_events events = {.message_new = tell_new,
                                          .message_gone = tell_gone,
                                          .message_changed = tell_changed,
                                          .listing_changed = tell_listing,
                                          .child_new = tell_child_new,
                                          .child_gone = tell_child,
                                          .log = tell_log};
    const struct account_options options = {.endpoint = {.timeout_ms = 10000},
                                            .connections = 2,
                                            .poll_ms = world.poll_ms,
                                            .root_mailbox = root,
                                            .cache_dir = world.dir,
                                            .cache_size = 1 << 20,
                                            .offline = world.offline,
                                            .read_write = world.read_write,
                                            .writeback = world.writeback,
                                            .maildir = world.maildir,
                                            .trash = world.trash};
    struct account *account = NULL;
    const enum imap_status status = account_open(&options, &events, NULL, &account, err);
    if (status)
        world.account = NULL;
    return status;
}

static inline void world_init(void)
{
    world = (struct world){.dir = "/tmp/model-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(world.dir));
}

static inline void world_fini(void)
{
    if (world.account)
        account_close(&world.account);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", world.dir);
    ck_assert_int_eq(system(command), 0);
}

static inline struct mailbox *below(struct mailbox *mailbox, const char *file)
{
    struct mailbox *child = mailbox_child_locked(mailbox, file);
    ck_assert_msg(child, "there is no %s", file);
    return child;
}

#endif
