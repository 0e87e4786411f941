/* SPDX-License-Identifier: MIT */
#include "patience.h"

#define FIRST_LOOK_NS 10000

bool patience_lasts(struct patience *patience, int64_t now)
{
    if (!patience->since)
        patience->since = patience->last = now;
    if (now - patience->last > PATIENCE_DISTURBED_NS)
        patience->leave_alone_until = now + PATIENCE_LEAVE_ALONE_NS;
    patience->last = now;
    return now >= patience->leave_alone_until && now - patience->since < patience->look_ns;
}

void patience_found(struct patience *patience)
{
    patience->since = 0;
}

void patience_slept(struct patience *patience, int64_t now)
{
    if (now - patience->since > PATIENCE_MAX_NS)
        patience->look_ns = patience->look_ns > FIRST_LOOK_NS ? patience->look_ns / 2 : 0;
    else
        patience->look_ns = patience->look_ns ? patience->look_ns * 2 : FIRST_LOOK_NS;
    if (patience->look_ns > PATIENCE_MAX_NS)
        patience->look_ns = PATIENCE_MAX_NS;
    patience->since = 0;
}
