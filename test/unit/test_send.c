/* SPDX-License-Identifier: MIT */
/* Sending drafts: what is asked of the server, and what whoever waits is told. The sender has a thread of its own;
 * the server is the test. */
#include "write_world.h"

#include <errno.h>
#include <time.h>

#include "draft_internal.h"
#include "errmap.h"
#include "send.h"

#define DEADLINE_S 20
#define TEXT "Subject: x\r\n\r\nhello\r\n"
#define APPEND(mailbox) "APPEND " mailbox " \" 9-Sep-2001 01:46:40 +0000\" "

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
} ends_lock = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

struct ending {
    struct wait wait;
    unsigned told;
    int error;
};

static struct draft *draft;
static struct ending ending;
static char sent[64]; /* as "name UIDVALIDITY/UID" */

static void on_end(struct wait *wait, const struct imap_error *err)
{
    struct ending *one = (struct ending *)wait;
    pthread_mutex_lock(&ends_lock.lock);
    one->told++;
    one->error = err ? errmap_errno(err) : 0;
    pthread_cond_signal(&ends_lock.changed);
    pthread_mutex_unlock(&ends_lock.lock);
}

/* Of the names that change with it, that under which it was written. */
static void on_name(void *arg, struct mailbox *mailbox, const char *name)
{
    (void)arg;
    account_lock(world.account);
    const uint32_t uid = written_uid(mailbox->written, name);
    if (uid)
        snprintf(sent, sizeof sent, "%s/%s %u/%u", mailbox_file_name(mailbox), name,
                 mailbox->written_uidvalidity, uid);
    account_unlock(world.account);
}

static struct timespec deadline(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    return until;
}

static void await_ending(int error)
{
    const struct timespec until = deadline();
    int rc = 0;
    pthread_mutex_lock(&ends_lock.lock);
    while (!ending.told && !rc)
        rc = pthread_cond_timedwait(&ends_lock.changed, &ends_lock.lock, &until);
    pthread_mutex_unlock(&ends_lock.lock);
    ck_assert_msg(!rc, "nobody is told");
    ck_assert_uint_eq(ending.told, 1);
    ck_assert_msg(ending.error == error, "%s instead of %s", strerror(ending.error), strerror(error));
}

/* The next command, were it the sender's. */
static struct imap_command *await_command(const char *mailbox, unsigned flags, const char *expected)
{
    const struct timespec until = deadline();
    int rc = 0;
    pthread_mutex_lock(&world_lock);
    while (!world.jobs && !rc)
        rc = pthread_cond_timedwait(&world_changed, &world_lock, &until);
    struct job *job = world.jobs;
    ck_assert_msg(job, "nothing is asked instead of %s", expected);
    world.jobs = job->next;
    pthread_mutex_unlock(&world_lock);
    struct imap_command *command = job->command;
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)command->len, command->bytes);
    ck_assert_str_eq(text, expected);
    ck_assert_str_eq(job->mailbox, mailbox);
    ck_assert_uint_eq(job->flags, flags);
    free(job);
    return command;
}

/* What the literal of an APPEND will be. */
static void gives(const struct imap_command *command, const char *expected, size_t len, bool literal8)
{
    char bytes[256];
    size_t got = 0;
    for (size_t i = 0; i < command->segment_count; i++) {
        const struct imap_segment *segment = &command->segments[i];
        if (segment->kind != IMAP_SEGMENT_SOURCE)
            continue;
        ck_assert_uint_eq(segment->len, len);
        ck_assert_int_eq(segment->literal8, literal8);
        for (ssize_t n; got < len && (n = segment->next(segment->arg, bytes + got, len - got)) > 0;)
            got += (size_t)n;
    }
    ck_assert_uint_eq(got, len);
    ck_assert_mem_eq(bytes, expected, len);
}

static void ends_appended(struct imap_command *command, uint32_t uid)
{
    struct imap_error err = {0};
    struct imap_range range = {uid, uid};
    const struct imap_seqset set = {.ranges = &range, .count = 1};
    const struct imap_text text = {.text = "",
                                   .code = uid ? IMAP_CODE_APPENDUID : IMAP_CODE_NONE,
                                   .uidvalidity = uid ? 7 : 0,
                                   .to = &set};
    const struct imap_result result = {.status = IMAP_OK, .text = &text, .error = &err};
    command->events.done(command->arg, &result);
    imap_command_free(&command);
}

