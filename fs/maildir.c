/* SPDX-License-Identifier: MIT */
#include "maildir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "columns.h"
#include "draft_internal.h"
#include "flagtext.h"
#include "mailbox_internal.h"

#define INFO ":2,"
#define OWN ".imapfs,U="

static const struct {
    char letter;
    const char *flag;
} letters_of[] = {{'D', "\\Draft"},    {'F', "\\Flagged"}, {'P', "$Forwarded"},
                  {'R', "\\Answered"}, {'S', "\\Seen"},    {'T', "\\Deleted"}};

#define LETTER_COUNT (sizeof letters_of / sizeof *letters_of)
#define ALL_LETTERS "DFPRST"

/* ---- names ------------------------------------------------------------------------------------------ */

const char *maildir_sub_name(enum maildir_sub sub)
{
    static const char *const names[] = {"", "cur", "new", "tmp"};
    return names[sub];
}

enum maildir_sub maildir_sub(const char *name)
{
    for (unsigned sub = MAILDIR_CUR; sub <= MAILDIR_TMP; sub++)
        if (strcmp(name, maildir_sub_name(sub)) == 0)
            return sub;
    return MAILDIR_NONE;
}

bool maildir_flat(enum maildir_sub sub, const char *name, char flat[NAME_SIZE])
{
    return snprintf(flat, NAME_SIZE, "%s/%s", maildir_sub_name(sub), name) < NAME_SIZE;
}

/* *leaf_out: what is behind the slash. */
static enum maildir_sub split(const char *flat, const char **leaf_out)
{
    char sub[4] = "";
    if (strlen(flat) < 5 || flat[3] != '/' || strchr(flat + 4, '/'))
        return MAILDIR_NONE;
    memcpy(sub, flat, 3);
    *leaf_out = flat + 4;
    return maildir_sub(sub);
}

bool maildir_is_local(const char *name)
{
    const char *leaf = name;
    return split(name, &leaf) == MAILDIR_TMP || *leaf == '.';
}

static void take_letters(const char *text, char letters[MAILDIR_LETTERS_SIZE])
{
    size_t count = 0;
    for (size_t i = 0; i < LETTER_COUNT; i++)
        if (strchr(text, letters_of[i].letter))
            letters[count++] = letters_of[i].letter;
    letters[count] = '\0';
}

int maildir_parse(const char *flat, struct maildir_name *out)
{
    const char *leaf = NULL;
    *out = (struct maildir_name){.sub = split(flat, &leaf)};
    if (!out->sub)
        return EINVAL;
    const char *info = strstr(leaf, INFO);
    const size_t len = info ? (size_t)(info - leaf) : strlen(leaf);
    out->info = info != NULL;
    out->local = maildir_is_local(flat);
    if (!len && !out->local)
        return EINVAL;
    if (len > MAILDIR_BASE_MAX || strlen(flat) >= NAME_SIZE)
        return ENAMETOOLONG;
    memcpy(out->base, leaf, len);
    take_letters(info ? info + strlen(INFO) : "", out->letters);
    return 0;
}

/* ---- flags ------------------------------------------------------------------------------------------ */

void maildir_letters(const char *flags, char letters[MAILDIR_LETTERS_SIZE])
{
    char found[MAILDIR_LETTERS_SIZE];
    size_t count = 0;
    for (size_t len; *flags; flags += len + (flags[len] == ' ')) {
        len = strcspn(flags, " ");
        for (size_t i = 0; i < LETTER_COUNT; i++)
            if (count < LETTER_COUNT && len == strlen(letters_of[i].flag) &&
                strncasecmp(flags, letters_of[i].flag, len) == 0)
                found[count++] = letters_of[i].letter;
    }
    found[count] = '\0';
    take_letters(found, letters);
}

void maildir_flags(const char *letters, char flags[MAILDIR_FLAGS_SIZE])
{
    size_t len = 0;
    flags[0] = '\0';
    for (size_t i = 0; i < LETTER_COUNT; i++)
        if (strchr(letters, letters_of[i].letter))
            len += (size_t)snprintf(flags + len, MAILDIR_FLAGS_SIZE - len, "%s%s", len ? " " : "",
                                    letters_of[i].flag);
}

void maildir_letters_without(const char *one, const char *other, char letters[MAILDIR_LETTERS_SIZE])
{
    char kept[MAILDIR_LETTERS_SIZE];
    size_t count = 0;
    for (; *one && count < LETTER_COUNT; one++)
        if (!strchr(other, *one))
            kept[count++] = *one;
    kept[count] = '\0';
    take_letters(kept, letters);
}

/* ---- children --------------------------------------------------------------------------------------- */

void maildir_child_escape(char file[NAME_SIZE])
{
    char escaped[NAME_SIZE];
    if (!maildir_sub(file))
        return;
    snprintf(escaped, sizeof escaped, "%%%02X%s", (unsigned char)file[0], file + 1);
    memcpy(file, escaped, sizeof escaped);
}

