/* SPDX-License-Identifier: MIT */
/* Whatever is a date must be the same date when written and read again; and any number can be written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imap/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct imap_date date, again;
    char text[IMAP_DATE_TEXT_MAX];
    if (imap_date_parse((const char *)data, size, &date)) {
        imap_date_format(&date, text);
        if (strlen(text) != 26 || !imap_date_parse(text, 26, &again))
            abort();
        /* one end of the year 9999 or 0 may be cut */
        bool cut = date.unix_seconds < -62135596800 || date.unix_seconds > 253402214400;
        if (!cut && (again.unix_seconds != date.unix_seconds || again.zone_minutes != date.zone_minutes))
            abort();
    }
    if (size >= 12) {
        int32_t zone;
        memcpy(&date.unix_seconds, data, 8);
        memcpy(&zone, data + 8, 4);
        date.zone_minutes = zone;
        imap_date_format(&date, text);
        if (!imap_date_parse(text, 26, &again))
            abort();
    }
    return 0;
}
