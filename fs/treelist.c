/* SPDX-License-Identifier: MIT */
/*
 * treelist: the commands whose answers make the tree: LIST, LSUB where LIST cannot tell subscriptions,
 * NAMESPACE once, and a LIST of each namespace that LIST "" "*" leaves out.
 *
 * All go to the watching connection, so that their answers come on one thread; only `items`, `statuses` and
 * the namespaces are filled there without the lock, and nobody else looks at them before the last command
 * has ended.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "outage.h"
#include "treestatus.h"

#define ATTEMPTS 2
#define INBOX "INBOX"

struct treelist {
    struct account *account;
    struct tree_items items;
    struct tree_statuses statuses;
    char *prefixes[TREE_MAX_PREFIXES]; /* from NAMESPACE */
    char delimiters[TREE_MAX_PREFIXES];
    size_t prefix_count, personal_count; /* the personal ones come first */
    unsigned outstanding;                /* guarded by the lock, as all below */
    unsigned attempt;
    bool extended, extended_bad;
    bool status, status_bad;
    unsigned epoch; /* of NOTIFY, when it was begun */
    bool again;     /* it is not what it was when it was listed */
    bool disputed;  /* likewise, by what came with the answers */
    int64_t asked_ms;
    struct imap_error err;
};

static void treelist_free(struct treelist *list)
{
    tree_items_fini(&list->items);
    tree_statuses_fini(&list->statuses);
    for (size_t i = 0; i < list->prefix_count; i++)
        free(list->prefixes[i]);
    free(list);
}

/* What NOTIFY tells meanwhile comes as if it belonged to the listing. */
static void look_for_news(struct treelist *list, const struct imap_list *entry)
{
    if (!entry->old_name && !(entry->attributes & IMAP_MBOX_NONEXISTENT))
        return;
    account_lock(list->account);
    list->disputed |= announce_is_news_locked(list->account, entry);
    account_unlock(list->account);
}

static void on_response(void *arg, const struct imap_response *response)
{
    struct treelist *list = arg;
    if (response->type == IMAP_RESP_LIST) {
        look_for_news(list, &response->list);
        tree_items_add(&list->items, &response->list, false);
    } else if (response->type == IMAP_RESP_LSUB)
        tree_items_add(&list->items, &response->list, true);
    else if (response->type == IMAP_RESP_STATUS)
        tree_statuses_add(&list->statuses, &response->status);
}

static void take_prefixes(struct treelist *list, const struct imap_namespace_entry *entry)
{
    for (; entry && list->prefix_count < TREE_MAX_PREFIXES; entry = entry->next) {
        /* A wildcard within would list something else. */
        if (!*entry->prefix || strpbrk(entry->prefix, "%*"))
            continue;
        list->delimiters[list->prefix_count] = entry->delimiter;
        list->prefixes[list->prefix_count++] = imap_xstrdup(entry->prefix);
    }
}

static void on_namespaces(void *arg, const struct imap_response *response)
{
    if (response->type != IMAP_RESP_NAMESPACE)
        return;
    struct treelist *list = arg;
    take_prefixes(arg, response->ns.personal);
    list->personal_count = list->prefix_count;
    take_prefixes(arg, response->ns.other);
    take_prefixes(arg, response->ns.shared);
}

static void submit(struct treelist *list, struct imap_command *command,
                   void (*response)(void *, const struct imap_response *),
                   void (*done)(void *, const struct imap_result *))
{
    const struct imap_command_events events = {.response = response, .done = done};
    imap_command_on(command, &events, list);
    list->outstanding++;
    pending_submit_locked(list->account, NULL, IMAP_POOL_WATCHER, 0, command);
}

static void on_list_done(void *arg, const struct imap_result *result);
static void on_optional_done(void *arg, const struct imap_result *result);

static void add_return(const struct treelist *list, struct imap_command *command)
{
    imap_command_raw(command, "RETURN");
    imap_command_open(command);
    imap_command_raw(command, "SUBSCRIBED CHILDREN");
    if (account_offers(list->account, IMAP_CAP_SPECIAL_USE))
        imap_command_raw(command, "SPECIAL-USE");
    if (list->status)
        imap_command_raw(command, "STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)");
    imap_command_close(command);
}

