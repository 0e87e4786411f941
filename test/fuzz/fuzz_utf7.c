/* SPDX-License-Identifier: MIT */
/* Whatever decodes must encode to the same bytes, and the other way round. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imap/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t there_size = 4 * size + 3;
    char *there = malloc(there_size), *back = malloc(4 * there_size + 3);
    if (imap_utf7_decode(text, size, there, 3 * size + 1) &&
        (!imap_utf7_encode(there, strlen(there), back, 4 * there_size + 3) || strlen(back) != size ||
         memcmp(back, text, size) != 0))
        abort();
    if (imap_utf7_encode(text, size, there, there_size) &&
        (!imap_utf7_decode(there, strlen(there), back, 4 * there_size + 3) || strlen(back) != size ||
         memcmp(back, text, size) != 0))
        abort();
    free(there);
    free(back);
    return 0;
}