const char *maildir_child_plain(const char *file)
{
    for (unsigned sub = MAILDIR_CUR; sub <= MAILDIR_TMP; sub++) {
        char escaped[NAME_SIZE];
        snprintf(escaped, sizeof escaped, "%s", maildir_sub_name(sub));
        maildir_child_escape(escaped);
        if (strcmp(file, escaped) == 0)
            return maildir_sub_name(sub);
    }
    return maildir_sub(file) ? NULL : file;
}

/* ---- what is remembered of a message ---------------------------------------------------------------- */

struct record {
    bool cur, info;
    char base[NAME_SIZE]; /* "": its own */
};

static void read_record(const struct mailbox *mailbox, uint32_t uid, struct record *out)
{
    const char *text = mailbox->written ? written_name(mailbox->written, uid) : NULL;
    struct maildir_name name;
    *out = (struct record){.info = true};
    if (!text)
        return;
    out->cur = true;
    if (maildir_parse(text, &name) != 0)
        return; /* "cur//UID", or a name of the other layout */
    out->cur = name.sub == MAILDIR_CUR;
    out->info = name.info || !out->cur;
    memcpy(out->base, name.base, sizeof out->base);
}

/* Who has been written as this base. */
static uint32_t written_base(const struct mailbox *mailbox, const char *base)
{
    static const char *const forms[][2] = {{"new/", ""}, {"cur/", ""}, {"cur/", INFO}};
    uint32_t uid = 0;
    for (size_t i = 0; !uid && mailbox->written && i < sizeof forms / sizeof *forms; i++) {
        char record[2 * NAME_SIZE];
        snprintf(record, sizeof record, "%s%s%s", forms[i][0], base, forms[i][1]);
        uid = written_uid(mailbox->written, record);
    }
    return uid;
}

/* One that somebody wrote under its very name goes before: it steps aside. */
static void own_base(const struct mailbox *mailbox, const struct message *message, char base[NAME_SIZE])
{
    const int len = snprintf(
        base, NAME_SIZE, "%" PRId64 ".V%" PRIu32 "U%" PRIu32 OWN "%" PRIu32 ",S=%" PRIu64,
        (int64_t)message->date.unix_seconds, mailbox->uidvalidity, message->uid, message->uid, message->size);
    const uint32_t other = written_base(mailbox, base);
    if (other && other != message->uid)
        snprintf(base + len, NAME_SIZE - (size_t)len, ",=");
}

static void base_of(const struct mailbox *mailbox, const struct message *message, const struct record *record,
                    char base[NAME_SIZE])
{
    if (*record->base)
        memcpy(base, record->base, NAME_SIZE);
    else
        own_base(mailbox, message, base);
}

static void read_letters(const struct mailbox *mailbox, const struct message *message,
                         char letters[MAILDIR_LETTERS_SIZE])
{
    maildir_letters(mailbox_flags_text_locked(mailbox, message->flagset), letters);
}

enum maildir_sub maildir_sub_of_locked(const struct mailbox *mailbox, const struct message *message)
{
    char letters[MAILDIR_LETTERS_SIZE];
    struct record record;
    read_letters(mailbox, message, letters);
    if (*letters)
        return MAILDIR_CUR;
    read_record(mailbox, message->uid, &record);
    return record.cur ? MAILDIR_CUR : MAILDIR_NEW;
}

void maildir_file_locked(const struct mailbox *mailbox, const struct message *message, char flat[NAME_SIZE])
{
    char letters[MAILDIR_LETTERS_SIZE], base[NAME_SIZE];
    struct record record;
    read_letters(mailbox, message, letters);
    read_record(mailbox, message->uid, &record);
    base_of(mailbox, message, &record, base);
    if (!*letters && !record.cur)
        snprintf(flat, NAME_SIZE, "new/%.*s", (int)(MAILDIR_BASE_MAX + 2), base);
    else
        snprintf(flat, NAME_SIZE, "cur/%.*s%s%s", (int)(MAILDIR_BASE_MAX + 2), base,
                 *letters || record.info ? INFO : "", letters);
}

void maildir_name_locked(const struct mailbox *mailbox, uint32_t uid, char flat[NAME_SIZE])
{
    struct message message;
    flat[0] = '\0';
    if (mailbox_find_locked(mailbox, uid, &message))
        maildir_file_locked(mailbox, &message, flat);
}

uint32_t maildir_base_uid_locked(const struct mailbox *mailbox, const char *base)
{
    const uint32_t uid = written_base(mailbox, base);
    const char *own = strstr(base, OWN);
    struct message message;
    struct record record;
    char is[NAME_SIZE];
    if (uid || !own)
        return uid;
    const unsigned long number = strtoul(own + strlen(OWN), NULL, 10);
    if (!number || number > UINT32_MAX || !mailbox_find_locked(mailbox, (uint32_t)number, &message))
        return 0;
    read_record(mailbox, message.uid, &record);
    base_of(mailbox, &message, &record, is);
    return strcmp(is, base) == 0 ? message.uid : 0;
}