static void submit_list(struct treelist *list, const char *prefix)
{
    struct imap_command *command = imap_command_new("LIST");
    const size_t len = strlen(prefix);
    char *pattern = imap_xstrndup(prefix, len + 1); /* the NUL gives way to the wildcard */
    pattern[len] = '*';
    imap_command_astring(command, "", 0);
    imap_command_astring(command, pattern, len + 1);
    free(pattern);
    if (list->extended)
        add_return(list, command);
    submit(list, command, on_response, on_list_done);
}

static void submit_lsub(struct treelist *list)
{
    struct imap_command *command = imap_command_new("LSUB");
    imap_command_astring(command, "", 0);
    imap_command_astring(command, "*", 1);
    submit(list, command, on_response, on_optional_done);
}

static void begin(struct treelist *list)
{
    struct tree *tree = &list->account->tree;
    struct imap_caps caps;
    const bool known = imap_pool_caps(list->account->pool, &caps);
    list->attempt++;
    list->asked_ms = model_now_ms();
    list->epoch = list->account->announce.epoch;
    list->again = list->disputed = false;
    list->err = (struct imap_error){0};
    list->extended_bad = false;
    list->extended = known && imap_caps_has(&caps, IMAP_CAP_LIST_EXTENDED) && !tree->extended_refused;
    list->status_bad = false;
    list->status = list->extended && tree_status_wanted_locked(list->account);
    tree_items_fini(&list->items);
    tree_statuses_fini(&list->statuses);
    submit_list(list, "");
    if (!list->extended)
        submit_lsub(list);
    for (size_t i = 0; i < tree->prefix_count; i++)
        submit_list(list, tree->prefixes[i]);
    if (!tree->namespaces_known && !list->prefix_count && known && imap_caps_has(&caps, IMAP_CAP_NAMESPACE))
        submit(list, imap_command_new("NAMESPACE"), on_namespaces, on_optional_done);
}

static bool covered(const struct tree_items *items, const char *prefix, char delimiter)
{
    const size_t len = strlen(prefix);
    const size_t bare = len && delimiter && prefix[len - 1] == delimiter ? len - 1 : len;
    for (size_t i = 0; i < items->count; i++) {
        const struct tree_item *item = &items->items[i];
        if (item->subscribed)
            continue;
        if ((item->len > len && strncmp(item->name, prefix, len) == 0) ||
            (item->len == bare && bare == strlen(INBOX) && strncasecmp(item->name, INBOX, bare) == 0 &&
             strncasecmp(prefix, INBOX, bare) == 0))
            return true;
    }
    return false;
}

/* NOTIFY speaks of personal mailboxes unless it is asked for others by name. */
static void take_foreign(struct treelist *list)
{
    struct tree *tree = &list->account->tree;
    const size_t count = list->prefix_count - list->personal_count;
    if (!count)
        return;
    tree->foreign = imap_xcalloc(count, sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        const char *prefix = list->prefixes[list->personal_count + i];
        const size_t len = strlen(prefix);
        const bool ends = prefix[len - 1] == list->delimiters[list->personal_count + i];
        if (len > ends)
            tree->foreign[tree->foreign_count++] = imap_xstrndup(prefix, len - ends);
    }
    if (list->account->announce.scope != IMAP_POOL_NOTIFIED_OFF)
        imap_pool_notify_again(list->account->pool);
}

/* Lists the namespaces that are not in the answer yet. False when there is nothing to do. */
static bool begin_prefixes(struct treelist *list)
{
    struct tree *tree = &list->account->tree;
    if (tree->namespaces_known)
        return false;
    tree->namespaces_known = true;
    take_foreign(list);
    for (size_t i = 0; i < list->prefix_count; i++) {
        if (covered(&list->items, list->prefixes[i], list->delimiters[i]))
            continue;
        tree->prefixes = imap_xreallocarray(tree->prefixes, tree->prefix_count + 1, sizeof(char *));
        tree->prefixes[tree->prefix_count++] = imap_xstrdup(list->prefixes[i]);
        submit_list(list, list->prefixes[i]);
    }
    return list->outstanding != 0;
}

