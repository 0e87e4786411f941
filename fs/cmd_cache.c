/* SPDX-License-Identifier: MIT */
/* imapfs cache: lists, verifies and removes what is kept of accounts. Needs no network and no password. */
#include <fuse_opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "cachedir.h"
#include "commands.h"
#include "config.h"
#include "daemon.h"
#include "human.h"
#include "options.h"

static const char usage[] =
    "usage: imapfs cache [list] [-o cache_dir=DIR]\n"
    "       imapfs cache verify [ACCOUNT] [-o cache_dir=DIR]\n"
    "       imapfs cache purge ACCOUNT|--all [-o cache_dir=DIR]\n"
    "\n"
    "list     what is kept, of which accounts\n"
    "verify   reads all of it, and says what is damaged\n"
    "purge    removes what is kept of an account, unless it is in use; not what was written and is not sent\n"
    "Exit code: 0 well, 1 damaged or not removed, 3 in use.\n";

struct arguments {
    struct config config; /* only its cache_dir */
    struct imap_error err;
    char *words[2];
    unsigned count;
    bool all, help;
};

/* ---- arguments --------------------------------------------------------------------------------------- */

static bool take_option(struct arguments *arguments, const char *option)
{
    struct options options = {.config = &arguments->config, .err = &arguments->err};

    if (strncmp(option, "cache_dir", 9) == 0)
        return options_take(&options, option);
    imap_error_set(&arguments->err, IMAP_USAGE, "the option %.60s is not one of imapfs cache", option);
    return false;
}

static bool take_word(struct arguments *arguments, const char *word)
{
    if (arguments->count == 2) {
        imap_error_set(&arguments->err, IMAP_USAGE, "'%.60s' is one argument too many", word);
        return false;
    }
    arguments->words[arguments->count++] = imap_xstrdup(word);
    return true;
}

static int take(void *data, const char *arg, int key, struct fuse_args *outargs)
{
    struct arguments *arguments = data;
    bool ok = true;

    (void)outargs;
    if (key == FUSE_OPT_KEY_NONOPT)
        ok = take_word(arguments, arg);
    else if (*arg != '-')
        ok = take_option(arguments, arg);
    else if (strcmp(arg, "--all") == 0)
        arguments->all = true;
    else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)
        arguments->help = true;
    else if (strcmp(arg, "--") != 0)
        ok = imap_error_set(&arguments->err, IMAP_USAGE, "unknown option '%.60s'", arg) == IMAP_OK;
    return ok ? 0 : -1;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct fuse_opt none[] = {FUSE_OPT_END};
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);

    bool ok = fuse_opt_parse(&args, arguments, none, take) == 0;
    fuse_opt_free_args(&args);
    if (!arguments->config.cache_dir)
        arguments->config.cache_dir = config_cache_dir();
    return ok;
}

/* ---- list -------------------------------------------------------------------------------------------- */

static const char *state_of(enum imap_status status)
{
    switch (status) {
    case IMAP_OK:
        return "";
    case IMAP_AGAIN:
        return "in use";
    case IMAP_GONE:
        return "empty";
    case IMAP_LIMIT:
        return "version";
    case IMAP_PROTO:
        return "damaged";
    default:
        return "error";
    }
}

static void list_account(const struct cachedir *cachedir, const struct cachedir_account *account)
{
    struct cachedir_content content;
    struct imap_error err = {0};
    char drafts[HUMAN_SIZE], store[HUMAN_SIZE], bodies[HUMAN_SIZE], when[HUMAN_SIZE],
        mailboxes[HUMAN_SIZE] = "-", messages[HUMAN_SIZE] = "-";
    enum imap_status status = cachedir_look(cachedir, account->name, &content, &err);

    if (status == IMAP_OK) {
        (void)snprintf(mailboxes, sizeof(mailboxes), "%zu", content.mailboxes);
        (void)snprintf(messages, sizeof(messages), "%zu", content.messages);
        if (content.damaged || content.changes_damaged)
            status = IMAP_PROTO;
    }
    (void)printf("%8s %8s %9s %10s  %-19s  %-7s  %s\n", human_bytes(account->store_bytes, store),
                 human_bytes(account->bodies_bytes, bodies), mailboxes, messages,
                 human_time(account->used, when), state_of(status), account->name);
    if (account->drafts)
        (void)printf("         files written and not sent: %zu (%s)\n", account->drafts,
                     human_bytes(account->drafts_bytes, drafts));
    if (content.changes)
        (void)printf("         changes not made on the server yet: %zu\n", content.changes);
}

static int list(const struct cachedir *cachedir)
{
    if (cachedir->count)
        (void)puts("listings   bodies mailboxes   messages  last used            state    account");
    for (size_t i = 0; i < cachedir->count; i++)
        list_account(cachedir, &cachedir->accounts[i]);
    return CMD_OK;
}

/* ---- verify ------------------------------------------------------------------------------------------ */

static void on_damaged(void *arg, const char *mailbox)
{
    (void)printf("%s: the listing of %s is damaged\n", (const char *)arg, mailbox);
}

static void print_changes(const char *name, const struct cachedir_content *content)
{
    if (content->changes)
        (void)printf("%s: changes not made on the server yet: %zu\n", name, content->changes);
    if (content->changes_damaged)
        (void)printf("%s: changes that are damaged and will not be made on the server: %zu\n", name,
                     content->changes_damaged);
}