/* Without an answer. */
static void ends_lost(struct imap_command *command, enum imap_status status, int sys_errno)
{
    struct imap_error err = {0};
    imap_error_set(&err, status, "lost");
    err.sys_errno = sys_errno;
    const struct imap_result result = {.status = status, .error = &err};
    command->events.done(command->arg, &result);
    imap_command_free(&command);
}

static struct draft *writes(struct mailbox *mailbox, const char *name, const char *text, size_t len)
{
    struct imap_error err = {0};
    struct draft *made;
    ck_assert_msg(!draft_new(world.account, &made, &err), "%s", err.text);
    account_lock(world.account);
    draft_name_locked(made, mailbox, name);
    account_unlock(world.account);
    if (len)
        ck_assert_int_eq(draft_write(made, text, len, 0), (ssize_t)len);
    account_lock(world.account);
    draft_set_mtime_locked(made, (struct timespec){.tv_sec = 1000000000});
    account_unlock(world.account);
    return made;
}

static void sends(void)
{
    ending = (struct ending){.wait = {.done = on_end}};
    account_lock(world.account);
    ck_assert(!draft_send_locked(draft, &ending.wait));
    account_unlock(world.account);
}

static void lets_go(void)
{
    account_lock(world.account);
    draft_close_locked(draft);
    account_unlock(world.account);
}

static void open_with(const char *caps)
{
    write_world_init();
    write_world_open(caps);
    world.account->events.name_changed = on_name;
    sent[0] = '\0';
}

/* Lists INBOX anew, of which UIDs 1 to 5 are known; new mail from UID 6 on is of this size. */
static void lists_inbox(uint32_t news, uint64_t size)
{
    struct imap_command *noop = await_command("INBOX", IMAP_POOL_WATCHER, "NOOP");
    if (news)
        exists(5 + news);
    ends(noop);
    if (!news)
        return;
    struct imap_command *fetch =
        await_command("INBOX", IMAP_POOL_WATCHER, "UID FETCH 6:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    for (uint32_t uid = 6; uid < 6 + news; uid++) {
        const struct imap_response response = {
            .type = IMAP_RESP_FETCH,
            .number = uid,
            .fetch = {.seq = uid, .uid = uid, .has = IMAP_FETCH_UID | EVERYTHING, .size = size}};
        fetch->events.response(fetch->arg, &response);
    }
    ends(fetch);
}

/* The message has these bytes. */
static void shows(uint32_t uid, const char *text)
{
    char expected[64];
    snprintf(expected, sizeof expected, "UID FETCH %u (UID BODY.PEEK[])", uid);
    struct imap_command *command = await_command("INBOX", 0, expected);
    const struct imap_fetch so_far = {.uid = uid};
    const struct imap_section section = {.kind = IMAP_SECTION_BODY, .size = strlen(text)};
    if (command->events.body_begin(command->arg, &so_far, &section)) {
        command->events.body_data(command->arg, text, strlen(text));
        command->events.body_end(command->arg);
    }
    ends(command);
}

static enum draft_state state(void)
{
    account_lock(world.account);
    const enum draft_state now = draft_state_locked(draft);
    account_unlock(world.account);
    return now;
}

static bool is_at(struct mailbox *mailbox, const char *name)
{
    account_lock(world.account);
    const bool there = draft_find_locked(mailbox, name) == draft;
    account_unlock(world.account);
    return there;
}

/* ---- what is sent ----------------------------------------------------------------------------------- */

