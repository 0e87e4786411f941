/* SPDX-License-Identifier: MIT */
/* Several drafts in one APPEND (RFC 3502): who goes along, and what each is told. */
#include "send_world.h"

#define DATE "\" 9-Sep-2001 01:46:40 +0000\" "
#define ALL_CAPS "UIDPLUS MULTIAPPEND"
#define MANY 130

static struct draft *drafts[MANY];
static struct ending endings[MANY];

static const char *text_of(unsigned i)
{
    static char text[64];
    snprintf(text, sizeof text, "Subject: %u\r\n\r\nbody\r\n", i);
    return text;
}

static void writes_one(unsigned i, struct mailbox *mailbox)
{
    char name[32];
    snprintf(name, sizeof name, "m%u.eml", i);
    drafts[i] = writes(mailbox, name, text_of(i), strlen(text_of(i)));
}

static void writes_some(unsigned count, struct mailbox *mailbox)
{
    for (unsigned i = 0; i < count; i++)
        writes_one(i, mailbox);
}

static void queue_locked(unsigned i)
{
    endings[i] = (struct ending){.wait = {.done = on_end}};
    ck_assert(!draft_send_locked(drafts[i], &endings[i].wait));
}

/* All are queued before the sender sees the first. */
static void queue(unsigned from, unsigned count)
{
    account_lock(world.account);
    for (unsigned i = from; i < from + count; i++)
        queue_locked(i);
    account_unlock(world.account);
}

static void await_told(unsigned i, int error)
{
    const struct timespec until = deadline();
    int rc = 0;
    pthread_mutex_lock(&ends_lock.lock);
    while (!endings[i].told && !rc)
        rc = pthread_cond_timedwait(&ends_lock.changed, &ends_lock.lock, &until);
    pthread_mutex_unlock(&ends_lock.lock);
    ck_assert_msg(!rc, "nobody is told of %u", i);
    ck_assert_uint_eq(endings[i].told, 1);
    ck_assert_msg(endings[i].error == error, "%u: %s instead of %s", i, strerror(endings[i].error),
                  strerror(error));
}

static bool is_told(unsigned i)
{
    pthread_mutex_lock(&ends_lock.lock);
    const bool told = endings[i].told;
    pthread_mutex_unlock(&ends_lock.lock);
    return told;
}

static struct imap_command *await_append(const char *mailbox)
{
    const struct timespec until = deadline();
    char begins[64];
    int rc = 0;
    pthread_mutex_lock(&world_lock);
    while (!world.jobs && !rc)
        rc = pthread_cond_timedwait(&world_changed, &world_lock, &until);
    struct job *job = world.jobs;
    ck_assert_msg(job, "nothing is sent to %s", mailbox);
    world.jobs = job->next;
    pthread_mutex_unlock(&world_lock);
    struct imap_command *command = job->command;
    free(job);
    snprintf(begins, sizeof begins, "APPEND %s ", mailbox);
    ck_assert_msg(command->len > strlen(begins) && !memcmp(command->bytes, begins, strlen(begins)),
                  "%.*s instead of %s", (int)command->len, command->bytes, begins);
    return command;
}

static unsigned messages_in(const struct imap_command *command)
{
    unsigned count = 0;
    for (size_t i = 0; i < command->segment_count; i++)
        count += command->segments[i].kind == IMAP_SEGMENT_SOURCE;
    return count;
}

/* Up to the end of so many messages, as it would go out with LITERAL+ but for the CRLF at the very end. */
static const char *goes_out(const struct imap_command *command, unsigned messages)
{
    static char wire[65536];
    const char *at = command->bytes;
    size_t len = 0;
    for (size_t i = 0; i < command->segment_count && messages; i++) {
        const struct imap_segment *segment = &command->segments[i];
        if (segment->kind != IMAP_SEGMENT_SOURCE) {
            memcpy(wire + len, at, segment->len);
            at += segment->len;
            len += segment->len;
            continue;
        }
        const size_t end =
            len + (size_t)sprintf(wire + len, "{%u+}\r\n", (unsigned)segment->len) + segment->len;
        for (len = end - segment->len; len < end;) {
            const ssize_t n = segment->next(segment->arg, wire + len, end - len);
            ck_assert_int_gt(n, 0);
            len += (size_t)n;
        }
        messages--;
    }
    wire[len] = '\0';
    return wire;
}

