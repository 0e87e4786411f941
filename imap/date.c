/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "imap/types.h"

#define DAY_SECONDS 86400

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that
 * the leap day is the last of its year and a month's offset needs no table. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    if (month <= 2)
        year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

struct cursor {
    const char *at, *end;
};

static bool take_char(struct cursor *cursor, char wanted)
{
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return false;
    cursor->at++;
    return true;
}

static bool take_digits(struct cursor *cursor, int count, unsigned *value_out)
{
    unsigned value = 0;
    if (cursor->end - cursor->at < count)
        return false;
    for (int i = 0; i < count; i++) {
        char c = *cursor->at++;
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (unsigned)(c - '0');
    }
    *value_out = value;
    return true;
}

static bool take_day(struct cursor *cursor, unsigned *day_out)
{
    if (take_char(cursor, ' '))
        return take_digits(cursor, 1, day_out);
    bool single = cursor->end - cursor->at >= 2 && cursor->at[1] == '-';
    return take_digits(cursor, single ? 1 : 2, day_out);
}

/* Three letters of any case as a number; ASCII's cases differ in bit 5 alone. */
static unsigned month_key(const char *letters)
{
    return ((unsigned char)letters[0] | 0x20u) << 16 | ((unsigned char)letters[1] | 0x20u) << 8 |
           ((unsigned char)letters[2] | 0x20u);
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool take_month(struct cursor *cursor, unsigned *month_out)
{
    const char *at = cursor->at;
    if (cursor->end - at < 3 || !is_letter(at[0]) || !is_letter(at[1]) || !is_letter(at[2]))
        return false;
    unsigned key = month_key(at);
    for (unsigned month = 0; month < 12; month++)
        if (key == month_key(month_names[month])) {
            cursor->at += 3;
            *month_out = month + 1;
            return true;
        }
    return false;
}

static bool take_zone(struct cursor *cursor, int *minutes_out)
{
    bool west = take_char(cursor, '-');
    unsigned hours, minutes;
    if (!west && !take_char(cursor, '+'))
        return false;
    if (!take_digits(cursor, 2, &hours) || !take_digits(cursor, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    int total = (int)(hours * 60 + minutes);
    *minutes_out = west ? -total : total;
    return true;
}

bool imap_date_parse(const char *text, size_t len, struct imap_date *date_out)
{
    struct cursor cursor = {text, text + len};
    unsigned day, month, year, hour, minute, second;
    int zone;
    if (!take_day(&cursor, &day) || !take_char(&cursor, '-') || !take_month(&cursor, &month) ||
        !take_char(&cursor, '-') || !take_digits(&cursor, 4, &year) || !take_char(&cursor, ' ') ||
        !take_digits(&cursor, 2, &hour) || !take_char(&cursor, ':') || !take_digits(&cursor, 2, &minute) ||
        !take_char(&cursor, ':') || !take_digits(&cursor, 2, &second) || !take_char(&cursor, ' ') ||
        !take_zone(&cursor, &zone) || cursor.at != cursor.end)
        return false;
    /* 60 is a leap second, which RFC 5322 3.3 allows */
    if (day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60)
        return false;
    date_out->unix_seconds = days_from_civil(year, month, day) * DAY_SECONDS +
                             (int64_t)(hour * 3600 + minute * 60 + second) - (int64_t)zone * 60;
    date_out->zone_minutes = zone;
    return true;
}

bool imap_internaldate_parse(const char *response, size_t len, struct imap_date *date_out)
{
    static const char name[] = "INTERNALDATE \"";
    const size_t name_len = sizeof name - 1;
    for (size_t at = 0; len >= name_len && at <= len - name_len; at++) {
        const char *date = response + at + name_len, *quote;
        if (strncasecmp(response + at, name, name_len) != 0)
            continue;
        quote = memchr(date, '"', (size_t)(response + len - date));
        return quote && imap_date_parse(date, (size_t)(quote - date), date_out);
    }
    return false;
}

/* 1-Jan-0000 to 31-Dec-9999 */
static int64_t clamp_to_four_digits(int64_t seconds)
{
    const int64_t earliest = -62167219200, latest = 253402300799;
    if (seconds < earliest)
        return earliest;
    return seconds > latest ? latest : seconds;
}

void imap_date_format(const struct imap_date *date, char text[IMAP_DATE_TEXT_MAX])
{
    int zone = date->zone_minutes;
    if (zone < -1439 || zone > 1439)
        zone = 0;
    int64_t seconds = clamp_to_four_digits(date->unix_seconds); /* so that the next line cannot overflow */
    seconds = clamp_to_four_digits(seconds + (int64_t)zone * 60);

    int64_t days = seconds / DAY_SECONDS, rest = seconds % DAY_SECONDS, year;
    if (rest < 0) {
        rest += DAY_SECONDS;
        days--;
    }
    unsigned month, day, east = (unsigned)(zone < 0 ? -zone : zone), left = (unsigned)rest;
    civil_from_days(days, &year, &month, &day);
    snprintf(text, IMAP_DATE_TEXT_MAX, "%2u-%s-%04u %02u:%02u:%02u %c%02u%02u", day % 100,
             month_names[(month - 1) % 12], (unsigned)year % 10000, left / 3600 % 24, left / 60 % 60,
             left % 60, zone < 0 ? '-' : '+', east / 60 % 24, east % 60);
}

void imap_int_to_ap(int64_t number, char text[IMAP_AP_TEXT_MAX])
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    int digits = 0;
    while (digits < 16 && rest >> (4 * digits) != 0)
        digits++;
    for (int i = digits; i-- > 0; rest >>= 4)
        text[i] = (char)('A' + (rest & 15));
    text[digits] = '\0';
}