uint32_t maildir_uid_locked(const struct mailbox *mailbox, const char *flat)
{
    struct maildir_name name;
    struct message message;
    char is[NAME_SIZE];
    const uint32_t uid =
        maildir_parse(flat, &name) || name.local ? 0 : maildir_base_uid_locked(mailbox, name.base);
    if (!uid || !mailbox_find_locked(mailbox, uid, &message))
        return uid;
    maildir_file_locked(mailbox, &message, is);
    return strcmp(is, flat) == 0 ? uid : 0;
}

bool maildir_record_locked(const struct mailbox *mailbox, uint32_t uid, const char *flat,
                           char record[NAME_SIZE], uint32_t *holder_out)
{
    struct maildir_name name;
    struct message message;
    char own[NAME_SIZE] = "";
    *holder_out = 0;
    if (maildir_parse(flat, &name) || name.local)
        return false;
    const uint32_t other = maildir_base_uid_locked(mailbox, name.base);
    if (other && other != uid) {
        *holder_out = maildir_uid_locked(mailbox, flat);
        if (!*holder_out)
            return false;
    }
    if (mailbox_find_locked(mailbox, uid, &message))
        own_base(mailbox, &message, own);
    const bool is_own = strcmp(name.base, own) == 0;
    if (is_own && name.sub == MAILDIR_NEW)
        *record = '\0';
    else if (is_own)
        snprintf(record, NAME_SIZE, "cur//%" PRIu32, uid);
    else
        snprintf(record, NAME_SIZE, "%s/%.*s%s", maildir_sub_name(name.sub), (int)MAILDIR_BASE_MAX, name.base,
                 name.sub == MAILDIR_CUR && name.info ? INFO : "");
    return true;
}

bool maildir_renames_locked(const struct mailbox *mailbox, const struct row *before, const struct row *after)
{
    char was[MAILDIR_LETTERS_SIZE], is[MAILDIR_LETTERS_SIZE];
    if (before->size != after->size)
        return true;
    if (before->flagset == after->flagset)
        return false;
    maildir_letters(mailbox_flags_text_locked(mailbox, before->flagset), was);
    maildir_letters(mailbox_flags_text_locked(mailbox, after->flagset), is);
    return strcmp(was, is) != 0;
}

/* ---- drafts ----------------------------------------------------------------------------------------- */

static void set_flags(struct draft *draft, enum write_how how, const char *letters)
{
    char flags[MAILDIR_FLAGS_SIZE];
    struct flagtext flagtext;
    maildir_flags(letters, flags);
    if (flagtext_parse(flags, strlen(flags), &flagtext) == 0)
        draft_set_flags_locked(draft, how, &flagtext.flags);
    flagtext_fini(&flagtext);
}

void maildir_flag_draft_locked(struct draft *draft)
{
    struct maildir_name name;
    char others[MAILDIR_LETTERS_SIZE];
    if (maildir_parse(draft_file_name_locked(draft), &name) || name.local)
        return;
    maildir_letters_without(ALL_LETTERS, name.letters, others);
    set_flags(draft, WRITE_REMOVE, others);
    set_flags(draft, WRITE_ADD, name.letters);
}

/* "tmp/X" -> ".X", "cur/X:2,S" -> "X.eml" */
static void to_files(const struct draft *draft, const struct maildir_name *name, char out[NAME_SIZE])
{
    const size_t len = strlen(name->base);
    const bool ends = len > 4 && strcasecmp(name->base + len - 4, ".eml") == 0;
    if (name->local)
        snprintf(out, NAME_SIZE, "%s%.*s", *name->base == '.' ? "" : ".", (int)MAILDIR_BASE_MAX, name->base);
    else
        snprintf(out, NAME_SIZE, "%.*s%s", (int)MAILDIR_BASE_MAX, name->base, ends ? "" : ".eml");
    if (!name->local && !name_is_writable(out))
        snprintf(out, NAME_SIZE, "unsent-%" PRIu32 ".eml", draft_number_locked(draft));
}

/* "X.eml" -> "cur/X.eml:2,S" */
static void to_maildir(const struct draft *draft, const char *name, char out[NAME_SIZE])
{
    char letters[MAILDIR_LETTERS_SIZE];
    maildir_letters(draft_flags_locked(draft), letters);
    snprintf(out, NAME_SIZE, "cur/%.*s" INFO "%s", (int)MAILDIR_BASE_MAX, name, letters);
}

void maildir_draft_name_locked(const struct draft *draft, const struct mailbox *mailbox, const char *name,
                               char out[NAME_SIZE])
{
    const bool maildir = mailbox->account->maildir;
    struct maildir_name parsed;
    const bool is_ours = maildir_parse(name, &parsed) == 0;
    snprintf(out, NAME_SIZE, "%s", name);
    if (is_ours && !maildir)
        to_files(draft, &parsed, out);
    else if (!is_ours && maildir && !maildir_is_local(name))
        to_maildir(draft, name, out);
    if (strcmp(out, name) == 0 || !draft_find_in_locked(draft->drafts, mailbox, out))
        return;
    if (maildir)
        snprintf(out, NAME_SIZE, "cur/unsent-%" PRIu32 INFO, draft_number_locked(draft));
    else
        snprintf(out, NAME_SIZE, "%sunsent-%" PRIu32 ".eml", parsed.local ? "." : "",
                 draft_number_locked(draft));
}
