/* SPDX-License-Identifier: MIT */
#include "scan.h"

#include <string.h>

#define ALL_ORDERS ((1u << SCAN_ORDERS) - 1)
#define RANDOM_MISSES 32   /* so many in no order make a walk of their own */
#define RANDOM_GAP_MS 3000 /* unless they lie this far apart */
#define RANDOM_STEP 8      /* accesses until the random window grows again */
#define RANDOM_WINDOW_MIN (UINT64_C(1) << 20)
#define GROWTH 8
#define DIGITS 10 /* of the largest UID */

static const uint64_t power_of_10[DIGITS + 1] = {1,       10,       100,       1000,       10000,      100000,
                                                 1000000, 10000000, 100000000, 1000000000, 10000000000};

static unsigned digits_of(uint32_t uid)
{
    unsigned digits = 1;
    while (digits < DIGITS && uid >= power_of_10[digits])
        digits++;
    return digits;
}

/* "10.eml" < "100.eml" < "2.eml": as '.' sorts before the digits, a prefix comes first. */
static bool name_before(uint32_t a, uint32_t b)
{
    unsigned a_digits = digits_of(a), b_digits = digits_of(b);
    uint64_t a_key = a * power_of_10[DIGITS - a_digits], b_key = b * power_of_10[DIGITS - b_digits];
    return a_key != b_key ? a_key < b_key : a_digits < b_digits;
}

static bool comes_before(enum scan_order order, uint32_t a, uint32_t b)
{
    switch (order) {
    case SCAN_NAMES:
        return name_before(a, b);
    case SCAN_FALLING:
        return a > b;
    default:
        return a < b;
    }
}

static uint32_t next_uid(const struct scan_source *source, uint32_t after)
{
    struct scan_message message;
    return source->next(source->arg, after, &message) ? message.uid : 0;
}

/* UIDs with the same number of digits sort alike as numbers and as strings, so the order of names is a
 * merge of ten sorted runs; heads[d] is the next of the run with d digits, 0 at its end. */
static uint32_t run_next(const struct scan_source *source, unsigned digits, uint64_t at_least)
{
    if (at_least > UINT32_MAX)
        return 0;
    uint32_t uid = next_uid(source, (uint32_t)(at_least - 1));
    return uid < power_of_10[digits] ? uid : 0;
}

static void names_seek(uint32_t heads[DIGITS + 1], const struct scan_source *source, uint32_t uid)
{
    unsigned own = digits_of(uid);
    for (unsigned digits = 1; digits <= DIGITS; digits++) {
        uint64_t at_least;
        if (digits > own)
            at_least = uid * power_of_10[digits - own]; /* all that begin with uid */
        else
            at_least = uid / power_of_10[own - digits] + 1; /* a prefix of uid came before it */
        heads[digits] = run_next(source, digits, at_least);
    }
}

static unsigned names_first(const uint32_t heads[DIGITS + 1])
{
    unsigned first = 0;
    for (unsigned digits = 1; digits <= DIGITS; digits++)
        if (heads[digits] && (!first || name_before(heads[digits], heads[first])))
            first = digits;
    return first;
}

/* The largest UID below `before`, 0 when there is none: gallops down to a stretch that has one, then
 * halves it, for a mailbox can only be asked upwards. */
static uint32_t previous_uid(const struct scan_source *source, uint32_t before)
{
    uint32_t span = 1;
    for (uint32_t high = before; high > 1; span = span < UINT32_MAX / 2 ? span * 2 : span) {
        uint32_t low = high > span ? high - span : 1;
        uint32_t found = next_uid(source, low - 1);
        if (!found || found >= high) {
            high = low;
            continue;
        }
        while (high - found > 1) {
            uint32_t middle = found + (high - found) / 2, later = next_uid(source, middle - 1);
            if (later && later < high)
                found = later;
            else
                high = middle;
        }
        return found;
    }
    return 0;
}

static uint32_t successor(enum scan_order order, const struct scan_source *source, uint32_t uid)
{
    if (order == SCAN_FALLING)
        return previous_uid(source, uid);
    if (order == SCAN_RISING)
        return next_uid(source, uid);
    uint32_t heads[DIGITS + 1];
    names_seek(heads, source, uid);
    unsigned first = names_first(heads);
    return first ? heads[first] : 0;
}

void scan_init(struct scan *scan, uint64_t limit, uint32_t epoch)
{
    memset(scan, 0, sizeof *scan);
    scan->limit = limit;
    scan->epoch = epoch;
}

static void cursor_begin(struct scan_cursor *cursor, uint32_t uid)
{
    uint16_t life = (uint16_t)(cursor->life + 1); /* tickets of the old one are worth nothing now */
    *cursor = (struct scan_cursor){.active = true, .orders = ALL_ORDERS, .last = uid, .life = life};
}