/* These, with no flags. */
static void sends_these(const struct imap_command *command, const char *mailbox, unsigned from,
                        unsigned count)
{
    static char expected[65536];
    int len = sprintf(expected, "APPEND %s", mailbox);
    for (unsigned i = from; i < from + count; i++)
        len += sprintf(expected + len, " " DATE "{%zu+}\r\n%s", strlen(text_of(i)), text_of(i));
    ck_assert_uint_eq(messages_in(command), count);
    ck_assert_str_eq(goes_out(command, count), expected);
}

/* args NULL: without APPENDUID. */
static void ends_stored(struct imap_command *command, const char *args)
{
    struct imap_error err = {0};
    struct imap_range range = {0};
    struct imap_seqset set = {.ranges = &range, .count = 1};
    if (args)
        sscanf(args, "7 %u:%u", &range.first, &range.last);
    const struct imap_text text = {.text = "",
                                   .code = args ? IMAP_CODE_APPENDUID : IMAP_CODE_NONE,
                                   .code_args = args ? args : "",
                                   .uidvalidity = args ? 7 : 0,
                                   .to = args ? &set : NULL};
    const struct imap_result result = {.status = IMAP_OK, .text = &text, .error = &err};
    command->events.done(command->arg, &result);
    imap_command_free(&command);
}

static uint32_t uid_of(unsigned i)
{
    char name[32];
    snprintf(name, sizeof name, "m%u.eml", i);
    account_lock(world.account);
    const uint32_t uid =
        written_uid(draft_mailbox_locked(drafts[i]) ? NULL : drafts[i]->mailbox->written, name);
    account_unlock(world.account);
    return uid;
}

static enum draft_state state_of(unsigned i)
{
    account_lock(world.account);
    const enum draft_state now = draft_state_locked(drafts[i]);
    account_unlock(world.account);
    return now;
}

static void saved_as_unclear(unsigned i)
{
    char line[256];
    snprintf(line, sizeof line, "grep -qx 'unclear 1' %s/*.drafts/%u.place", world.dir,
             draft_number_locked(drafts[i]));
    ck_assert_int_eq(system(line), 0);
}

static void let_go_of(unsigned count)
{
    account_lock(world.account);
    for (unsigned i = 0; i < count; i++)
        draft_close_locked(drafts[i]);
    account_unlock(world.account);
    world_fini();
}

/* ---- who goes along ---------------------------------------------------------------------------------- */

START_TEST(what_is_queued_goes_in_one_command)
{
    open_with(ALL_CAPS);
    writes_some(3, archive);
    account_lock(world.account);
    draft_set_flags_locked(drafts[1], WRITE_SET, &(struct imap_flags){.system = IMAP_FLAG_SEEN});
    draft_set_mtime_locked(drafts[2], (struct timespec){.tv_sec = 1000000001});
    account_unlock(world.account);
    queue(0, 3);
    struct imap_command *append = await_append("Archive");
    for (unsigned i = 0; i < 3; i++)
        saved_as_unclear(i);
    ck_assert_str_eq(goes_out(append, 3),
                     "APPEND Archive " DATE "{20+}\r\nSubject: 0\r\n\r\nbody\r\n "
                     "(\\Seen) " DATE "{20+}\r\nSubject: 1\r\n\r\nbody\r\n "
                     "\" 9-Sep-2001 01:46:41 +0000\" {20+}\r\nSubject: 2\r\n\r\nbody\r\n");
    ck_assert_int_eq(draft_write(drafts[2], "more", 4, 0), -EBUSY);
    ends_stored(append, "7 12,10:11"); /* in the order of the messages */
    for (unsigned i = 0; i < 3; i++)
        await_told(i, 0);
    ck_assert_uint_eq(uid_of(0), 12);
    ck_assert_uint_eq(uid_of(1), 10);
    ck_assert_uint_eq(uid_of(2), 11);
    asks_nothing();
    let_go_of(3);
}
END_TEST

