/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "imap/types.h"

static const char *const cap_names[IMAP_CAP_COUNT] = {
    [IMAP_CAP_IMAP4REV1] = "IMAP4REV1",
    [IMAP_CAP_IMAP4REV2] = "IMAP4REV2",
    [IMAP_CAP_ACL] = "ACL",
    [IMAP_CAP_APPENDLIMIT] = "APPENDLIMIT",
    [IMAP_CAP_AUTH_PLAIN] = "AUTH=PLAIN",
    [IMAP_CAP_BINARY] = "BINARY",
    [IMAP_CAP_COMPRESS_DEFLATE] = "COMPRESS=DEFLATE",
    [IMAP_CAP_CONDSTORE] = "CONDSTORE",
    [IMAP_CAP_CREATE_SPECIAL_USE] = "CREATE-SPECIAL-USE",
    [IMAP_CAP_ENABLE] = "ENABLE",
    [IMAP_CAP_ESEARCH] = "ESEARCH",
    [IMAP_CAP_ID] = "ID",
    [IMAP_CAP_IDLE] = "IDLE",
    [IMAP_CAP_LIST_EXTENDED] = "LIST-EXTENDED",
    [IMAP_CAP_LIST_STATUS] = "LIST-STATUS",
    [IMAP_CAP_LITERAL_MINUS] = "LITERAL-",
    [IMAP_CAP_LITERAL_PLUS] = "LITERAL+",
    [IMAP_CAP_LOGINDISABLED] = "LOGINDISABLED",
    [IMAP_CAP_METADATA] = "METADATA",
    [IMAP_CAP_MOVE] = "MOVE",
    [IMAP_CAP_MULTIAPPEND] = "MULTIAPPEND",
    [IMAP_CAP_NAMESPACE] = "NAMESPACE",
    [IMAP_CAP_NOTIFY] = "NOTIFY",
    [IMAP_CAP_OBJECTID] = "OBJECTID",
    [IMAP_CAP_PARTIAL] = "PARTIAL",
    [IMAP_CAP_PREVIEW] = "PREVIEW",
    [IMAP_CAP_QRESYNC] = "QRESYNC",
    [IMAP_CAP_QUOTA] = "QUOTA",
    [IMAP_CAP_REPLACE] = "REPLACE",
    [IMAP_CAP_SASL_IR] = "SASL-IR",
    [IMAP_CAP_SAVEDATE] = "SAVEDATE",
    [IMAP_CAP_SEARCHRES] = "SEARCHRES",
    [IMAP_CAP_SORT] = "SORT",
    [IMAP_CAP_SPECIAL_USE] = "SPECIAL-USE",
    [IMAP_CAP_STARTTLS] = "STARTTLS",
    [IMAP_CAP_STATUS_SIZE] = "STATUS=SIZE",
    [IMAP_CAP_UIDONLY] = "UIDONLY",
    [IMAP_CAP_UIDPLUS] = "UIDPLUS",
    [IMAP_CAP_UNSELECT] = "UNSELECT",
    [IMAP_CAP_UTF8_ACCEPT] = "UTF8=ACCEPT",
    [IMAP_CAP_WITHIN] = "WITHIN",
    [IMAP_CAP_X_GM_EXT_1] = "X-GM-EXT-1",
};

#define BIT(cap) ((uint64_t)1 << (cap))
_Static_assert(IMAP_CAP_COUNT <= 64, "capabilities must fit the bits");

/* What IMAP4rev2 contains (RFC 9051 appendix E). It counts only where rev2 is the only protocol on
 * offer: beside rev1 it must be enabled first, and such a server lists these words as well. */
static const uint64_t rev2_contains =
    BIT(IMAP_CAP_ENABLE) | BIT(IMAP_CAP_ESEARCH) | BIT(IMAP_CAP_IDLE) | BIT(IMAP_CAP_LIST_EXTENDED) |
    BIT(IMAP_CAP_LIST_STATUS) | BIT(IMAP_CAP_LITERAL_MINUS) | BIT(IMAP_CAP_MOVE) | BIT(IMAP_CAP_NAMESPACE) |
    BIT(IMAP_CAP_SASL_IR) | BIT(IMAP_CAP_SEARCHRES) | BIT(IMAP_CAP_SPECIAL_USE) | BIT(IMAP_CAP_STATUS_SIZE) |
    BIT(IMAP_CAP_UIDPLUS) | BIT(IMAP_CAP_UNSELECT);

void imap_caps_clear(struct imap_caps *caps)
{
    caps->bits = caps->hidden = 0;
    caps->text[0] = '\0';
}

