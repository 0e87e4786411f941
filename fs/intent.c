/* SPDX-License-Identifier: MIT */
#include "intent.h"

#include <stdlib.h>

#include "../imap/mem.h"

struct intent intent_copy(const struct intent *intent)
{
    struct intent copy = *intent;
    copy.from = imap_xstrdup(intent->from);
    copy.to = imap_xstrdup(intent->to);
    copy.file = imap_xstrdup(intent->file);
    return copy;
}

void intents_free(struct intent *intents, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)intents[i].from);
        free((char *)intents[i].to);
        free((char *)intents[i].file);
    }
    free(intents);
}
