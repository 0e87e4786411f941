/* SPDX-License-Identifier: MIT */
/* Synchronisation against a server made up here, which does as the RFCs say while mail comes, changes and goes
 * at any moment: whenever a listing is said to be whole and all news are in, it is the server's. */
#include "model_world.h"

#define MAX 400
#define ROUNDS 400

struct mail {
    uint32_t uid;
    unsigned flags;
    uint64_t modseq;
};

static struct {
    struct mail mails[MAX];
    size_t count;
    struct mail gone[MAX * ROUNDS]; /* modseq: of the expunge */
    size_t gone_count;
    uint32_t uidnext;
    uint64_t modseq;
    /* the session that has it selected */
    bool selected, other_selected;
    uint32_t view[MAX]; /* UIDs as announced */
    size_t view_count;
    bool tells_vanished, forgets;  /* forgets: no history of expunges, so it names all that is not there */
    bool told_flags[MAX * ROUNDS]; /* by UID: the session knows the flags as they are */
} server;

static struct mailbox *inbox, *other;
static uint64_t seed;
static bool quiet; /* nothing happens by itself */

static unsigned roll(unsigned sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

/* ---- what happens ----------------------------------------------------------------------------------- */

static struct mail *find(uint32_t uid)
{
    for (size_t i = 0; i < server.count; i++)
        if (server.mails[i].uid == uid)
            return &server.mails[i];
    return NULL;
}

static void something_happens(void)
{
    const unsigned what = roll(3);
    server.modseq++;
    if (what == 0 && server.count < MAX - 1) {
        server.uidnext += roll(3) == 0;
        server.mails[server.count++] = (struct mail){server.uidnext++, 0, server.modseq};
    } else if (what == 1 && server.count) {
        struct mail *mail = &server.mails[roll((unsigned)server.count)];
        mail->flags = roll(32);
        mail->modseq = server.modseq;
        server.told_flags[mail->uid] = false;
    } else if (server.count) {
        const size_t at = roll((unsigned)server.count);
        server.gone[server.gone_count++] = (struct mail){server.mails[at].uid, 0, server.modseq};
        memmove(&server.mails[at], &server.mails[at + 1], (--server.count - at) * sizeof *server.mails);
    }
}

/* ---- what the session is told of it ------------------------------------------------------------------- */

static struct imap_command *running; /* being answered */

static bool covers(const struct imap_command *command, uint32_t uid, bool star)
{
    const struct imap_seqset *set = &command->set;
    if (!set->count)
        return false;
    return star ? set->ranges[set->count - 1].last == IMAP_SEQSET_STAR : imap_seqset_contains(set, uid);
}

/* As the session does: a FETCH response goes to a command in flight that may have asked for it. */
static struct imap_command *asker(uint32_t uid)
{
    for (int star = 0; star < 2; star++) {
        if (running && covers(running, uid, star))
            return running;
        for (struct job *job = world.jobs; job; job = job->next)
            if (!strcmp(job->mailbox, "INBOX") && covers(job->command, uid, star))
                return job->command;
    }
    return NULL;
}

static void tell_flags_of(const struct mail *mail, size_t seq)
{
    const struct imap_response response = {
        .type = IMAP_RESP_FETCH,
        .number = (uint32_t)seq,
        .fetch = {.seq = (uint32_t)seq,
                  .uid = mail->uid,
                  .has = IMAP_FETCH_UID | IMAP_FETCH_FLAGS | IMAP_FETCH_MODSEQ,
                  .flags = {.system = mail->flags},
                  .modseq = mail->modseq}};
    struct imap_command *command = asker(mail->uid);
    says(&response, mail->uid);
    if (command)
        command->events.response(command->arg, &response);
    server.told_flags[mail->uid] = true;
}

static void tell_gone_ones(void)
{
    for (size_t i = 0; i < server.view_count;) {
        const uint32_t uid = server.view[i];
        if (find(uid)) {
            i++;
            continue;
        }
        memmove(&server.view[i], &server.view[i + 1], (--server.view_count - i) * sizeof *server.view);
        if (server.tells_vanished)
            vanishes(uid, uid, false, false);
        else
            expunges((uint32_t)i + 1, roll(4) ? uid : 0); /* the session's map may not know it */
    }
}

static void tell_news(void)
{
    if (!server.selected)
        return;
    tell_gone_ones();
    const size_t before = server.view_count;
    const uint32_t last = before ? server.view[before - 1] : 0;
    for (size_t i = 0; i < server.count; i++)
        if (server.mails[i].uid > last)
            server.view[server.view_count++] = server.mails[i].uid;
    if (server.view_count > before)
        exists((uint32_t)server.view_count);
    for (size_t i = 0; i < server.view_count; i++)
        if (!server.told_flags[server.view[i]])
            tell_flags_of(find(server.view[i]), i + 1);
}

static void perhaps(void)
{
    if (quiet)
        return;
    world.told[0] = '\0';
    while (roll(3) == 0)
        something_happens();
    if (roll(4) == 0)
        tell_news();
}

/* ---- SELECT ------------------------------------------------------------------------------------------- */

static void tell_changes(const struct imap_pool_since *since)
{
    if (server.forgets) {
        for (uint32_t uid = 1; uid <= since->last_uid; uid++) {
            const uint32_t first = uid;
            while (uid <= since->last_uid && !find(uid))
                uid++;
            if (uid > first)
                vanishes(first, uid - 1, true, true);
        }
    } else {
        for (size_t i = 0; i < server.gone_count; i++)
            if (server.gone[i].modseq > since->modseq && server.gone[i].uid <= since->last_uid)
                vanishes(server.gone[i].uid, server.gone[i].uid, true, true);
    }
    for (size_t i = 0; i < server.count; i++)
        if (server.mails[i].modseq > since->modseq && server.mails[i].uid <= since->last_uid)
            changes(server.mails[i].uid, server.mails[i].flags, server.mails[i].modseq);
}

static void select_inbox(void)
{
    struct imap_pool_since since = {0};
    if (server.selected)
        return;
    if (server.other_selected)
        leaves("other");
    server.other_selected = false;
    world.resumes =
        imap_caps_has(&world.caps, IMAP_CAP_QRESYNC) && world.events.since(world.account, "INBOX", &since);
    perhaps();
    if (world.resumes)
        tell_changes(&since);
    server.selected = true;
    server.view_count = server.count;
    for (size_t i = 0; i < server.count; i++) {
        server.view[i] = server.mails[i].uid;
        server.told_flags[server.view[i]] = true; /* or asked for */
    }
    selects("INBOX", (uint32_t)server.count, 7, server.uidnext, server.modseq);
}

static void select_other(void)
{
    if (server.other_selected)
        return;
    if (server.selected)
        leaves("INBOX");
    server.selected = false;
    server.other_selected = true;
    world.resumes = false;
    selects("other", 0, 1, 1, 1);
}

/* ---- commands ----------------------------------------------------------------------------------------- */

static uint32_t next_in_view(uint32_t after)
{
    for (size_t i = 0; i < server.view_count; i++)
        if (server.view[i] > after)
            return server.view[i];
    return 0;
}

static void answer_fetch(struct imap_command *command)
{
    const struct imap_seqset *set = &command->set;
    const char *text = command->bytes;
    const char *since_text = memmem(text, command->len, "CHANGEDSINCE ", 13);
    const uint64_t since = since_text ? strtoull(since_text + 13, NULL, 10) : 0;
    const bool everything = memmem(text, command->len, "RFC822.SIZE", 11);
    const bool star = set->count && set->ranges[set->count - 1].last == IMAP_SEQSET_STAR;
    for (uint32_t uid = 0; (uid = next_in_view(uid)) != 0;) {
        const struct mail *mail = find(uid);
        const bool last = star && !next_in_view(uid);
        if (!mail || !(imap_seqset_contains(set, uid) || last) || mail->modseq <= since)
            continue;
        server.told_flags[uid] = true;
        answers_modseq(command, uid, everything ? EVERYTHING : IMAP_FETCH_FLAGS, mail->flags, mail->modseq);
        perhaps();
    }
}

static void answer_search(struct imap_command *command)
{
    struct imap_seqset found = {0};
    uint32_t numbers[MAX];
    size_t count = 0;
    const uint32_t last =
        (uint32_t)strtoul((char *)memmem(command->bytes, command->len, "UID 1:", 6) + 6, NULL, 10);
    for (size_t i = 0; i < server.view_count; i++)
        if (server.view[i] <= last && find(server.view[i])) {
            imap_seqset_add(&found, server.view[i], server.view[i]);
            numbers[count++] = server.view[i];
        }
    struct imap_response response = {.type = IMAP_RESP_SEARCH,
                                     .search = {.numbers = numbers, .count = count}};
    if (memmem(command->bytes, command->len, "RETURN", 6)) {
        response.type = IMAP_RESP_ESEARCH;
        response.esearch =
            (struct imap_esearch){.uid = true, .has_all = count > 0, .all = count ? &found : NULL};
    }
    command->events.response(command->arg, &response);
    imap_seqset_fini(&found);
}

static void lose_line(void)
{
    if (server.selected)
        leaves("INBOX");
    if (server.other_selected)
        leaves("other");
    server.selected = server.other_selected = false;
}

static void run_job(void)
{
    struct job *job = world.jobs;
    struct imap_command *command = job->command;
    world.jobs = job->next;
    world.told[0] = '\0';
    if (strcmp(job->mailbox, "INBOX") == 0)
        select_inbox();
    else
        select_other();
    free(job);
    if (!quiet && roll(40) == 0) {
        lose_line();
        ends_with(command, IMAP_AGAIN);
        return;
    }
    perhaps();
    running = command;
    if (!strcmp(command->verb->name, "UID FETCH") && server.selected)
        answer_fetch(command);
    else if (!strcmp(command->verb->name, "UID SEARCH"))
        answer_search(command);
    else if (!strcmp(command->verb->name, "NOOP") && server.selected)
        tell_news();
    else if (!strcmp(command->verb->name, "UNSELECT"))
        lose_line();
    perhaps();
    running = NULL;
    ends(command);
}

static void run_jobs(void)
{
    for (unsigned i = 0; world.jobs; i++) {
        ck_assert_uint_lt(i, 10000);
        run_job();
    }
}

/* ---- looking ------------------------------------------------------------------------------------------ */

static bool refresh(struct mailbox *mailbox)
{
    struct asked asked;
    if (ask_fresh(mailbox, &asked))
        return true;
    run_jobs();
    ck_assert_uint_eq(asked.told, 1);
    return !asked.err.status;
}

/* Nothing happens any more, and what has happened is told, as IDLE does. */
static void settle_down(void)
{
    quiet = true;
    for (unsigned i = 0; i < 10; i++) {
        world.told[0] = '\0';
        tell_news();
        run_jobs();
    }
    quiet = false;
    world.told[0] = '\0';
}

static bool is_current(void)
{
    account_lock(world.account);
    const bool current = !inbox->sync && watch_current_locked(world.account, inbox);
    account_unlock(world.account);
    return current;
}

static void compare(unsigned round)
{
    size_t hint = 0, count = 0;
    struct message message = {0};
    while (mailbox_next_locked(inbox, message.uid, &hint, &message)) {
        const struct mail *mail = find(message.uid);
        ck_assert_msg(mail, "round %u: %u is not there any more", round, message.uid);
        ck_assert_uint_eq(message.size, message.uid * 100ull);
        char want[128];
        const struct imap_flags flags = {.system = mail->flags};
        account_lock(world.account);
        snprintf(want, sizeof want, "%s",
                 mailbox_flags_text_locked(inbox, flagset_intern(&world.account->flagsets, &flags)));
        account_unlock(world.account);
        ck_assert_msg(!strcmp(mailbox_flags_text_locked(inbox, message.flagset), want),
                      "round %u: %u has %s instead of %s", round, message.uid,
                      mailbox_flags_text_locked(inbox, message.flagset), want);
        count++;
    }
    ck_assert_uint_eq(count, server.count);
}

static const char *const caps[][4] = {{"QRESYNC", "ESEARCH", "UNSELECT"},
                                      {"QRESYNC", "ESEARCH"},
                                      {"CONDSTORE", "ESEARCH", "UNSELECT"},
                                      {"CONDSTORE"},
                                      {""}};

START_TEST(a_whole_listing_is_the_servers)
{
    unsigned whole = 0;
    world_init();
    cap("IDLE");
    memset(&server, 0, sizeof server);
    server.uidnext = server.modseq = 1;
    seed = (uint64_t)_i * 7919 + 1;
    const size_t way = (size_t)_i % (sizeof caps / sizeof *caps);
    for (size_t i = 0; i < 4 && caps[way][i]; i++)
        cap(caps[way][i]);
    server.tells_vanished = way < 2;
    server.forgets = _i % 3 == 0;
    world.lists[0] = (struct imap_list){.name = "INBOX", .delimiter = '/'};
    world.lists[1] = (struct imap_list){.name = "other", .delimiter = '/'};
    world.list_count = 2;
    struct imap_error err = {0};
    ck_assert_msg(!world_open(NULL, &err), "%s", err.text);
    inbox = below(account_root(world.account), "INBOX");
    other = below(account_root(world.account), "other");
    for (unsigned i = 0; i < 100; i++)
        something_happens();
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (roll(3))
            refresh(other);
        while (roll(6))
            something_happens();
        if (roll(20) == 0)
            lose_line();
        world.told[0] = '\0';
        const bool right = refresh(inbox);
        settle_down();
        if (!right || !is_current())
            continue; /* an error; or nobody says that it is fresh */
        compare(round);
        whole++;
    }
    ck_assert_uint_gt(whole, ROUNDS / 8); /* else nothing was tested: without mod-sequences many give up */
    world_fini();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resync_random");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 60);
    const char *seeds = getenv("SEEDS"); /* more, for a longer run */
    tcase_add_loop_test(cases, a_whole_listing_is_the_servers, 0, seeds ? atoi(seeds) : 15);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