static void set_known_bits(struct imap_caps *caps, const char *word, size_t len)
{
    for (unsigned cap = 0; cap < IMAP_CAP_COUNT; cap++)
        if (strlen(cap_names[cap]) == len && strncasecmp(cap_names[cap], word, len) == 0)
            caps->bits |= BIT(cap);
    if (len > 12 && strncasecmp(word, "APPENDLIMIT=", 12) == 0)
        caps->bits |= BIT(IMAP_CAP_APPENDLIMIT);
    if (len == 9 && strncasecmp(word, "UTF8=ONLY", 9) == 0)
        caps->bits |= BIT(IMAP_CAP_UTF8_ACCEPT); /* RFC 6855 6: ONLY is ACCEPT made mandatory */
    if (caps->bits & BIT(IMAP_CAP_QRESYNC))
        caps->bits |= BIT(IMAP_CAP_CONDSTORE); /* RFC 7162 3.2.3 */
}

void imap_caps_add(struct imap_caps *caps, const char *word, size_t len)
{
    if (len == 0 || len >= IMAP_CAPS_TEXT_MAX)
        return;
    for (size_t i = 0; i < len; i++) /* no capability holds these, and a space would make two of it */
        if (word[i] <= ' ' || word[i] > '~')
            return;
    set_known_bits(caps, word, len);

    size_t used = strlen(caps->text), gap = used > 0;
    if (used + gap + len + 1 > sizeof caps->text)
        return;
    if (gap)
        caps->text[used++] = ' ';
    for (size_t i = 0; i < len; i++) {
        char c = word[i];
        caps->text[used + i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    caps->text[used + len] = '\0';
}

bool imap_caps_has(const struct imap_caps *caps, enum imap_cap cap)
{
    uint64_t bits = caps->bits;
    if ((bits & BIT(IMAP_CAP_IMAP4REV2)) && !(bits & BIT(IMAP_CAP_IMAP4REV1)))
        bits |= rev2_contains;
    return (bits & ~caps->hidden & BIT(cap)) != 0;
}

/* NAME, or NAME=value. */
static bool is_named(const char *word, size_t word_len, const char *name, size_t len)
{
    return len > 0 && word_len >= len && strncasecmp(word, name, len) == 0 &&
           (word_len == len || word[len] == '=');
}

static void hide_one(struct imap_caps *caps, const char *name, size_t len)
{
    char *to = caps->text;
    for (unsigned cap = 0; cap < IMAP_CAP_COUNT; cap++)
        if (is_named(cap_names[cap], strlen(cap_names[cap]), name, len))
            caps->hidden |= BIT(cap);
    for (const char *word = caps->text; *word; word += strspn(word, " ")) {
        size_t word_len = strcspn(word, " ");
        if (!is_named(word, word_len, name, len)) {
            if (to > caps->text)
                *to++ = ' ';
            memmove(to, word, word_len);
            to += word_len;
        }
        word += word_len;
    }
    *to = '\0';
}

void imap_caps_hide(struct imap_caps *caps, const char *names)
{
    for (const char *name = names; *name; name += strspn(name, ", ")) {
        size_t len = strcspn(name, ", ");
        hide_one(caps, name, len);
        name += len;
    }
    if (caps->hidden & BIT(IMAP_CAP_CONDSTORE))
        hide_one(caps, "QRESYNC", strlen("QRESYNC"));
}

/* The word that begins with name and goes on with end ('=') or ends there ('\0'). */
static const char *find_word(const struct imap_caps *caps, const char *name, char end)
{
    size_t len = strlen(name);
    if (len == 0)
        return NULL;
    for (const char *word = caps->text; *word; word += strspn(word, " ")) {
        size_t word_len = strcspn(word, " ");
        bool fits = end ? word_len > len && word[len] == end : word_len == len;
        if (fits && strncasecmp(word, name, len) == 0)
            return word;
        word += word_len;
    }
    return NULL;
}

bool imap_caps_has_name(const struct imap_caps *caps, const char *name)
{
    if (find_word(caps, name, '\0'))
        return true;
    for (unsigned cap = 0; cap < IMAP_CAP_COUNT; cap++) /* its word may be beyond the cut */
        if (strcasecmp(cap_names[cap], name) == 0)
            return imap_caps_has(caps, cap);
    return false;
}

const char *imap_caps_value(const struct imap_caps *caps, const char *name)
{
    const char *word = find_word(caps, name, '=');
    return word ? word + strlen(name) + 1 : NULL;
}
