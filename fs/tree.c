/* SPDX-License-Identifier: MIT */
/*
 * tree: how a listing becomes directories.
 *
 * 1. A mailbox object is found again by its wire name and never freed before its account.
 * 2. Nothing that can fail happens after the first visible change: objects are made as gone ones, and
 *    only when all are made does the tree change over.
 * 3. Two mailboxes of one directory never share a file name.
 */
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../imap/mem.h"
#include "mailbox_internal.h"
#include "maildir.h"
#include "name.h"

#define INBOX "INBOX"
#define BUCKETS_MIN 64
#define MAX_OBJECTS (3 * TREE_MAX_MAILBOXES) /* the stored, the gone and the made-up ones included */
#define MAX_USES 32

static bool is_inbox(const char *wire, size_t len)
{
    return len == strlen(INBOX) && strncasecmp(wire, INBOX, len) == 0;
}

static uint64_t wire_key(const char *wire, size_t len)
{
    return is_inbox(wire, len) ? ids_key(INBOX, strlen(INBOX), 0) : ids_key(wire, len, 0);
}

static size_t wire_bucket(const struct tree *tree, const char *wire, size_t len)
{
    return wire_key(wire, len) & (tree->buckets - 1);
}

static size_t file_bucket(const struct tree *tree, const struct mailbox *parent, const char *file)
{
    return ids_key(file, strlen(file), parent->dir_id) & (tree->buckets - 1);
}

static void hash_in(struct tree *tree, struct mailbox *mailbox)
{
    struct mailbox **wire = &tree->by_wire[wire_bucket(tree, mailbox->wire, strlen(mailbox->wire))];
    mailbox->wire_next = *wire;
    *wire = mailbox;
    if (!mailbox->parent)
        return;
    struct mailbox **file = &tree->by_file[file_bucket(tree, mailbox->parent, mailbox->file)];
    mailbox->file_next = *file;
    *file = mailbox;
}

static void set_buckets(struct tree *tree, size_t buckets)
{
    free(tree->by_wire);
    free(tree->by_file);
    tree->by_wire = imap_xcalloc(buckets, sizeof(struct mailbox *));
    tree->by_file = imap_xcalloc(buckets, sizeof(struct mailbox *));
    tree->buckets = buckets;
    for (struct mailbox *mailbox = tree->all; mailbox; mailbox = mailbox->all_next)
        hash_in(tree, mailbox);
}

static void adopt(struct account *account, struct mailbox *mailbox)
{
    struct tree *tree = &account->tree;
    mailbox->dir_id = ids_take(&account->ids, wire_key(mailbox->wire, strlen(mailbox->wire)), mailbox);
    mailbox->all_next = tree->all;
    tree->all = mailbox;
    if (++tree->count > tree->buckets)
        set_buckets(tree, 2 * tree->buckets);
    else
        hash_in(tree, mailbox);
}

void tree_init(struct account *account)
{
    wait_queue_init(&account->tree.waits);
    set_buckets(&account->tree, BUCKETS_MIN);
    account->top = mailbox_new(account, NULL, "", 0, "");
    account->root = account->top;
    adopt(account, account->top);
}

void tree_fini(struct account *account)
{
    struct tree *tree = &account->tree;
    for (struct mailbox *mailbox = tree->all, *next; mailbox; mailbox = next) {
        next = mailbox->all_next;
        mailbox_free(&mailbox);
    }
    for (size_t i = 0; i < tree->use_count; i++)
        free(tree->uses[i]);
    for (size_t i = 0; i < tree->prefix_count; i++)
        free(tree->prefixes[i]);
    for (size_t i = 0; i < tree->foreign_count; i++)
        free(tree->foreign[i]);
    free(tree->uses);
    free(tree->foreign);
    free(tree->prefixes);
    free(tree->by_wire);
    free(tree->by_file);
    *tree = (struct tree){0};
    account->top = account->root = NULL;
}

struct mailbox *tree_find_locked(struct account *account, const char *wire, size_t len)
{
    const struct tree *tree = &account->tree;
    const bool inbox = is_inbox(wire, len);
    struct mailbox *mailbox = tree->by_wire[wire_bucket(tree, wire, len)];
    for (; mailbox; mailbox = mailbox->wire_next) {
        const size_t other = strlen(mailbox->wire);
        if (inbox ? is_inbox(mailbox->wire, other) : other == len && memcmp(mailbox->wire, wire, len) == 0)
            return mailbox;
    }
    return NULL;
}

struct mailbox *tree_child_locked(const struct mailbox *parent, const char *file)
{
    const struct tree *tree = &parent->account->tree;
    struct mailbox *child = tree->by_file[file_bucket(tree, parent, file)];
    while (child && (child->parent != parent || strcmp(child->file, file) != 0))
        child = child->file_next;
    return child;
}

/* ---- items ---------------------------------------------------------------------------------------- */

