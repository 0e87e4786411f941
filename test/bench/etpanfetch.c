/* SPDX-License-Identifier: MIT */
/*
 * etpanfetch: the same as clientfetch's "answer", by libetpan: one UID FETCH, its result lists walked and freed.
 *
 *     etpanfetch PORT USER MAILBOX metadata|bodies        (password in $IMAPFS_PASSWORD)
 */
#include <inttypes.h>
#include <libetpan/libetpan.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct tally {
    uint64_t messages, sum;
};

static _Noreturn void fail(const char *why)
{
    fprintf(stderr, "etpanfetch: %s\n", why);
    exit(1);
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double processor(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/* libetpan leaves this to its user. dt_zone is +hhmm as a decimal number. */
static int64_t unix_seconds(const struct mailimap_date_time *date)
{
    int64_t year = date->dt_year - (date->dt_month <= 2);
    int64_t month = (date->dt_month + 9) % 12;
    int64_t days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + date->dt_day - 719469;
    int64_t zone = date->dt_zone / 100 * 60 + date->dt_zone % 100;
    return ((days * 24 + date->dt_hour) * 60 + date->dt_min - zone) * 60 + date->dt_sec;
}

static void take_static(struct tally *tally, const struct mailimap_msg_att_static *item)
{
    if (item->att_type == MAILIMAP_MSG_ATT_UID)
        tally->sum += item->att_data.att_uid;
    else if (item->att_type == MAILIMAP_MSG_ATT_RFC822_SIZE)
        tally->sum += item->att_data.att_rfc822_size;
    else if (item->att_type == MAILIMAP_MSG_ATT_INTERNALDATE)
        tally->sum += (uint64_t)unix_seconds(item->att_data.att_internal_date);
    else if (item->att_type == MAILIMAP_MSG_ATT_BODY_SECTION)
        tally->sum += item->att_data.att_body_section->sec_length;
}

static void take(struct tally *tally, const struct mailimap_msg_att *message)
{
    tally->messages++;
    for (clistiter *i = clist_begin(message->att_list); i; i = clist_next(i)) {
        const struct mailimap_msg_att_item *item = clist_content(i);
        if (item->att_type == MAILIMAP_MSG_ATT_ITEM_STATIC)
            take_static(tally, item->att_data.att_static);
        else if (item->att_type == MAILIMAP_MSG_ATT_ITEM_DYNAMIC && item->att_data.att_dyn->att_list)
            tally->sum += (uint64_t)clist_count(item->att_data.att_dyn->att_list);
    }
}

static struct mailimap_fetch_type *items(bool bodies)
{
    struct mailimap_fetch_type *type = mailimap_fetch_type_new_fetch_att_list_empty();
    mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_uid());
    if (bodies) {
        struct mailimap_section *all = mailimap_section_new(NULL);
        mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_body_peek_section(all));
    } else {
        mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_flags());
        mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_internaldate());
        mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_rfc822_size());
    }
    return type;
}

static mailimap *open_mailbox(char **argv)
{
    mailimap *imap = mailimap_new(0, NULL);
    int result = mailimap_socket_connect(imap, "127.0.0.1", (uint16_t)strtoul(argv[1], NULL, 10));
    if (result != MAILIMAP_NO_ERROR_AUTHENTICATED && result != MAILIMAP_NO_ERROR_NON_AUTHENTICATED)
        fail("cannot connect");
    if (mailimap_login(imap, argv[2], getenv("IMAPFS_PASSWORD")) != MAILIMAP_NO_ERROR)
        fail("cannot log in");
    if (mailimap_examine(imap, argv[3]) != MAILIMAP_NO_ERROR)
        fail("cannot select");
    return imap;
}

int main(int argc, char **argv)
{
    struct tally tally = {0};
    clist *list;

    if (argc != 5 || !getenv("IMAPFS_PASSWORD"))
        fail("usage: etpanfetch PORT USER MAILBOX metadata|bodies");
    mailimap *imap = open_mailbox(argv);
    struct mailimap_fetch_type *type = items(!strcmp(argv[4], "bodies"));
    struct mailimap_set *set = mailimap_set_new_interval(1, 0); /* 1:* */
    double wall = now(), used = processor();
    if (mailimap_uid_fetch(imap, set, type, &list) != MAILIMAP_NO_ERROR)
        fail("FETCH failed");
    for (clistiter *i = clist_begin(list); i; i = clist_next(i))
        take(&tally, clist_content(i));
    mailimap_fetch_list_free(list);
    wall = now() - wall;
    used = processor() - used;
    printf("%.6f %.6f %" PRIu64 " %" PRIu64 "\n", wall, used, tally.messages, tally.sum);
    mailimap_set_free(set);
    mailimap_fetch_type_free(type);
    mailimap_free(imap);
    return 0;
}