START_TEST(without_multiappend_each_goes_by_itself_and_waits_for_none)
{
    struct imap_command *append[6];
    open_with("UIDPLUS");
    writes_some(6, archive);
    queue(0, 6);
    for (unsigned i = 0; i < 6; i++) {
        append[i] = await_append("Archive");
        sends_these(append[i], "Archive", i, 1);
    }
    for (unsigned i = 0; i < 6; i++)
        ends_appended(append[i], 10 + i);
    for (unsigned i = 0; i < 6; i++)
        await_told(i, 0);
    let_go_of(6);
}
END_TEST

START_TEST(mailboxes_do_not_mix_and_each_keeps_its_order)
{
    open_with(ALL_CAPS);
    writes_one(0, archive);
    writes_one(1, archive);
    writes_one(2, inbox);
    writes_one(3, archive);
    account_lock(world.account);
    queue_locked(0);
    queue_locked(2);
    queue_locked(3);
    queue_locked(1);
    account_unlock(world.account);
    struct imap_command *first = await_append("Archive"), *second = await_append("INBOX");
    char expected[512];
    int len = sprintf(expected, "APPEND Archive " DATE "{20+}\r\n%s", text_of(0));
    len += sprintf(expected + len, " " DATE "{20+}\r\n%s", text_of(3));
    sprintf(expected + len, " " DATE "{20+}\r\n%s", text_of(1));
    ck_assert_str_eq(goes_out(first, 3), expected);
    sends_these(second, "INBOX", 2, 1);
    ends_stored(first, "7 10:12");
    ends_stored(second, "7 6");
    for (unsigned i = 0; i < 4; i++)
        await_told(i, 0);
    ck_assert_uint_eq(uid_of(3), 11);
    ck_assert_uint_eq(uid_of(1), 12);
    let_go_of(4);
}
END_TEST

START_TEST(at_most_a_hundred_and_the_files_of_no_more_are_open)
{
    open_with(ALL_CAPS);
    writes_some(MANY, archive);
    queue(0, MANY);
    struct imap_command *append = await_append("Archive");
    sends_these(append, "Archive", 0, 100);
    asks_nothing();
    ends_stored(append, "7 10:109");
    append = await_append("Archive");
    sends_these(append, "Archive", 100, MANY - 100);
    ends_stored(append, "7 110:139");
    for (unsigned i = 0; i < MANY; i++)
        await_told(i, 0);
    ck_assert_uint_eq(uid_of(0), 10);
    ck_assert_uint_eq(uid_of(99), 109);
    ck_assert_uint_eq(uid_of(100), 110);
    ck_assert_uint_eq(uid_of(129), 139);
    let_go_of(MANY);
}
END_TEST

START_TEST(a_large_one_goes_alone_and_is_not_overtaken)
{
    struct imap_command *append[3];
    const size_t size = (4 << 20) + 1;
    char *large = malloc(size);
    open_with(ALL_CAPS);
    writes_some(3, archive);
    memset(large, 'x', size);
    ck_assert_int_eq(draft_write(drafts[1], large, size, 0), (ssize_t)size);
    queue(0, 3);
    for (unsigned i = 0; i < 3; i++) {
        append[i] = await_append("Archive");
        ck_assert_uint_eq(messages_in(append[i]), 1);
    }
    sends_these(append[0], "Archive", 0, 1);
    sends_these(append[2], "Archive", 2, 1);
    for (unsigned i = 0; i < 3; i++) {
        ends_appended(append[i], 20 + i);
        await_told(i, 0);
    }
    free(large);
    let_go_of(3);
}
END_TEST

START_TEST(what_comes_while_some_are_under_way_gathers)
{
    struct imap_command *append[4];
    open_with(ALL_CAPS);
    writes_some(7, archive);
    for (unsigned i = 0; i < 4; i++) {
        queue(i, 1);
        append[i] = await_append("Archive");
        sends_these(append[i], "Archive", i, 1);
    }
    for (unsigned i = 4; i < 7; i++)
        queue(i, 1);
    asks_nothing();
    ends_appended(append[2], 12);
    await_told(2, 0);
    struct imap_command *gathered = await_append("Archive");
    sends_these(gathered, "Archive", 4, 3);
    ends_stored(gathered, "7 20:22");
    for (unsigned i = 4; i < 7; i++)
        await_told(i, 0);
    ends_appended(append[0], 10);
    ends_appended(append[1], 11);
    ends_appended(append[3], 13);
    let_go_of(7);
}
END_TEST

