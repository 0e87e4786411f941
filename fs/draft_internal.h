/* SPDX-License-Identifier: MIT */
/* draft_internal: the draft itself, for draft*.c and send*.c. Guarded by the account lock. */
#ifndef FS_DRAFT_INTERNAL_H
#define FS_DRAFT_INTERNAL_H

#include "draft.h"
#include "draftcopy.h"

#define DRAFT_BUCKETS 1024u

/* What the sender's thread has to do for a draft that is DRAFT_SENDING. */
enum send_step { SEND_APPEND, SEND_LOOK, SEND_COMPARE, SEND_FAIL };

struct draft {
    struct drafts *drafts;
    struct draft *name_next; /* in a bucket of drafts->by_name, while it is named */
    struct mailbox *mailbox; /* NULL before it has ever had a name */
    char *name;
    uint64_t size;
    struct timespec mtime;
    uint32_t number;
    uint32_t flagset;
    int fd; /* -1 while it is not open */
    unsigned holds;
    unsigned writing; /* in draft_write or draft_truncate at this moment */
    unsigned writers; /* handles that wrote and were not closed */
    enum draft_state state;
    bool named;
    bool unsent;      /* has bytes that were never sent */
    bool spoilt;      /* they are not all that was to be written */
    bool sent;        /* as it was then it is a message: sent_uid, which is 0 when nobody knows which one */
    uint64_t promise; /* writeback has told that it will be sent; its number, 0: it has not */
    struct imap_error err;
    bool flags_copied;           /* nobody has set them: they came with the bytes of a message */
    struct draft_origin *origin; /* of a copy (draftcopy.c); NULL: none */

    /* ---- saving: sender.c ---- */
    bool saved; /* the next mount would find it as it is */
    bool to_save, to_sync;
    bool queued, served; /* in the sender's queue; in the sender's hands */
    bool step_due;       /* is to be taken, once */
    /* ---- sending: send.c, sendlook.c ---- */
    bool unclear;      /* it may have arrived: to be looked for before it is sent again */
    bool late;         /* and may yet: the server did not answer in time */
    bool acknowledged; /* it has arrived, and only its UID is not known */
    bool look_counts;  /* the listing that look waits for began after look_ms */
    bool alone;        /* goes with no others: they were refused together, and each wants its own answer */
    enum send_step step;
    unsigned attempts;
    unsigned refusals;    /* that time may mend, since somebody has asked for it */
    uint32_t candidate;   /* the message that is to be compared with it; 0: none */
    uint32_t uidvalidity; /* of the mailbox when it was sent first; 0: not known */
    uint32_t uidnext;     /* likewise: it has this UID or a higher one; 0: not known */
    uint32_t sent_uidvalidity, sent_uid;
    uint32_t old_uidvalidity, old_uid; /* what the next sending replaces; 0: nothing */
    uint64_t wire_size;                /* as sent: bare line ends are CRLF there; 0: not known */
    int64_t not_before_ms, lost_ms, look_ms;
    struct wait_queue waits, save_waits;
    struct wait look; /* for a listing of the mailbox; or for the deletion of what it replaces */
    struct draft *send_next;
    struct mailbox *former_mailbox; /* where it goes back to when it can't be sent; NULL: it stays */
    char *former_name;
};

struct sender;

struct drafts {
    struct account *account;
    int dir_fd; /* locked */
    char *dir;
    struct draft **all; /* by rising number */
    size_t count, capacity;
    struct draft *by_name[DRAFT_BUCKETS];
    uint32_t last_number;
    uint32_t id; /* constant */
    struct sender *sender;
};

/* What is known of a draft beside its bytes, as it is saved. The strings are the owner's but for mailbox and flags
 * of draft_place_locked, which live as long as the account. */
struct draft_place {
    uint32_t number;
    const char *mailbox, *flags;
    char *name;
    uint64_t size;
    struct timespec mtime;
    bool unclear;
    uint64_t promise;
    uint32_t uidvalidity, uidnext;
};

/* ---- draft.c ---------------------------------------------------------------------------------------- */

struct draft *draft_add_locked(struct drafts *drafts, uint32_t number);
void draft_free(struct draft *draft); /* what is allocated, nothing else */
void draft_show_locked(struct draft *draft);
void draft_hide_locked(struct draft *draft);
void draft_place_locked(const struct draft *draft, struct draft_place *place_out);
/* A mailbox was renamed: what is in it is there now, also for the next mount. */
void drafts_follow_locked(const struct mailbox *from, struct mailbox *to);
/* It is not going to be sent by itself any more. */
void draft_unpromise_locked(struct draft *draft);
/* draft_find_locked, while they are being taken up as well. */
struct draft *draft_find_in_locked(struct drafts *drafts, const struct mailbox *mailbox, const char *name);
/* It may be nobody's any more: then it goes, and its files. */
void draft_settle_locked(struct draft *draft);

/* ---- draftfile.c: the files; without the lock ------------------------------------------------------- */

/* Makes and locks the directory. */
enum imap_status draftfile_dir(struct drafts *drafts, const char *dir, const struct imap_endpoint *endpoint,
                               struct imap_error *err) IMAP_CHECK;
int draftfile_open(const struct drafts *drafts, uint32_t number, bool make); /* -1 with errno */
void draftfile_remove(const struct drafts *drafts, uint32_t number);
void draftfile_forget(const struct drafts *drafts, uint32_t number); /* only where it was */
/* Each that has a place, its name being NULL if that makes no sense; bytes without one are removed. Those that other mounts have left come over first. */
void draftfile_each(struct drafts *drafts, void (*each)(void *arg, const struct draft_place *place),
                    void *arg);

/* ---- draftplace.c ----------------------------------------------------------------------------------- */

#define DRAFTPLACE_SUFFIX ".place"

/* 0 or an errno. sync: it outlives a power cut, as the bytes do. */
int draftplace_write(int dir_fd, const struct draft_place *place, bool sync);
/* False when there is none, or none that makes sense. */
bool draftplace_read(int dir_fd, uint32_t number, struct draft_place *place_out);
void draftplace_fini(struct draft_place *place); /* of draftplace_read */

/* ---- sender.c --------------------------------------------------------------------------------------- */

struct sender *sender_new(struct drafts *drafts);
void sender_stop(struct sender *sender);
void sender_free(struct sender **sender);
void sender_resume_locked(struct sender *sender);
/* Nobody holds it any more: what nobody has sent is saved. */
void sender_left_locked(struct draft *draft);
/* On its thread, in the order asked for: closes fd (or -1), removes the place, or all files of the draft. */
enum sender_chore { SENDER_CLOSE, SENDER_FORGET, SENDER_REMOVE, SENDER_CHECK };
/* To look again for what is due. */
void sender_wake_locked(struct sender *sender);
void sender_chore_locked(struct sender *sender, enum sender_chore chore, uint32_t number, int fd);

#endif