void tree_items_fini(struct tree_items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        free(items->items[i].name);
        free(items->items[i].special_use);
    }
    free(items->items);
    *items = (struct tree_items){0};
}

void tree_items_add(struct tree_items *items, const struct imap_list *entry, bool lsub)
{
    size_t len = entry->name_len;
    while (entry->delimiter && len && entry->name[len - 1] == entry->delimiter)
        len--; /* a namespace's root, as some servers list it */
    if (!len || memchr(entry->name, '\0', len))
        return;                                         /* nothing that could be selected */
    if (items->count == 2 * (size_t)TREE_MAX_MAILBOXES) /* LIST and LSUB */
        items->overflow = true;
    if (items->overflow)
        return;
    if (items->count == items->capacity) {
        items->capacity = items->capacity ? 2 * items->capacity : 64;
        items->items = imap_xreallocarray(items->items, items->capacity, sizeof *items->items);
    }
    items->items[items->count++] =
        (struct tree_item){.name = imap_xstrndup(entry->name, len),
                           .len = len,
                           .delimiter = entry->delimiter,
                           .subscribed = lsub,
                           .attributes = entry->attributes,
                           .special_use = entry->special_use ? imap_xstrdup(entry->special_use) : NULL};
}

/* ---- applying ------------------------------------------------------------------------------------- */

/* The new object's place: below parent, by the part of the name that is its own. */
static struct mailbox *make(struct account *account, struct mailbox *parent, const char *wire, size_t len,
                            size_t own, struct imap_error *err)
{
    char file[NAME_SIZE] = INBOX;
    if (account->tree.count >= MAX_OBJECTS) {
        imap_error_set(err, IMAP_LIMIT, "the server lists more than %u mailboxes", TREE_MAX_MAILBOXES);
        return NULL;
    }
    if (len - own > NAME_WIRE_MAX) {
        imap_error_set(err, IMAP_LIMIT, "the server lists a mailbox with a name of %zu bytes", len - own);
        return NULL;
    }
    if (!is_inbox(wire, len))
        name_from_wire(wire + own, len - own, file);
    if (account->maildir)
        maildir_child_escape(file);
    if (tree_child_locked(parent, file)) /* the same path by another delimiter, say */
        name_hashed(wire, len, file);
    struct mailbox *mailbox = mailbox_new(account, parent, wire, len, file);
    mailbox->gone = true;
    adopt(account, mailbox);
    return mailbox;
}

/* The mailbox of that name and all above it, made where they are missing, marked as in this round. */
static struct mailbox *place(struct account *account, const struct tree_item *item, struct imap_error *err)
{
    struct mailbox *at = account->top;
    unsigned depth = 0;
    for (size_t start = 0, end; start <= item->len; start = end + 1) {
        const char *next =
            item->delimiter ? memchr(item->name + start, item->delimiter, item->len - start) : NULL;
        end = next ? (size_t)(next - item->name) : item->len;
        if (++depth > TREE_MAX_DEPTH) {
            imap_error_set(err, IMAP_LIMIT, "the server lists a mailbox more than %u levels deep",
                           TREE_MAX_DEPTH);
            return NULL;
        }
        if (!end)
            continue; /* the name begins with its delimiter: its parent has no name to be found by */
        struct mailbox *child = tree_find_locked(account, item->name, end);
        if (!child)
            child = make(account, at, item->name, end, start, err);
        if (!child)
            return NULL;
        child->round = account->tree.round;
        at = child;
    }
    return at;
}

static int compare_items(const void *one, const void *other)
{
    const struct tree_item *a = one, *b = other;
    return strcmp(a->name, b->name);
}

static char *intern_use(struct tree *tree, const char *use)
{
    for (size_t i = 0; i < tree->use_count; i++)
        if (strcmp(tree->uses[i], use) == 0)
            return tree->uses[i];
    if (tree->use_count == MAX_USES)
        return NULL;
    tree->uses = imap_xreallocarray(tree->uses, tree->use_count + 1, sizeof *tree->uses);
    return tree->uses[tree->use_count++] = imap_xstrdup(use);
}

static bool selectable(unsigned attributes)
{
    return !(attributes & (IMAP_MBOX_NOSELECT | IMAP_MBOX_NONEXISTENT));
}

static void take_attributes(struct mailbox *mailbox, unsigned attributes)
{
    if (selectable(mailbox->attributes) && !selectable(attributes))
        mailbox_reset_locked(mailbox, 0);
    mailbox->attributes = attributes;
}

static void take_item(struct tree *tree, const struct tree_item *item)
{
    struct mailbox *mailbox = item->mailbox;
    if (mailbox->listed != tree->round) {
        mailbox->listed = tree->round;
        mailbox->subscribed = false;
        mailbox->special_use = NULL;
        mailbox->delimiter = item->delimiter;
        take_attributes(mailbox, item->attributes);
    }
    if (item->attributes & IMAP_MBOX_SUBSCRIBED)
        mailbox->subscribed = true;
    if (item->special_use)
        mailbox->special_use = intern_use(tree, item->special_use);
}