START_TEST(nobodys_draft_is_not_taken_along)
{
    open_with(ALL_CAPS);
    writes_some(4, archive);
    account_lock(world.account);
    for (unsigned i = 0; i < 4; i++)
        queue_locked(i);
    wait_take(&endings[1].wait); /* as wait_cancel does it */
    account_unlock(world.account);
    struct imap_command *append = await_append("Archive");
    ck_assert_uint_eq(messages_in(append), 3);
    ck_assert_ptr_null(strstr(goes_out(append, 3), "Subject: 1"));
    ck_assert(wait_cancel(world.account, &endings[2].wait)); /* too late: it is on its way */
    ends_stored(append, "7 10:12");
    await_told(0, 0);
    await_told(3, 0);
    for (int i = 0; i < DEADLINE_S * 100 && state_of(1) == DRAFT_SENDING; i++)
        usleep(10000);
    ck_assert_int_eq(state_of(1), DRAFT_FAILED);
    ck_assert_uint_eq(uid_of(2), 11);
    ck_assert(!is_told(1) && !is_told(2));
    asks_nothing();
    let_go_of(4);
}
END_TEST

START_TEST(what_cannot_be_taken_fails_alone)
{
    open_with(ALL_CAPS " APPENDLIMIT=30");
    writes_some(4, archive);
    ck_assert_int_eq(draft_write(drafts[1], "a line that makes it too long\r\n", 31, 0), 31);
    ck_assert_int_eq(draft_write(drafts[2], "\0", 1, 3), 1);
    queue(0, 4);
    struct imap_command *append = await_append("Archive");
    ck_assert_uint_eq(messages_in(append), 2);
    await_told(1, EFBIG);
    await_told(2, EINVAL);
    ends_stored(append, "7 10:11");
    await_told(0, 0);
    await_told(3, 0);
    ck_assert_uint_eq(uid_of(3), 11);
    let_go_of(4);
}
END_TEST

/* ---- what becomes of them ------------------------------------------------------------------------------ */

/* INBOX as the server has it from UID 6 on. */
static struct {
    char texts[16][64];
    unsigned count, told; /* told: EXISTS was said of so many */
} stored;

static void stores(unsigned i)
{
    snprintf(stored.texts[stored.count++], sizeof stored.texts[0], "%s", text_of(i));
}

static void answer_listing(struct imap_command *fetch, uint32_t from)
{
    for (uint32_t uid = from; uid < 6 + stored.count; uid++) {
        const struct imap_response response = {.type = IMAP_RESP_FETCH,
                                               .number = uid,
                                               .fetch = {.seq = uid,
                                                         .uid = uid,
                                                         .has = IMAP_FETCH_UID | EVERYTHING,
                                                         .size = strlen(stored.texts[uid - 6])}};
        fetch->events.response(fetch->arg, &response);
    }
    ends(fetch);
}

static void answer_body(struct imap_command *fetch, uint32_t uid)
{
    const char *text = stored.texts[uid - 6];
    const struct imap_fetch so_far = {.uid = uid};
    const struct imap_section section = {.kind = IMAP_SECTION_BODY, .size = strlen(text)};
    if (fetch->events.body_begin(fetch->arg, &so_far, &section)) {
        fetch->events.body_data(fetch->arg, text, strlen(text));
        fetch->events.body_end(fetch->arg);
    }
    ends(fetch);
}

/* False: it is an APPEND. */
static bool answer(struct imap_command *command)
{
    char text[128], *at = NULL;
    snprintf(text, sizeof text, "%.*s", (int)command->len, command->bytes);
    if (!strncmp(text, "APPEND ", 7))
        return false;
    if (!strcmp(text, "NOOP")) {
        if (stored.told < stored.count)
            exists(5 + (stored.told = stored.count));
        ends(command);
        return true;
    }
    ck_assert_msg(!strncmp(text, "UID FETCH ", 10), "%s", text);
    const uint32_t uid = (uint32_t)strtoul(text + 10, &at, 10);
    if (*at == ':')
        answer_listing(command, uid);
    else
        answer_body(command, uid);
    return true;
}

