/* SPDX-License-Identifier: MIT */
#include "follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../imap/mem.h"
#include "draft_internal.h"
#include "mailbox_internal.h"

struct follow_name {
    uint32_t uid;
    char *file;
};

/* One mailbox. */
struct follow_part {
    struct follow_part *next;
    struct mailbox *old;
    uint32_t uidvalidity;
    struct follow_name *names;
    size_t name_count;
};

struct follow {
    struct account *account;
    size_t prefix; /* length of the old name of all */
    struct follow_part *parts;
};

/* ---- before ----------------------------------------------------------------------------------------- */

static struct follow_part *part_of(struct mailbox *mailbox)
{
    struct follow_part *part = imap_xcalloc(1, sizeof *part);
    part->old = mailbox;
    part->uidvalidity = mailbox->written_uidvalidity;
    part->name_count = mailbox->written ? written_count(mailbox->written) : 0;
    part->names = imap_xcalloc(part->name_count + 1, sizeof *part->names);
    for (size_t i = 0; i < part->name_count; i++) {
        const uint32_t uid = written_at(mailbox->written, i);
        part->names[i] = (struct follow_name){uid, imap_xstrdup(written_name(mailbox->written, uid))};
    }
    return part;
}

struct follow *follow_take_locked(struct mailbox *mailbox)
{
    struct follow *follow = imap_xcalloc(1, sizeof *follow);
    follow->account = mailbox->account;
    follow->prefix = strlen(mailbox->wire);
    for (struct mailbox *one = mailbox->account->tree.all; one; one = one->all_next) {
        if (one->gone || !mailbox_is_below(one, mailbox))
            continue;
        struct follow_part *part = part_of(one);
        part->next = follow->parts;
        follow->parts = part;
    }
    return follow;
}

/* ---- after ------------------------------------------------------------------------------------------ */

static struct mailbox *place_of(const struct follow *follow, const struct follow_part *part, const char *wire)
{
    char *name = NULL;
    if (asprintf(&name, "%s%s", wire, part->old->wire + follow->prefix) < 0)
        abort();
    struct mailbox *place = tree_find_locked(follow->account, name, strlen(name));
    free(name);
    return place && !place->gone && place != part->old ? place : NULL;
}

/* Also for who has it open under a name that it had before. */
static void redirect(struct mailbox *old, struct mailbox *place)
{
    for (struct mailbox *one = old->account->tree.all; one; one = one->all_next)
        if (one->renamed_to == old)
            one->renamed_to = place;
    old->renamed_to = place;
}

void follow_give_locked(struct follow *follow, const char *wire)
{
    for (const struct follow_part *part = follow->parts; part; part = part->next) {
        struct mailbox *place = part->old->gone ? place_of(follow, part, wire) : NULL;
        if (!place)
            continue;
        redirect(part->old, place);
        for (size_t i = 0; i < part->name_count; i++)
            (void)naming_set_locked(place, part->uidvalidity, part->names[i].uid, part->names[i].file);
        drafts_follow_locked(part->old, place);
    }
}

void follow_free(struct follow **follow_in)
{
    struct follow *follow = *follow_in;
    *follow_in = NULL;
    while (follow && follow->parts) {
        struct follow_part *part = follow->parts;
        follow->parts = part->next;
        for (size_t i = 0; i < part->name_count; i++)
            free(part->names[i].file);
        free(part->names);
        free(part);
    }
    free(follow);
}