static void take_subscription(struct account *account, const struct tree_item *item)
{
    struct mailbox *mailbox = tree_find_locked(account, item->name, item->len);
    if (mailbox)
        mailbox->subscribed = true;
}

static void appear(struct mailbox *mailbox)
{
    mailbox->gone = false;
    mailbox->renamed_to = NULL;
    mailbox_add_child_locked(mailbox->parent, mailbox);
    pending_note_locked(mailbox->account, NOTE_CHILD_NEW, mailbox->parent, 0, mailbox);
}

static void vanish(struct mailbox *mailbox)
{
    mailbox_reset_locked(mailbox, 0);
    stored_gone_locked(mailbox);
    imap_pool_mailbox_gone(mailbox->account->pool, mailbox->wire);
    mailbox->gone = true;
    mailbox->parent->children_changed = true;
    pending_note_locked(mailbox->account, NOTE_CHILD_GONE, mailbox->parent, 0, mailbox);
}

static void change_over(struct account *account, const struct tree_items *items)
{
    struct tree *tree = &account->tree;
    const bool first = !tree->listed_ms;
    for (size_t i = 0; i < items->count; i++)
        if (items->items[i].mailbox)
            take_item(tree, &items->items[i]);
    for (size_t i = 0; i < items->count; i++)
        if (items->items[i].subscribed)
            take_subscription(account, &items->items[i]);
    for (struct mailbox *mailbox = tree->all; mailbox; mailbox = mailbox->all_next) {
        if (!mailbox->parent)
            continue;
        const bool there = mailbox->round == tree->round;
        if (there && mailbox->listed != tree->round) {
            take_attributes(mailbox, IMAP_MBOX_NOSELECT);
            mailbox->special_use = NULL;
        }
        if (there && mailbox->gone)
            appear(mailbox);
        else if (!there && !mailbox->gone)
            vanish(mailbox);
        if (there)
            stored_listed_locked(mailbox);
    }
    for (struct mailbox *mailbox = tree->all; mailbox; mailbox = mailbox->all_next)
        if (mailbox->children_changed) {
            mailbox_order_children_locked(mailbox);
            if (!first)
                mailbox_touch_locked(mailbox);
        }
}

enum imap_status tree_apply_locked(struct account *account, struct tree_items *items, struct imap_error *err)
{
    if (items->overflow)
        return imap_error_set(err, IMAP_LIMIT, "the server lists more than %u mailboxes", TREE_MAX_MAILBOXES);
    struct imap_error why = {0};
    account->tree.round++;
    if (items->count) /* so that numbers and names don't depend on the order of the answers */
        qsort(items->items, items->count, sizeof *items->items, compare_items);
    for (size_t i = 0; i < items->count; i++) {
        struct tree_item *item = &items->items[i];
        item->mailbox = NULL;
        if (item->subscribed || (item->attributes & IMAP_MBOX_NONEXISTENT))
            continue;
        item->mailbox = place(account, item, &why);
        if (!item->mailbox) {
            if (err)
                *err = why;
            return why.status;
        }
    }
    change_over(account, items);
    return IMAP_OK;
}

bool tree_known_locked(const struct account *account)
{
    return account->tree.listed_ms || mailbox_child_count_locked(account->top);
}

/* ---- the root that was asked for ------------------------------------------------------------------- */

static struct mailbox *child_by_text(struct mailbox *parent, const char *text, size_t len)
{
    char *copy = imap_xstrndup(text, len);
    char *wire = imap_xmalloc(4 * len + 3);
    struct mailbox *child = mailbox_child_locked(parent, copy);
    if (!child && !parent->parent && is_inbox(text, len))
        child = mailbox_child_locked(parent, INBOX);
    if (!child && imap_utf7_encode(text, len, wire, 4 * len + 3) && strlen(wire) <= NAME_WIRE_MAX) {
        char file[NAME_SIZE];
        name_from_wire(wire, strlen(wire), file);
        if (parent->account->maildir)
            maildir_child_escape(file);
        child = mailbox_child_locked(parent, file);
    }
    free(wire);
    free(copy);
    return child;
}

static struct mailbox *descend(struct mailbox *at, const char *path, char separator)
{
    while (at && *path) {
        const char *end = strchrnul(path, separator);
        if (end != path)
            at = child_by_text(at, path, (size_t)(end - path));
        path = *end ? end + 1 : end;
    }
    return at;
}

struct mailbox *tree_at_locked(struct account *account, const char *path)
{
    struct mailbox *found = descend(account->top, path, '/');
    const char *separators = found ? "" : "./\\:^|"; /* what servers use for a delimiter */
    for (; !found && *separators; separators++)
        if (strchr(path, *separators))
            found = descend(account->top, path, *separators);
    return found;
}