static void cursor_aim(struct scan_cursor *cursor, const struct scan_source *source, uint32_t uid)
{
    cursor->frontier = uid;
    if (cursor->order == SCAN_NAMES)
        names_seek(cursor->heads, source, uid);
}

static void cursor_refill(struct scan_cursor *cursor)
{
    if (cursor->unread * 2 > cursor->window)
        return;
    if (cursor->window == 0)
        cursor->window = SCAN_WINDOW_MIN;
    else if (cursor->window < SCAN_WINDOW_MAX)
        cursor->window *= GROWTH;
    if (cursor->window > SCAN_WINDOW_MAX)
        cursor->window = SCAN_WINDOW_MAX;
    cursor->fetching = true;
}

/* The orders that make uid the one after the cursor's last access, or after all it has given out. */
static unsigned orders_followed(const struct scan_cursor *cursor, const struct scan_source *source,
                                uint32_t uid)
{
    unsigned followed = 0;
    for (unsigned order = 0; order < SCAN_ORDERS; order++) {
        if (!(cursor->orders & 1u << order) || !comes_before(order, cursor->last, uid))
            continue;
        bool ahead = cursor->started && cursor->order == order && cursor->frontier != cursor->last;
        if (successor(order, source, cursor->last) == uid ||
            (ahead && successor(order, source, cursor->frontier) == uid))
            followed |= 1u << order;
    }
    return followed;
}

static enum scan_order first_order(unsigned orders)
{
    return orders & 1u << SCAN_RISING ? SCAN_RISING : orders & 1u << SCAN_NAMES ? SCAN_NAMES : SCAN_FALLING;
}

static void cursor_follow(struct scan_cursor *cursor, const struct scan_source *source, uint32_t uid,
                          unsigned orders)
{
    cursor->orders = orders;
    cursor->steps++;
    cursor->last = uid;
    if (!cursor->started || !(orders & 1u << cursor->order)) {
        if (cursor->started) { /* aimed wrong: what was given out may never be read */
            cursor->life++;
            cursor->unread = 0;
            cursor->window = 0;
        }
        cursor->started = true;
        cursor->order = first_order(orders);
        cursor_aim(cursor, source, uid);
    } else if (comes_before(cursor->order, cursor->frontier, uid)) {
        cursor_aim(cursor, source, uid);
    }
    cursor_refill(cursor);
}

static struct scan_cursor *ticket_cursor(struct scan *scan, struct scan_ticket ticket)
{
    if (ticket.cursor == 0 || ticket.cursor > SCAN_ALL_CURSORS)
        return NULL;
    struct scan_cursor *cursor = &scan->cursors[ticket.cursor - 1];
    bool valid = cursor->active && cursor->life == ticket.life && scan->epoch == ticket.epoch;
    return valid && cursor->unread >= ticket.bytes ? cursor : NULL;
}

void scan_forget(struct scan *scan, struct scan_ticket ticket)
{
    struct scan_cursor *cursor = ticket_cursor(scan, ticket);
    if (cursor)
        cursor->unread -= ticket.bytes;
}

static void random_step(struct scan *scan, int64_t now_ms)
{
    struct scan_cursor *cursor = &scan->cursors[SCAN_CURSORS];
    cursor->touched_ms = now_ms;
    if (cursor->steps++ % RANDOM_STEP != 0 || !cursor->started)
        return;
    cursor->window = cursor->window ? cursor->window * GROWTH : RANDOM_WINDOW_MIN;
    if (cursor->window > scan->limit)
        cursor->window = scan->limit;
    cursor->fetching = true;
}

static void count_miss(struct scan *scan, int64_t now_ms)
{
    struct scan_cursor *cursor = &scan->cursors[SCAN_CURSORS];
    if (now_ms - scan->missed_ms > RANDOM_GAP_MS)
        scan->misses = 0;
    scan->missed_ms = now_ms;
    if (++scan->misses < RANDOM_MISSES)
        return;
    if (!cursor->active) {
        cursor_begin(cursor, 0);
        cursor->started = true;
        cursor->order = SCAN_RISING;
    }
    random_step(scan, now_ms);
}

static void cursor_accessed(struct scan_cursor *cursor, const struct scan_source *source, uint32_t uid)
{
    cursor->steps++;
    if ((cursor->orders & (cursor->orders - 1)) != 0) {
        unsigned followed = orders_followed(cursor, source, uid);
        if (followed & 1u << cursor->order)
            cursor->orders = followed;
    }
    if (comes_before(cursor->order, cursor->last, uid))
        cursor->last = uid;
    cursor_refill(cursor);
}

/* Those that walk are kept the longest. */
static struct scan_cursor *cursor_to_reuse(struct scan *scan)
{
    struct scan_cursor *best = &scan->cursors[0];
    for (struct scan_cursor *c = best; c < scan->cursors + SCAN_CURSORS; c++) {
        if (!c->active)
            return c;
        bool walks = c->steps > 0, best_walks = best->steps > 0;
        if (walks != best_walks ? best_walks : c->touched_ms < best->touched_ms)
            best = c;
    }
    return best;
}