START_TEST(a_message_is_sent_with_its_date_and_flags)
{
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    static const char *const keywords[] = {"work"};
    account_lock(world.account);
    draft_set_flags_locked(draft, WRITE_SET, &(struct imap_flags){.system = IMAP_FLAG_SEEN});
    draft_set_flags_locked(
        draft, WRITE_ADD,
        &(struct imap_flags){.system = IMAP_FLAG_FLAGGED, .keywords = keywords, .keyword_count = 1});
    draft_set_flags_locked(draft, WRITE_REMOVE, &(struct imap_flags){.system = IMAP_FLAG_SEEN});
    account_unlock(world.account);
    sends();
    struct imap_command *append =
        await_command("", 0, "APPEND Archive (\\Flagged work) \" 9-Sep-2001 01:46:40 +0000\" ");
    gives(append, TEXT, strlen(TEXT), false);
    ck_assert_int_eq(draft_write(draft, "more", 4, 0), -EBUSY);
    account_lock(world.account);
    ck_assert(!draft_unname_locked(draft));
    account_unlock(world.account);
    ends_appended(append, 42);
    await_ending(0);
    ck_assert_str_eq(sent, "Archive/x.eml 7/42");
    ck_assert(!is_at(archive, "x.eml"));
    lets_go();
    asks_nothing();
    world_fini();
}
END_TEST

START_TEST(bare_line_ends_are_made_whole)
{
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", "a\nb\r\nc\n", 7);
    sends();
    struct imap_command *append = await_command("", 0, APPEND("Archive"));
    gives(append, "a\r\nb\r\nc\r\n", 9, false);
    ends_appended(append, 3);
    await_ending(0);
    char bytes[16];
    ck_assert_int_eq(draft_read(draft, bytes, sizeof bytes, 0), 7); /* here they stay as written */
    lets_go();
    world_fini();
}
END_TEST

START_TEST(nothing_is_sent_of_local_and_empty_ones)
{
    open_with("UIDPLUS");
    struct wait wait = {.done = on_end};
    struct draft *local = writes(archive, ".x.eml", TEXT, strlen(TEXT)),
                 *empty = writes(archive, "x.eml", "", 0);
    account_lock(world.account);
    ck_assert(draft_send_locked(local, &wait));
    ck_assert(draft_send_locked(empty, &wait));
    account_unlock(world.account);
    asks_nothing();
    world_fini();
}
END_TEST

/* ---- refusals ---------------------------------------------------------------------------------------- */

static const struct {
    enum imap_status status;
    enum imap_code code;
    int error;
} refusals[] = {{IMAP_NO, IMAP_CODE_OVERQUOTA, EDQUOT}, {IMAP_NO, IMAP_CODE_TOOBIG, EFBIG},
                {IMAP_NO, IMAP_CODE_LIMIT, EFBIG},      {IMAP_NO, IMAP_CODE_TRYCREATE, ENOENT},
                {IMAP_NO, IMAP_CODE_NOPERM, EACCES},    {IMAP_AGAIN, IMAP_CODE_UNAVAILABLE, EAGAIN},
                {IMAP_NO, IMAP_CODE_NONE, EIO}};

START_TEST(a_refusal_is_told_and_the_draft_stays)
{
    char line[256];
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_saying(await_command("", 0, APPEND("Archive")), refusals[_i].status, refusals[_i].code, "", 0);
    await_ending(refusals[_i].error);
    ck_assert_int_eq(state(), DRAFT_FAILED);
    ck_assert(is_at(archive, "x.eml"));
    snprintf(line, sizeof line, "cannot store x.eml in Archive: refused");
    ck_assert_str_eq(world.line, line);
    snprintf(line, sizeof line, "test -s %s/*.drafts/%u.place", world.dir, draft_number_locked(draft));
    ck_assert_int_eq(system(line), 0); /* before anybody was told */
    lets_go();
    world_fini();
}
END_TEST

