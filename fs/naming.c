/* SPDX-License-Identifier: MIT */
#include "naming.h"

#include <stdio.h>
#include <string.h>

#include "mailbox_internal.h"
#include "maildir.h"

bool naming_is_plain_locked(const struct mailbox *mailbox)
{
    return !mailbox->written;
}

/* ---- both ways ------------------------------------------------------------------------------------- */

/* Directories go before messages: their names are the server's. */
static bool is_hidden(const struct mailbox *mailbox, const char *file)
{
    const struct mailbox *child = tree_child_locked((struct mailbox *)mailbox, file);
    return child && !child->gone;
}

/* The written name in force, or NULL. One with a slash is of the other layout (maildir.h). */
static const char *written_as(const struct mailbox *mailbox, uint32_t uid)
{
    const char *file = written_name(mailbox->written, uid);
    return file && !strchr(file, '/') && !is_hidden(mailbox, file) ? file : NULL;
}

void naming_file_locked(const struct mailbox *mailbox, uint32_t uid, char file[NAME_SIZE])
{
    if (mailbox->account->maildir) {
        maildir_name_locked(mailbox, uid, file);
        return;
    }
    const char *own = mailbox->written ? written_as(mailbox, uid) : NULL;
    if (own) {
        (void)snprintf(file, NAME_SIZE, "%s", own);
        return;
    }
    name_of_message(uid, file);
    if (mailbox->written && written_uid(mailbox->written, file))
        name_of_message_aside(uid, file);
}

bool naming_lists_locked(const struct mailbox *mailbox, uint32_t uid, const char *file)
{
    char own[NAME_SIZE];
    naming_file_locked(mailbox, uid, own);
    return strcmp(own, file) == 0;
}

uint32_t naming_uid_locked(const struct mailbox *mailbox, const char *file)
{
    const uint32_t number = name_message_uid(file);
    if (mailbox->account->maildir)
        return maildir_uid_locked(mailbox, file);
    if (!number && name_message_uid_aside(file))
        return name_message_uid_aside(file);
    if (!mailbox->written)
        return number;
    const uint32_t uid = written_uid(mailbox->written, file);
    if (uid)
        return is_hidden(mailbox, file) ? 0 : uid;
    const char *own = number ? written_as(mailbox, number) : NULL;
    return own && name_message_uid(own) ? 0 : number;
}

/* ---- changes --------------------------------------------------------------------------------------- */

/* What a name of this message, that came or went, makes of names: of itself; of the number that it is, which
 * steps aside for it; and of this message's own number, if that had to. */
static void tell(struct mailbox *mailbox, uint32_t uid, const char *file)
{
    char other[NAME_SIZE];
    const uint32_t number = name_message_uid(file);
    if (mailbox->account->maildir)
        return; /* the kernel keeps none */
    pending_name_locked(mailbox->account, mailbox, file);
    if (number) {
        name_of_message_aside(number, other);
        pending_name_locked(mailbox->account, mailbox, other);
    }
    name_of_message(uid, other);
    pending_name_locked(mailbox->account, mailbox, other);
    name_of_message_aside(uid, other);
    pending_name_locked(mailbox->account, mailbox, other);
}

static void drop(struct mailbox *mailbox, uint32_t uid)
{
    const char *file = written_name(mailbox->written, uid);
    if (!file)
        return;
    tell(mailbox, uid, file);
    stored_name_locked(mailbox, mailbox->written_uidvalidity, uid, NULL);
    written_drop(&mailbox->written, uid);
    mailbox->account->written_count--;
}

static void drop_all(struct mailbox *mailbox)
{
    while (mailbox->written)
        drop(mailbox, written_at(mailbox->written, written_count(mailbox->written) - 1));
}

static void put(struct mailbox *mailbox, uint32_t uidvalidity, uint32_t uid, const char *file)
{
    size_t at = 0;
    written_set(&mailbox->written, uid, file);
    mailbox->written_uidvalidity = uidvalidity;
    mailbox->account->written_count++;
    if (!columns_find(&mailbox->columns, uid, &at))
        mailbox->written_early = true;
}

bool naming_set_locked(struct mailbox *mailbox, uint32_t uidvalidity, uint32_t uid, const char *file)
{
    if (!uidvalidity || (mailbox->uidvalidity && mailbox->uidvalidity != uidvalidity))
        return false;
    if (mailbox->written && mailbox->written_uidvalidity != uidvalidity)
        drop_all(mailbox);
    char record[NAME_SIZE];
    uint32_t holder = 0;
    if (mailbox->account->maildir) {
        if (!maildir_record_locked(mailbox, uid, file, record, &holder))
            return false;
        drop(mailbox, holder);
        file = record;
    }
    const uint32_t before = *file ? written_uid(mailbox->written, file) : 0;
    if (before == uid)
        return true;
    if (before)
        drop(mailbox, before);
    drop(mailbox, uid);
    const bool room = mailbox->account->written_count < NAMING_MAX;
    if (room && *file && name_message_uid(file) != uid) {
        tell(mailbox, uid, file);
        put(mailbox, uidvalidity, uid, file);
        stored_name_locked(mailbox, uidvalidity, uid, file);
    }
    mailbox_touch_locked(mailbox);
    return room;
}

void naming_load_locked(struct mailbox *mailbox, uint32_t uidvalidity, uint32_t uid, const char *file)
{
    const bool fits = (!mailbox->uidvalidity || mailbox->uidvalidity == uidvalidity) &&
                      (!mailbox->written || mailbox->written_uidvalidity == uidvalidity);
    if (fits && mailbox->account->written_count < NAMING_MAX && !written_uid(mailbox->written, file) &&
        !written_name(mailbox->written, uid))
        put(mailbox, uidvalidity, uid, file);
    else
        stored_name_locked(mailbox, uidvalidity, uid, NULL);
}

/* ---- what becomes of messages ------------------------------------------------------------------------ */

/* The name of one that has stepped aside comes or goes with it. */
static void tell_aside(struct mailbox *mailbox, uint32_t uid)
{
    char file[NAME_SIZE];
    if (mailbox->account->maildir)
        return;
    name_of_message_aside(uid, file);
    pending_name_locked(mailbox->account, mailbox, file);
}

void naming_new_locked(struct mailbox *mailbox, uint32_t uid)
{
    const char *file = mailbox->written ? written_name(mailbox->written, uid) : NULL;
    if (file)
        tell(mailbox, uid, file);
    else if (mailbox->written)
        tell_aside(mailbox, uid);
}

void naming_gone_locked(struct mailbox *mailbox, uint32_t uid)
{
    if (mailbox->written)
        tell_aside(mailbox, uid);
    drop(mailbox, uid);
}

void naming_settled_locked(struct mailbox *mailbox, uint32_t uidnext)
{
    if (!mailbox->written || !mailbox->written_early)
        return;
    mailbox->written_early = false;
    for (size_t i = written_count(mailbox->written); i-- > 0;) {
        const uint32_t uid = written_at(mailbox->written, i);
        size_t at = 0;
        if (columns_find(&mailbox->columns, uid, &at))
            continue;
        if (uid >= uidnext)
            mailbox->written_early = true;
        else
            drop(mailbox, uid);
    }
}

void naming_reset_locked(struct mailbox *mailbox, uint32_t uidvalidity)
{
    if (!mailbox->written)
        return;
    mailbox->written_early = true;
    if (!uidvalidity || mailbox->written_uidvalidity != uidvalidity)
        drop_all(mailbox);
}