static bool are_told(unsigned from, unsigned count)
{
    while (count && is_told(from))
        from++, count--;
    return !count;
}

/* Answers what is asked about INBOX, until an APPEND comes: that; or until all these are told: NULL. */
static struct imap_command *serves(unsigned from, unsigned count)
{
    const struct timespec until = deadline();
    struct timespec now = {0};
    while (!are_told(from, count) && now.tv_sec < until.tv_sec) {
        clock_gettime(CLOCK_REALTIME, &now);
        const struct timespec soon = {.tv_sec = now.tv_sec + (now.tv_nsec >= 990000000),
                                      .tv_nsec = (now.tv_nsec + 10000000) % 1000000000};
        pthread_mutex_lock(&world_lock);
        if (!world.jobs)
            (void)pthread_cond_timedwait(&world_changed, &world_lock, &soon);
        struct job *job = world.jobs;
        world.jobs = job ? job->next : NULL;
        pthread_mutex_unlock(&world_lock);
        struct imap_command *command = job ? job->command : NULL;
        free(job);
        if (command && !answer(command))
            return command;
    }
    ck_assert_msg(are_told(from, count), "nobody is told");
    return NULL;
}

static const char *const wrong_sets[] = {"7 6:7", "7 6:9", "7 6,6,7", "7 6", "7 x", NULL};

/* Each is found by its bytes; also those of which there are two alike. */
START_TEST(without_a_uid_for_each_they_are_looked_for)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    ck_assert_int_eq(draft_write(drafts[2], text_of(0), strlen(text_of(0)), 0), (ssize_t)strlen(text_of(0)));
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    stores(0);
    stores(1);
    stores(0);
    ends_stored(append, wrong_sets[_i]);
    ck_assert_ptr_null(serves(0, 3));
    for (unsigned i = 0; i < 3; i++)
        await_told(i, 0);
    ck_assert_uint_eq(uid_of(1), 7);
    ck_assert_uint_eq(uid_of(0) * uid_of(2), 6 * 8);
    let_go_of(3);
}
END_TEST

static void ends_refused(struct imap_command *command, enum imap_code code)
{
    ends_saying(command, IMAP_NO, code, "", 0);
}

START_TEST(refused_together_each_is_sent_by_itself)
{
    struct imap_command *append[4];
    open_with(ALL_CAPS);
    writes_some(4, inbox);
    queue(0, 4);
    ends_refused(await_append("INBOX"), IMAP_CODE_OVERQUOTA);
    for (unsigned i = 0; i < 4; i++) {
        append[i] = serves(0, 4);
        ck_assert_ptr_nonnull(append[i]);
        sends_these(append[i], "INBOX", i, 1);
    }
    ends_refused(append[1], IMAP_CODE_TOOBIG);
    ends_appended(append[0], 10);
    ends_appended(append[2], 11);
    ends_refused(append[3], IMAP_CODE_OVERQUOTA);
    await_told(0, 0);
    await_told(1, EFBIG);
    await_told(2, 0);
    await_told(3, EDQUOT);
    ck_assert_uint_eq(uid_of(2), 11);
    ck_assert_int_eq(state_of(1), DRAFT_FAILED);
    queue(3, 1); /* one that is sent anew may go with others again */
    append[3] = serves(3, 1);
    sends_these(append[3], "INBOX", 3, 1);
    ends_appended(append[3], 12);
    await_told(3, 0);
    let_go_of(4);
}
END_TEST

/* As Stalwart does. */
START_TEST(what_was_kept_of_those_refused_is_not_sent_again)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    stores(0);
    ends_refused(append, IMAP_CODE_OVERQUOTA);
    unsigned seen = 0;
    while ((append = serves(0, 3))) {
        ck_assert_uint_eq(messages_in(append), 1);
        const char *subject = strstr(goes_out(append, 1), "Subject: ");
        ck_assert_ptr_nonnull(subject);
        seen = seen * 10 + (unsigned)strtoul(subject + 9, NULL, 10);
        ends_refused(append, IMAP_CODE_OVERQUOTA);
    }
    ck_assert(seen == 12 || seen == 21);
    await_told(0, 0);
    await_told(1, EDQUOT);
    await_told(2, EDQUOT);
    ck_assert_uint_eq(uid_of(0), 6);
    let_go_of(3);
}
END_TEST