START_TEST(what_cannot_be_taken_is_not_sent)
{
    open_with("UIDPLUS APPENDLIMIT=20");
    draft = writes(archive, "x.eml", "a\nb\nc\nd\ne\nf\ng\n", 14); /* 21 with CR */
    sends();
    await_ending(EFBIG);
    lets_go();
    draft = writes(archive, "nul.eml", "a\0b\n", 4);
    sends();
    await_ending(EINVAL);
    asks_nothing();
    cap("BINARY");
    sends();
    struct imap_command *append = await_command("", 0, APPEND("Archive"));
    gives(append, "a\0b\r\n", 5, true);
    ends_appended(append, 3);
    await_ending(0);
    lets_go();
    world_fini();
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------------- */

START_TEST(a_local_one_is_sent_when_it_is_renamed_and_comes_back_if_refused)
{
    open_with("UIDPLUS");
    draft = writes(archive, ".x", TEXT, strlen(TEXT));
    ending = (struct ending){.wait = {.done = on_end}};
    account_lock(world.account);
    ck_assert(!draft_rename_locked(draft, inbox, "x.eml", &ending.wait));
    account_unlock(world.account);
    ck_assert(is_at(inbox, "x.eml"));
    ends_saying(await_command("", 0, APPEND("INBOX")), IMAP_NO, IMAP_CODE_OVERQUOTA, "", 0);
    await_ending(EDQUOT);
    ck_assert(is_at(archive, ".x"));
    ck_assert_int_eq(state(), DRAFT_LOCAL);
    ending = (struct ending){.wait = {.done = on_end}};
    account_lock(world.account);
    ck_assert(!draft_rename_locked(draft, archive, "x.eml", &ending.wait));
    account_unlock(world.account);
    ends_appended(await_command("", 0, APPEND("Archive")), 3);
    await_ending(0);
    ck_assert_str_eq(sent, "Archive/x.eml 7/3");
    lets_go();
    world_fini();
}
END_TEST

START_TEST(one_that_is_still_written_is_not_sent_by_renaming_it)
{
    open_with("UIDPLUS");
    draft = writes(archive, ".x", TEXT, strlen(TEXT));
    struct wait wait = {.done = on_end};
    account_lock(world.account);
    draft_writer_locked(draft, 1);
    ck_assert(draft_rename_locked(draft, archive, "x.eml", &wait));
    draft_writer_locked(draft, -1);
    account_unlock(world.account);
    asks_nothing();
    sends();
    ends_appended(await_command("", 0, APPEND("Archive")), 3);
    await_ending(0);
    lets_go();
    world_fini();
}
END_TEST

START_TEST(what_was_not_written_as_a_whole_is_not_sent)
{
    open_with("UIDPLUS");
    draft = writes(archive, "x.eml", TEXT, strlen(TEXT));
    account_lock(world.account);
    draft_spoil_locked(draft);
    account_unlock(world.account);
    sends();
    await_ending(EIO);
    lets_go();
    ck_assert_int_eq(state(), DRAFT_FAILED);
    asks_nothing();
    world_fini();
}
END_TEST

/* ---- an outcome that is not known --------------------------------------------------------------------- */

START_TEST(without_uidplus_it_is_found_by_its_bytes)
{
    open_with("");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_appended(await_command("", 0, APPEND("INBOX")), 0);
    lists_inbox(2, strlen(TEXT));
    shows(6, "Subject: y\r\n\r\nhello\r\n");
    shows(7, TEXT);
    await_ending(0);
    ck_assert_str_eq(sent, "INBOX/x.eml 7/7");
    lets_go();
    world_fini();
}
END_TEST

START_TEST(after_a_lost_line_it_is_looked_for_and_then_sent_again)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_lost(await_command("", 0, APPEND("INBOX")), IMAP_UNSURE, 0);
    lists_inbox(1, strlen(TEXT));
    shows(6, "Subject: y\r\n\r\nhello\r\n");
    ends_appended(await_command("", 0, APPEND("INBOX")), 7);
    await_ending(0);
    lets_go();
    world_fini();
}
END_TEST

START_TEST(what_has_arrived_is_not_sent_again)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_lost(await_command("", 0, APPEND("INBOX")), IMAP_UNSURE, 0);
    lists_inbox(1, strlen(TEXT));
    shows(6, TEXT);
    await_ending(0);
    ck_assert_str_eq(sent, "INBOX/x.eml 7/6");
    lets_go();
    world_fini();
}
END_TEST

