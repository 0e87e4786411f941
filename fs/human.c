/* SPDX-License-Identifier: MIT */
#include "human.h"

#include <inttypes.h>

const char *human_bytes(uint64_t bytes, char text_out[static HUMAN_SIZE])
{
    static const char units[] = "KMGTPE";
    unsigned unit = 0;
    uint64_t tenths = bytes;

    if (bytes < 1024) {
        snprintf(text_out, HUMAN_SIZE, "%" PRIu64, bytes);
        return text_out;
    }
    while (tenths >= UINT64_C(1024) * 1024) {
        tenths /= 1024;
        unit++;
    }
    tenths = (tenths * 10 + 512) / 1024;
    if (tenths >= 10240) { /* rounded up to the next unit */
        tenths = 10;
        unit++;
    }
    if (tenths < 1000)
        snprintf(text_out, HUMAN_SIZE, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, units[unit]);
    else
        snprintf(text_out, HUMAN_SIZE, "%" PRIu64 "%c", (tenths + 5) / 10, units[unit]);
    return text_out;
}

const char *human_age(int64_t ms, char text_out[static HUMAN_SIZE])
{
    const int64_t seconds = ms > 0 ? ms / 1000 : 0;

    if (seconds < 100)
        snprintf(text_out, HUMAN_SIZE, "%" PRId64 " s", seconds);
    else if (seconds < INT64_C(100) * 60)
        snprintf(text_out, HUMAN_SIZE, "%" PRId64 " min", seconds / 60);
    else if (seconds < INT64_C(48) * 3600)
        snprintf(text_out, HUMAN_SIZE, "%" PRId64 " h", seconds / 3600);
    else
        snprintf(text_out, HUMAN_SIZE, "%" PRId64 " d", seconds / 86400);
    return text_out;
}

const char *human_time(time_t when, char text_out[static HUMAN_SIZE])
{
    struct tm parts;

    if (!localtime_r(&when, &parts) || strftime(text_out, HUMAN_SIZE, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf(text_out, HUMAN_SIZE, "-");
    return text_out;
}

void human_line(FILE *out, const char *text)
{
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        (void)fputc(byte < 0x20 || byte == 0x7f ? '?' : byte, out);
    }
}