static bool wants_more(const struct scan *scan)
{
    for (unsigned i = 0; i < SCAN_ALL_CURSORS; i++)
        if (scan->cursors[i].active && scan->cursors[i].fetching)
            return true;
    return false;
}

static void access_without_ticket(struct scan *scan, const struct scan_source *source, uint32_t uid, bool hit,
                                  int64_t now_ms)
{
    for (unsigned i = 0; i < SCAN_CURSORS; i++) {
        unsigned index = (scan->recent + i) % SCAN_CURSORS;
        struct scan_cursor *c = &scan->cursors[index];
        if (!c->active)
            continue;
        unsigned orders = c->last == uid ? 0 : orders_followed(c, source, uid);
        if (!orders && c->last != uid)
            continue;
        c->touched_ms = now_ms;
        scan->recent = index;
        if (orders)
            cursor_follow(c, source, uid, orders);
        scan->walking = c->steps >= 2;
        return;
    }
    struct scan_cursor *cursor = cursor_to_reuse(scan);
    cursor_begin(cursor, uid);
    cursor->touched_ms = now_ms;
    scan->recent = (unsigned)(cursor - scan->cursors);
    if (!hit)
        count_miss(scan, now_ms);
}

bool scan_access(struct scan *scan, const struct scan_source *source, uint32_t uid, struct scan_ticket ticket,
                 bool hit, int64_t now_ms)
{
    (void)scan_expire(scan, now_ms);
    scan->walking = false;
    struct scan_cursor *cursor = ticket_cursor(scan, ticket);
    if (!cursor) {
        access_without_ticket(scan, source, uid, hit, now_ms);
        return wants_more(scan);
    }
    cursor->unread -= ticket.bytes;
    cursor->touched_ms = now_ms;
    if (cursor == &scan->cursors[SCAN_CURSORS])
        random_step(scan, now_ms);
    else
        cursor_accessed(cursor, source, uid);
    scan->walking = true;
    return wants_more(scan);
}

/* The message after the cursor's frontier, to which it moves; its size too. */
static bool cursor_next(struct scan_cursor *cursor, const struct scan_source *source,
                        struct scan_message *message_out)
{
    uint32_t uid;
    if (cursor->order == SCAN_RISING) {
        if (!source->next(source->arg, cursor->frontier, message_out))
            return false;
        cursor->frontier = message_out->uid;
        return true;
    }
    if (cursor->order == SCAN_NAMES) {
        unsigned digits = names_first(cursor->heads);
        if (!digits)
            return false;
        uid = cursor->heads[digits];
        cursor->heads[digits] = run_next(source, digits, (uint64_t)uid + 1);
    } else {
        uid = previous_uid(source, cursor->frontier);
        if (!uid)
            return false;
    }
    cursor->frontier = uid;
    if (!source->next(source->arg, uid - 1, message_out) || message_out->uid != uid)
        *message_out = (struct scan_message){.uid = uid}; /* expunged since: the caller finds nothing */
    return true;
}

bool scan_next(struct scan *scan, const struct scan_source *source, struct scan_message *message_out,
               unsigned *cursor_out)
{
    if (scan_unread(scan) >= scan->limit)
        return false;
    for (unsigned i = 0; i < SCAN_ALL_CURSORS; i++) {
        struct scan_cursor *cursor = &scan->cursors[i];
        if (!cursor->active || !cursor->fetching)
            continue;
        cursor->fetching = cursor->unread < cursor->window && cursor_next(cursor, source, message_out);
        if (cursor->fetching) {
            *cursor_out = i;
            return true;
        }
    }
    return false;
}

struct scan_ticket scan_charge(struct scan *scan, unsigned cursor, uint64_t bytes)
{
    uint32_t charged = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    scan->cursors[cursor].unread += charged;
    return (struct scan_ticket){(uint8_t)(cursor + 1), scan->cursors[cursor].life, scan->epoch, charged};
}

bool scan_expire(struct scan *scan, int64_t now_ms)
{
    bool any = false;
    for (unsigned i = 0; i < SCAN_ALL_CURSORS; i++) {
        struct scan_cursor *cursor = &scan->cursors[i];
        if (cursor->active && now_ms - cursor->touched_ms > SCAN_QUIET_MS)
            *cursor = (struct scan_cursor){.life = cursor->life};
        any |= cursor->active;
    }
    return any;
}

bool scan_walking(const struct scan *scan)
{
    return scan->walking;
}

uint64_t scan_unread(const struct scan *scan)
{
    uint64_t unread = 0;
    for (unsigned i = 0; i < SCAN_ALL_CURSORS; i++)
        unread += scan->cursors[i].unread;
    return unread;
}