/* It may be stored yet, so it is an error; and when the server is back it is looked for. */
START_TEST(after_a_timeout_it_is_not_sent_again)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_lost(await_command("", 0, APPEND("INBOX")), IMAP_UNSURE, ETIMEDOUT);
    lists_inbox(0, 0);
    await_ending(ETIMEDOUT);
    ck_assert_int_eq(state(), DRAFT_FAILED);
    lets_go();
    account_lock(world.account);
    drafts_resume_locked(world.account->drafts);
    account_unlock(world.account);
    lists_inbox(1, strlen(TEXT));
    shows(6, TEXT);
    for (int i = 0; i < DEADLINE_S * 100 && is_at(inbox, "x.eml"); i++)
        usleep(10000);
    ck_assert(!is_at(inbox, "x.eml"));
    ends(await_command("INBOX", IMAP_POOL_WATCHER, "NOOP")); /* what else is new there */
    asks_nothing();
    world_fini();
}
END_TEST

START_TEST(nothing_is_sent_for_nobody)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    struct imap_command *append = await_command("", 0, APPEND("INBOX"));
    ck_assert(wait_cancel(world.account, &ending.wait));
    ends_lost(append, IMAP_AGAIN, 0);
    for (int i = 0; i < DEADLINE_S * 100 && state() == DRAFT_SENDING; i++)
        usleep(10000);
    ck_assert_int_eq(state(), DRAFT_FAILED);
    asks_nothing();
    lets_go();
    world_fini();
}
END_TEST

/* ---- writing on -------------------------------------------------------------------------------------- */

START_TEST(what_is_written_on_replaces_what_was_sent)
{
    open_with("UIDPLUS");
    draft = writes(inbox, "x.eml", TEXT, strlen(TEXT));
    sends();
    ends_appended(await_command("", 0, APPEND("INBOX")), 6);
    await_ending(0);
    lists_inbox(1, strlen(TEXT));
    ck_assert_int_eq(draft_write(draft, "more\r\n", 6, strlen(TEXT)), 6);
    ck_assert(is_at(inbox, "x.eml"));
    account_lock(world.account);
    draft_set_mtime_locked(draft, (struct timespec){.tv_sec = 1000000000});
    account_unlock(world.account);
    sends();
    struct imap_command *append = await_command("", 0, APPEND("INBOX"));
    gives(append, TEXT "more\r\n", strlen(TEXT) + 6, false);
    ends_appended(append, 7);
    struct imap_command *noop = await_command("INBOX", IMAP_POOL_WATCHER, "NOOP");
    exists(7);
    ends(noop);
    struct imap_command *fetch =
        await_command("INBOX", IMAP_POOL_WATCHER, "UID FETCH 7:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    answers(fetch, 7, EVERYTHING, 0);
    ends(fetch);
    ck_assert_uint_eq(ending.told, 0);
    struct imap_command *store = await_command("INBOX", 7 << 8, "UID STORE 6 +FLAGS.SILENT (\\Deleted)");
    struct imap_command *expunge = await_command("INBOX", 7 << 8, "UID EXPUNGE 6");
    ends(store);
    expunges(6, 6);
    ends(expunge);
    await_ending(0);
    ck_assert_str_eq(sent, "INBOX/x.eml 7/7");
    lets_go();
    world_fini();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send");
    TCase *cases = tcase_create("send");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_message_is_sent_with_its_date_and_flags);
    tcase_add_test(cases, bare_line_ends_are_made_whole);
    tcase_add_test(cases, nothing_is_sent_of_local_and_empty_ones);
    tcase_add_loop_test(cases, a_refusal_is_told_and_the_draft_stays, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(cases, what_cannot_be_taken_is_not_sent);
    tcase_add_test(cases, a_local_one_is_sent_when_it_is_renamed_and_comes_back_if_refused);
    tcase_add_test(cases, one_that_is_still_written_is_not_sent_by_renaming_it);
    tcase_add_test(cases, what_was_not_written_as_a_whole_is_not_sent);
    tcase_add_test(cases, without_uidplus_it_is_found_by_its_bytes);
    tcase_add_test(cases, after_a_lost_line_it_is_looked_for_and_then_sent_again);
    tcase_add_test(cases, what_has_arrived_is_not_sent_again);
    tcase_add_test(cases, after_a_timeout_it_is_not_sent_again);
    tcase_add_test(cases, nothing_is_sent_for_nobody);
    tcase_add_test(cases, what_is_written_on_replaces_what_was_sent);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
