/* SPDX-License-Identifier: MIT */
#include "mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *mem)
{
    if (!mem) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return mem;
}

void *imap_xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *imap_xcalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *imap_xrealloc(void *mem, size_t size)
{
    return checked(realloc(mem, size ? size : 1));
}

void *imap_xreallocarray(void *mem, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        checked(NULL);
    return imap_xrealloc(mem, bytes);
}

char *imap_xstrdup(const char *str)
{
    return imap_xstrndup(str, strlen(str));
}

char *imap_xstrndup(const char *str, size_t len)
{
    char *copy;

    if (len == SIZE_MAX)
        checked(NULL);
    copy = imap_xmalloc(len + 1);
    if (len)
        memcpy(copy, str, len);
    copy[len] = '\0';
    return copy;
}