START_TEST(a_mailbox_that_cannot_be_listed_is_taken_at_its_word)
{
    open_with(ALL_CAPS);
    writes_some(2, inbox);
    queue(0, 2);
    ends_refused(await_append("INBOX"), IMAP_CODE_OVERQUOTA);
    for (unsigned i = 0, appended = 0; appended < 2; i++) {
        struct imap_command *command = NULL;
        pthread_mutex_lock(&world_lock);
        struct timespec until = deadline();
        while (!world.jobs && !pthread_cond_timedwait(&world_changed, &world_lock, &until))
            continue;
        struct job *job = world.jobs;
        ck_assert_ptr_nonnull(job);
        world.jobs = job->next;
        pthread_mutex_unlock(&world_lock);
        command = job->command;
        free(job);
        if (!strncmp(command->bytes, "APPEND ", 7)) {
            ck_assert_uint_eq(messages_in(command), 1);
            ends_appended(command, 20 + appended++);
        } else {
            ends_refused(command, IMAP_CODE_NOPERM);
        }
    }
    await_told(0, 0);
    await_told(1, 0);
    let_go_of(2);
}
END_TEST

/* ---- lost lines ---------------------------------------------------------------------------------------- */

START_TEST(lost_before_the_first_was_out_they_go_again)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    ends_lost(await_append("INBOX"), IMAP_AGAIN, 0);
    struct imap_command *append = await_append("INBOX"); /* nothing is looked for */
    sends_these(append, "INBOX", 0, 3);
    ends_stored(append, "7 10:12");
    for (unsigned i = 0; i < 3; i++)
        await_told(i, 0);
    let_go_of(3);
}
END_TEST

static const enum imap_status losses[] = {IMAP_AGAIN, IMAP_UNSURE, IMAP_PROTO};

/* Stores all that are in it. */
static void keeps(struct imap_command *append)
{
    char args[32];
    const unsigned first = 6 + stored.count;
    const char *at = goes_out(append, messages_in(append));
    while ((at = strstr(at, "Subject: ")))
        stores((unsigned)strtoul(at += 9, NULL, 10));
    snprintf(args, sizeof args, "7 %u:%u", first, 5 + stored.count);
    ends_stored(append, args);
}

/* Amid the second one, and at the end; the server has kept the first one nevertheless. */
START_TEST(lost_later_they_are_looked_for)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    goes_out(append, losses[_i] == IMAP_AGAIN ? 1 : 3);
    stores(0);
    ends_lost(append, losses[_i], 0);
    while ((append = serves(0, 3)))
        keeps(append);
    ck_assert_uint_eq(stored.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        await_told(i, 0);
        const uint32_t uid = uid_of(i);
        ck_assert_uint_ge(uid, 6);
        ck_assert_str_eq(stored.texts[uid - 6], text_of(i));
    }
    let_go_of(3);
}
END_TEST

START_TEST(lost_with_all_of_them_kept_nothing_is_sent_again)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    for (unsigned i = 0; i < 3; i++)
        stores(i);
    ends_lost(append, IMAP_UNSURE, 0);
    ck_assert_ptr_null(serves(0, 3));
    for (unsigned i = 0; i < 3; i++) {
        await_told(i, 0);
        ck_assert_uint_eq(uid_of(i), 6 + i);
    }
    let_go_of(3);
}
END_TEST

START_TEST(after_a_timeout_none_is_sent_again)
{
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    stores(1);
    ends_lost(append, IMAP_UNSURE, ETIMEDOUT);
    ck_assert_ptr_null(serves(0, 3));
    await_told(0, ETIMEDOUT);
    await_told(1, 0);
    await_told(2, ETIMEDOUT);
    let_go_of(3);
}
END_TEST