static int verify_account(const struct cachedir *cachedir, const struct cachedir_account *account)
{
    struct cachedir_content content;
    struct imap_error err = {0};
    char name[CACHEDIR_NAME];

    memcpy(name, account->name, sizeof(name));
    enum imap_status status = cachedir_verify(cachedir, name, on_damaged, name, &content, &err);
    if (status == IMAP_AGAIN) {
        (void)printf("%s: in use, not verified\n", name);
        return CMD_NOT_NOW;
    }
    if (status == IMAP_GONE || status == IMAP_LIMIT) { /* nothing that is used is wrong */
        (void)printf("%s: not verified: %s\n", name, err.text);
        return CMD_OK;
    }
    if (status != IMAP_OK) {
        (void)printf("%s: damaged: %s\n", name, err.text);
        return CMD_FAILED;
    }
    const bool damaged = content.damaged || content.bodies_damaged || content.changes_damaged;
    print_changes(name, &content);
    if (content.bodies_damaged)
        (void)printf("%s: %zu bodies are damaged\n", name, content.bodies_damaged);
    (void)printf("%s: %zu mailboxes, %zu messages, %zu bodies: %s\n", name, content.mailboxes,
                 content.messages, content.bodies,
                 content.damaged || content.bodies_damaged
                     ? "what is damaged is asked for again when it is used"
                     : "well");
    return damaged ? CMD_FAILED : CMD_OK;
}

/* ---- purge ------------------------------------------------------------------------------------------- */

struct purge {
    uint64_t bytes;
    bool failed;
};

static void on_removed(void *arg, const char *file, uint64_t bytes, int error)
{
    struct purge *purge = arg;
    char size[HUMAN_SIZE];

    if (error) {
        daemon_log(LOG_ERR, "%s is not removed: %s", file, strerror(error));
        purge->failed = true;
    } else {
        (void)printf("removed %s (%s)\n", file, human_bytes(bytes, size));
    }
    purge->bytes += bytes;
}

static int purge_account(const struct cachedir *cachedir, const struct cachedir_account *account)
{
    struct purge purge = {0};
    struct imap_error err = {0};
    char size[HUMAN_SIZE];
    enum imap_status status = cachedir_purge(cachedir, account->name, on_removed, &purge, &err);

    if (status == IMAP_AGAIN) {
        daemon_log(LOG_ERR, "%s is in use and stays: unmount it first", account->name);
        return CMD_NOT_NOW;
    }
    if (status != IMAP_OK) {
        daemon_log(LOG_ERR, "%s", err.text);
        return CMD_FAILED;
    }
    if (account->drafts)
        (void)printf("%s.drafts stays: files written and not sent: %zu (%s)\n", account->name,
                     account->drafts, human_bytes(account->drafts_bytes, size));
    return purge.failed ? CMD_FAILED : CMD_OK;
}

/* ---- the command ------------------------------------------------------------------------------------- */

typedef int account_work(const struct cachedir *cachedir, const struct cachedir_account *account);

/* Of one account, or of all when name is NULL. What is worst in the end is told. */
static int each(const struct cachedir *cachedir, const char *name, account_work *work)
{
    int worst = CMD_OK;

    if (name) {
        const struct cachedir_account *account = cachedir_find(cachedir, name);
        if (account)
            return work(cachedir, account);
        daemon_log(LOG_ERR, "nothing is kept of %s in %s (see imapfs cache list)", name, cachedir->path);
        return CMD_FAILED;
    }
    for (size_t i = 0; i < cachedir->count; i++) {
        const int code = work(cachedir, &cachedir->accounts[i]);
        if (worst == CMD_OK || code == CMD_FAILED)
            worst = code;
    }
    return worst;
}

static int run(const struct arguments *arguments, const struct cachedir *cachedir)
{
    const char *verb = arguments->count ? arguments->words[0] : "list";
    const char *name = arguments->words[1];

    if (strcmp(verb, "list") == 0 && !name && !arguments->all)
        return list(cachedir);
    if (strcmp(verb, "verify") == 0 && !(name && arguments->all))
        return each(cachedir, name, verify_account);
    if (strcmp(verb, "purge") == 0 && (name != NULL) != arguments->all)
        return each(cachedir, name, purge_account);
    (void)fputs(usage, stderr);
    return CMD_USAGE;
}

static int run_in(const struct arguments *arguments)
{
    struct cachedir cachedir;
    struct imap_error err = {0};
    int rc;

    enum imap_status status = cachedir_read(arguments->config.cache_dir, &cachedir, &err);
    if (status == IMAP_OK || status == IMAP_GONE) { /* nothing is kept where there is no directory */
        rc = run(arguments, &cachedir);
    } else {
        daemon_log(LOG_ERR, "%s", err.text);
        rc = CMD_FAILED;
    }
    cachedir_fini(&cachedir);
    if (fflush(stdout) != 0 && rc == CMD_OK)
        rc = CMD_FAILED;
    return rc;
}

int cmd_cache(int argc, char **argv)
{
    struct arguments arguments = {0};
    int rc;

    if (!parse(argc, argv, &arguments)) {
        daemon_log(LOG_ERR, "%s", *arguments.err.text ? arguments.err.text : "wrong arguments");
        rc = CMD_USAGE;
    } else if (arguments.help) {
        (void)fputs(usage, stdout);
        rc = CMD_OK;
    } else {
        rc = run_in(&arguments);
    }
    for (unsigned i = 0; i < arguments.count; i++)
        free(arguments.words[i]);
    free(arguments.config.cache_dir);
    return rc;
}
