/* SPDX-License-Identifier: MIT */
/* Apart from date.c: local time reads the environment and the zone's file. */
#include <time.h>

#include "imap/types.h"

bool imap_date_local(int64_t unix_seconds, struct imap_date *date_out)
{
    time_t seconds = (time_t)unix_seconds;
    struct tm local;
    if (seconds != unix_seconds || !localtime_r(&seconds, &local))
        return false;
    /* IMAP tells no seconds of a zone, which some had before 1900 */
    *date_out = (struct imap_date){.unix_seconds = unix_seconds, .zone_minutes = (int)(local.tm_gmtoff / 60)};
    return true;
}