START_TEST(one_whose_bytes_have_changed_fails_and_the_others_go_again)
{
    char line[256];
    open_with(ALL_CAPS);
    writes_some(3, inbox);
    queue(0, 3);
    struct imap_command *append = await_append("INBOX");
    snprintf(line, sizeof line, "truncate -s 3 %s/*.drafts/%u", world.dir, draft_number_locked(drafts[1]));
    ck_assert_int_eq(system(line), 0);
    goes_out(append, 1);
    const struct imap_segment *segment = &append->segments[3];
    char bytes[64];
    ck_assert_int_eq(segment->kind, IMAP_SEGMENT_SOURCE);
    ssize_t n;
    while ((n = segment->next(segment->arg, bytes, sizeof bytes)) > 0)
        continue;
    ck_assert_int_eq(n, -ESTALE);
    ends_lost(append, IMAP_SYS, ESTALE);
    append = serves(0, 3);
    ck_assert_ptr_nonnull(append);
    ck_assert_str_ne(goes_out(append, 2), "");
    ends_stored(append, "7 10:11");
    await_told(0, 0);
    await_told(1, ESTALE);
    await_told(2, 0);
    ck_assert_uint_eq(uid_of(2), 11);
    let_go_of(3);
}
END_TEST

/* What cannot be said at all was not sent. */
START_TEST(one_that_breaks_the_command_is_found_by_sending_each)
{
    open_with(ALL_CAPS);
    writes_some(2, inbox);
    queue(0, 2);
    ends_lost(await_append("INBOX"), IMAP_USAGE, 0);
    struct imap_command *one = await_append("INBOX"), *other = await_append("INBOX");
    sends_these(one, "INBOX", 0, 1);
    sends_these(other, "INBOX", 1, 1);
    ends_lost(one, IMAP_USAGE, 0);
    ends_appended(other, 10);
    await_told(0, EIO);
    await_told(1, 0);
    let_go_of(2);
}
END_TEST

START_TEST(cancelled_they_are_unclear_and_stay)
{
    open_with(ALL_CAPS);
    writes_some(2, inbox);
    queue(0, 2);
    ends_lost(await_append("INBOX"), IMAP_CANCEL, 0);
    for (unsigned i = 0; i < 2; i++) {
        while (!is_told(i))
            usleep(1000);
        ck_assert_int_eq(state_of(i), DRAFT_FAILED);
        saved_as_unclear(i);
    }
    asks_nothing();
    let_go_of(2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("send_batch");
    TCase *cases = tcase_create("send_batch");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_is_queued_goes_in_one_command);
    tcase_add_test(cases, without_multiappend_each_goes_by_itself_and_waits_for_none);
    tcase_add_test(cases, mailboxes_do_not_mix_and_each_keeps_its_order);
    tcase_add_test(cases, at_most_a_hundred_and_the_files_of_no_more_are_open);
    tcase_add_test(cases, a_large_one_goes_alone_and_is_not_overtaken);
    tcase_add_test(cases, what_comes_while_some_are_under_way_gathers);
    tcase_add_test(cases, nobodys_draft_is_not_taken_along);
    tcase_add_test(cases, what_cannot_be_taken_fails_alone);
    tcase_add_loop_test(cases, without_a_uid_for_each_they_are_looked_for, 0,
                        sizeof wrong_sets / sizeof *wrong_sets);
    tcase_add_test(cases, refused_together_each_is_sent_by_itself);
    tcase_add_test(cases, what_was_kept_of_those_refused_is_not_sent_again);
    tcase_add_test(cases, a_mailbox_that_cannot_be_listed_is_taken_at_its_word);
    tcase_add_test(cases, lost_before_the_first_was_out_they_go_again);
    tcase_add_loop_test(cases, lost_later_they_are_looked_for, 0, sizeof losses / sizeof *losses);
    tcase_add_test(cases, lost_with_all_of_them_kept_nothing_is_sent_again);
    tcase_add_test(cases, after_a_timeout_none_is_sent_again);
    tcase_add_test(cases, one_whose_bytes_have_changed_fails_and_the_others_go_again);
    tcase_add_test(cases, one_that_breaks_the_command_is_found_by_sending_each);
    tcase_add_test(cases, cancelled_they_are_unclear_and_stay);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