static bool worth_repeating(enum imap_status status)
{
    return status == IMAP_AGAIN || status == IMAP_UNSURE;
}

static void finish(struct treelist *list)
{
    struct account *account = list->account;
    struct tree *tree = &account->tree;
    if (!list->err.status && tree_apply_locked(account, &list->items, &list->err) == IMAP_OK) {
        tree->listed_ms = list->asked_ms;
        tree->told = account->announce.scope != IMAP_POOL_NOTIFIED_OFF && !list->again && !list->disputed &&
                     list->epoch == account->announce.epoch;
        announce_cover_locked(account);
    }
    if (!list->err.status)
        tree_statuses_apply_locked(account, &list->statuses, list->asked_ms);
    const bool failed = list->err.status != IMAP_OK;
    tree->repeats = list->disputed ? tree->repeats + 1 : 0;
    const bool again = !failed && (list->again || (list->disputed && tree->repeats < ATTEMPTS));
    const bool out = failed && account_is_out_locked(account) && worth_repeating(list->err.status);
    if (failed && !out)
        pending_log_locked(account, LOG_WARNING, "cannot list the mailboxes: %s", list->err.text);
    tree->running = NULL;
    if (out && tree_known_locked(account))
        pending_finish_locked(account, &tree->waits, NULL);
    else
        pending_finish_locked(account, &tree->waits, out ? &account->outage : failed ? &list->err : NULL);
    treelist_free(list);
    if (again)
        tree_list_locked(account);
}

/* The last outstanding command has ended. */
static void proceed(struct treelist *list)
{
    struct account *account = list->account;
    if (account->closing) {
        if (!list->err.status)
            imap_error_set(&list->err, IMAP_CANCEL, "the file system is being unmounted");
    } else if (list->status_bad) {
        account->tree.status_refused = true;
        list->attempt = 0;
        begin(list);
        return;
    } else if (list->extended_bad) {
        account->tree.extended_refused = true;
        list->attempt = 0;
        begin(list);
        return;
    } else if (worth_repeating(list->err.status) && list->attempt < ATTEMPTS && !account->outage.status) {
        begin(list);
        return;
    } else if (!list->err.status && begin_prefixes(list)) {
        return;
    }
    finish(list);
}

static void ended(struct treelist *list)
{
    struct account *account = list->account;
    if (--list->outstanding == 0)
        proceed(list);
    account_unlock(account);
}

static void on_list_done(void *arg, const struct imap_result *result)
{
    struct treelist *list = arg;
    account_lock(list->account);
    if (result->status && result->status != IMAP_AGAIN && list->status && result->text)
        list->status_bad = true; /* or a mailbox has a STATUS that makes no sense: LIST alone may do */
    else if (result->status && list->extended && result->bad)
        list->extended_bad = true;
    else if (result->status && !list->err.status)
        list->err = *result->error;
    ended(list);
}

/* LSUB and NAMESPACE: a server that refuses them has a tree all the same. */
static void on_optional_done(void *arg, const struct imap_result *result)
{
    struct treelist *list = arg;
    account_lock(list->account);
    if (result->status && result->status != IMAP_NO && result->status != IMAP_GONE && !list->err.status)
        list->err = *result->error;
    ended(list);
}

void tree_list_locked(struct account *account)
{
    if (account->tree.running || account->closing)
        return;
    struct treelist *list = imap_xcalloc(1, sizeof *list);
    list->account = account;
    account->tree.running = list;
    begin(list);
}

void tree_stirred_locked(struct account *account)
{
    account->tree.told = false;
    if (account->tree.running)
        account->tree.running->again = true;
    else
        tree_list_locked(account);
}

void tree_announced_locked(struct account *account)
{
    struct treelist *list = account->tree.running;
    account->tree.told = false;
    if (list && !list->items.count) /* its LIST waited until NOTIFY was answered */
        list->epoch = account->announce.epoch;
    else if (list)
        list->again = true;
    else if (account->tree.listed_ms)
        tree_list_locked(account);
}
