/* SPDX-License-Identifier: MIT */
#include "imap/value.h"

#include <string.h>
#include <strings.h>

#define EXPONENT_MAX 19
#define SAFE_DIGITS 19 /* so many cannot overflow: 10^19 - 1 < 2^64 */

static bool add_digit(uint64_t *number, unsigned digit)
{
    return !__builtin_mul_overflow(*number, 10, number) && !__builtin_add_overflow(*number, digit, number);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "9.37e+06", as one server writes its integers: exact, or nothing. */
static bool scientific(const char *at, const char *end, uint64_t *number)
{
    int fraction = 0, exponent = 0;

    if (at < end && *at == '.')
        for (at++; at < end && is_digit(*at); at++, fraction++)
            if (!add_digit(number, (unsigned)(*at - '0')))
                return false;
    if (at == end || (*at | 0x20) != 'e')
        return false;
    at++;
    if (at < end && *at == '+')
        at++;
    if (at == end)
        return false;
    for (; at < end && is_digit(*at); at++) {
        exponent = exponent * 10 + (*at - '0');
        if (exponent > EXPONENT_MAX)
            return false;
    }
    if (at != end)
        return false;
    for (; exponent > fraction; exponent--)
        if (!add_digit(number, 0))
            return false;
    for (; exponent < fraction; fraction--) {
        if (*number % 10 != 0)
            return false;
        *number /= 10;
    }
    return true;
}

bool imap_value_number(const struct imap_value *value, uint64_t max, uint64_t *number_out)
{
    const char *at, *end, *safe;
    uint64_t number = 0;

    /* Some servers quote their numbers. */
    if (!value || (value->kind != IMAP_VALUE_ATOM && value->kind != IMAP_VALUE_STRING))
        return false;
    at = value->str;
    end = at + value->len;
    if (at == end || !is_digit(*at))
        return false;
    for (safe = end - at > SAFE_DIGITS ? at + SAFE_DIGITS : end; at < safe && is_digit(*at); at++)
        number = number * 10 + (uint64_t)(*at - '0');
    for (; at < end && is_digit(*at); at++)
        if (!add_digit(&number, (unsigned)(*at - '0')))
            return false;
    if ((at < end && !scientific(at, end, &number)) || number > max)
        return false;
    *number_out = number;
    return true;
}

static bool give(const struct imap_value *value, const char **str_out, size_t *len_out)
{
    *str_out = value->str;
    if (len_out)
        *len_out = value->len;
    return true;
}

bool imap_value_astring(const struct imap_value *value, const char **str_out, size_t *len_out)
{
    if (!value || (value->kind != IMAP_VALUE_ATOM && value->kind != IMAP_VALUE_STRING))
        return false;
    return give(value, str_out, len_out);
}

bool imap_value_nstring(const struct imap_value *value, const char **str_out, size_t *len_out)
{
    if (!value || value->kind == IMAP_VALUE_LIST || value->kind == IMAP_VALUE_STREAMED)
        return false;
    if (value->kind != IMAP_VALUE_NIL)
        return give(value, str_out, len_out);
    *str_out = NULL;
    if (len_out)
        *len_out = 0;
    return true;
}

bool imap_value_is_atom(const struct imap_value *value, const char *word)
{
    return value && value->kind == IMAP_VALUE_ATOM && strcasecmp(value->str, word) == 0;
}

size_t imap_value_count(const struct imap_value *list)
{
    size_t count = 0;

    if (!list || list->kind != IMAP_VALUE_LIST)
        return 0;
    for (const struct imap_value *item = list->child; item; item = item->next)
        count++;
    return count;
}
