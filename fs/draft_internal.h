/* SPDX-License-Identifier: MIT */
/* draft_internal: the draft itself, for draft.c, draftfile.c and send.c. */
#ifndef FS_DRAFT_INTERNAL_H
#define FS_DRAFT_INTERNAL_H

#include "draft.h"

struct draft {
    struct drafts *drafts;
    struct draft *next; /* by rising number */
    uint32_t number;
    struct mailbox *mailbox; /* NULL: it has no place */
    char *name;
    int fd; /* -1 while it is not open */
    unsigned opens;
    unsigned writers; /* in draft_write or draft_truncate at this moment */
    uint64_t size;
    struct timespec mtime;
    char *flags;
    bool unsent; /* has bytes that were never sent */
    bool saved;  /* the next mount would find it where it is */
    enum draft_state state;
    struct imap_error err;
    /* sending: send.c */
    struct wait_queue waits;
    struct draft *send_next;
    unsigned attempts;
    bool unclear;             /* it may have arrived: to be looked for before it is sent again */
    bool acknowledged;        /* it has arrived, and only its UID is not known */
    uint32_t candidate;       /* the message that is to be compared with it; 0: none */
    uint32_t message_id, uid; /* DRAFT_SENT: what it is now; 0: not known */
    uint32_t uidvalidity;     /* of the mailbox when it was sent first; 0: not known */
    uint32_t uidnext;         /* likewise: it has this UID or a higher one */
    uint64_t wire_size;       /* as sent: bare line ends are CRLF there */
};

struct sender;

struct drafts {
    struct account *account;
    int dir_fd; /* locked */
    char *dir;
    struct draft *first, **tail;
    size_t count;
    uint32_t last_number;
    uint32_t id; /* constant */
    struct sender *sender;
};

/* ---- draftfile.c: the files ------------------------------------------------------------------------- */

/* Makes and locks the directory. */
enum imap_status draftfile_dir(struct drafts *drafts, const char *dir, const struct imap_endpoint *endpoint,
                               struct imap_error *err) IMAP_CHECK;
int draftfile_open(const struct drafts *drafts, uint32_t number,
                   bool make); /* the descriptor, -1 with errno */
/* What the next mount needs to know of it, beside its bytes; 0 or an errno. */
int draftfile_save(const struct drafts *drafts, const struct draft *draft);
void draftfile_remove(const struct drafts *drafts, uint32_t number);
/* Each that was saved; what was not is removed. mailbox and name are the receiver's to copy. */
void draftfile_each(const struct drafts *drafts,
                    void (*each)(void *arg, uint32_t number, const char *mailbox, const char *name,
                                 const char *flags, struct timespec mtime, bool unclear, uint64_t size),
                    void *arg);

/* ---- send.c ----------------------------------------------------------------------------------------- */

struct sender *sender_new(struct drafts *drafts);
void sender_stop(struct sender *sender);
void sender_free(struct sender **sender);
void sender_resume_locked(struct sender *sender);
void sender_remove_locked(struct sender *sender, uint32_t number); /* its files, when it is convenient */
/* draft.c: it is not being sent any more, and perhaps nobody's. */
void draft_settle_locked(struct draft *draft);

#endif
