/* SPDX-License-Identifier: MIT */
#include "copyfind.h"

#include "mailbox_internal.h"

uint32_t copyfind_last_locked(const struct mailbox *mailbox)
{
    const struct columns *columns = &mailbox->columns;
    return columns->count ? columns->uid[columns->count - 1] : 0;
}

uint32_t copyfind_uid_locked(const struct mailbox *mailbox, uint32_t last, const struct message *message)
{
    struct message candidate;
    size_t hint = 0;
    uint32_t found = 0;
    while (mailbox_next_locked(mailbox, last, &hint, &candidate)) {
        last = candidate.uid;
        if (candidate.size != message->size || candidate.date.unix_seconds != message->date.unix_seconds)
            continue;
        if (found)
            return 0;
        found = candidate.uid;
    }
    return found;
}
