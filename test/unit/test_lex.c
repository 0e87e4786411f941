/* SPDX-License-Identifier: MIT */
#include "lex.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "imap/value.h"
#include "parse_help.h"

static struct imap_arena arena;

static void setup(void)
{
    imap_arena_init(&arena, IMAP_RESP_ARENA_CAP(LIMIT));
}

static void teardown(void)
{
    imap_arena_fini(&arena);
}

static void put(struct imap_buf *out, const char *text)
{
    ck_assert(imap_buf_append_str(out, text));
}

/* Values as text: atoms bare, strings in '', lists in (), NIL as NIL, streamed as <size>. */
static void render(const struct imap_value *value, struct imap_buf *out)
{
    char size[32];

    for (; value; value = value->next) {
        switch (value->kind) {
        case IMAP_VALUE_NIL:
            put(out, "NIL");
            break;
        case IMAP_VALUE_ATOM:
            ck_assert_uint_eq(strlen(value->str), value->len);
            put(out, value->str);
            break;
        case IMAP_VALUE_STRING:
            ck_assert_int_eq(value->str[value->len], '\0');
            put(out, value->literal8 ? "~'" : "'");
            put(out, value->str);
            put(out, "'");
            break;
        case IMAP_VALUE_STREAMED:
            snprintf(size, sizeof(size), "<%lu>", (unsigned long)value->size);
            put(out, size);
            break;
        case IMAP_VALUE_LIST:
            put(out, "(");
            render(value->child, out);
            put(out, ")");
            break;
        }
        if (value->next)
            put(out, " ");
    }
}

static void renders_as(const struct imap_value *list, const char *expected)
{
    struct imap_buf out;

    ck_assert_ptr_nonnull(list);
    imap_buf_init(&out, LIMIT);
    put(&out, "");
    render(list->child, &out);
    ck_assert_str_eq(out.data, expected);
    imap_buf_fini(&out);
}

static struct imap_value *lex_bytes(const char *text, size_t len, unsigned depth, struct imap_lex *lex)
{
    /* malloc'ed to its exact size, for the sanitizer */
    char *copy = malloc(len ? len : 1);
    struct imap_bytes bytes = {.data = copy, .len = len};
    struct imap_value *list;

    memcpy(copy, text, len);
    imap_lex_init(lex, &bytes, depth, &arena);
    list = imap_lex_rest(lex);
    free(copy);
    return list;
}

static struct imap_value *lex_text(const char *text)
{
    struct imap_lex lex;
    struct imap_value *list = lex_bytes(text, strlen(text), DEPTH, &lex);

    ck_assert_ptr_nonnull(list);
    return list;
}

static void reads_as(const char *text, const char *expected)
{
    renders_as(lex_text(text), expected);
}

START_TEST(atoms_strings_and_lists)
{
    reads_as("", "");
    reads_as("INBOX 42 $Junk", "INBOX 42 $Junk");
    reads_as("(a (b c) () \"d e\") NIL nil", "(a (b c) () 'd e') NIL NIL");
    reads_as("(a)(b)\"c\"(d)", "(a) (b) 'c' (d)");
    reads_as("NILS \"NIL\"", "NILS 'NIL'");
}
END_TEST

START_TEST(spaces_and_stray_controls_separate)
{
    reads_as("  a   b  ", "a b");
    reads_as("( a\tb )", "(a b)");
    reads_as("a\rb \r", "a b");
}
END_TEST

START_TEST(quoted_strings_are_unescaped)
{
    reads_as("\"\"", "''");
    reads_as("\"a \\\"b\\\" \\\\ c\"", "'a \"b\" \\ c'");
    reads_as("\"(x) {3} [y\"", "'(x) {3} [y'");
    reads_as("\"gr\xC3\xBC\xC3\x9F\"", "'gr\xC3\xBC\xC3\x9F'");
    /* a backslash before anything else stands for itself, a CR is kept out */
    reads_as("\"C:\\temp\"", "'C:\\temp'");
    reads_as("\"a\rb\"", "'ab'");
}
END_TEST

START_TEST(quotes_nobody_escaped)
{
    reads_as("\"say \"hi\", ok\" x", "'say \"hi\", ok' x");
    reads_as("(\"a\"b\" NIL)", "('a\"b' NIL)");
    reads_as("\"a\"b c", "'a' b c");
    reads_as("\"never closed", "\"never closed");
    reads_as("foo\"bar", "foo\"bar");
}
END_TEST

START_TEST(odd_bytes_pass_in_atoms)
{
    reads_as("\\Seen \\* foo] [bar a[b]c {x} {3} 50% a*b", "\\Seen \\* foo] [bar a[b]c {x} {3} 50% a*b");
    reads_as("(\\Seen ]x[)", "(\\Seen ]x[)");
}
END_TEST

START_TEST(sections_are_single_atoms)
{
    reads_as("BODY[HEADER.FIELDS (DATE FROM)]<0> NIL", "BODY[HEADER.FIELDS (DATE FROM)]<0> NIL");
    reads_as("BODY[] \"x\"", "BODY[] 'x'");
    reads_as("BODY[]\"x\"", "BODY[] 'x'");
    reads_as("binary.size[1.2] 5", "binary.size[1.2] 5");
    reads_as("BODY.PEEK[1] BINARY[2]<10>", "BODY.PEEK[1] BINARY[2]<10>");
    reads_as("BODY[HEADER.FIELDS (\"a] b\" C)] x", "BODY[HEADER.FIELDS (\"a] b\" C)] x");
    reads_as("BODY[HEADER.FIELDS ({3}\r\na]b)] x", "BODY[HEADER.FIELDS ({3}\r\na]b)] x");
    /* no end: an atom like others */
    reads_as("(BODY[HEADER (a) b)", "(BODY[HEADER (a) b)");
    reads_as("XBODY[a b]", "XBODY[a b]");
}
END_TEST

START_TEST(literals_of_every_form)
{
    reads_as("{5}\r\nhello x", "'hello' x");
    reads_as("({0}\r\n {2+}\r\n)( ~{1}\r\nz)", "('' ')(' ~'z')");
    reads_as("{3}\n\r\n\" y", "'\r\n\"' y");
    reads_as("{0000000000000000000000003}\r\nabc", "'abc'");
    /* the framer has it all: what is not there was no literal */
    reads_as("{4}\r\nabc", "{4} abc");
    reads_as("{99999999999999999999}\r\nabc", "{99999999999999999999} abc");
    reads_as("{}\r\nabc", "{} abc");
}
END_TEST

START_TEST(literals_may_hold_nul)
{
    struct imap_lex lex;
    struct imap_value *list = lex_bytes("~{3}\r\na\0b", 9, DEPTH, &lex);

    ck_assert_uint_eq(list->child->len, 3);
    ck_assert_mem_eq(list->child->str, "a\0b", 4);
    ck_assert(list->child->literal8);
}
END_TEST

START_TEST(streamed_literals_are_marked)
{
    const char *text = "(BODY[] {5}\r\n BODY[1] {7}\r\n UID 3)";
    const size_t streamed[] = {13, 27};
    struct imap_bytes bytes = {text, strlen(text), streamed, 2};
    struct imap_lex lex;

    ck_assert_mem_eq(text + 13, " BODY[1]", 8);
    ck_assert_mem_eq(text + 27, " UID", 4);
    imap_lex_init(&lex, &bytes, DEPTH, &arena);
    renders_as(imap_lex_rest(&lex), "(BODY[] <5> BODY[1] <7> UID 3)");
    ck_assert_ptr_null(lex.pending);
    ck_assert(!lex.unbalanced);

    bytes.len = 27;
    imap_lex_init(&lex, &bytes, DEPTH, &arena);
    renders_as(imap_lex_rest(&lex), "(BODY[] <5> BODY[1] <7>)");
    ck_assert_ptr_nonnull(lex.pending);
    ck_assert_uint_eq(lex.pending->size, 7);
}
END_TEST

START_TEST(parentheses_out_of_balance_are_told)
{
    struct imap_lex lex;

    renders_as(lex_bytes("(a)) b", 6, DEPTH, &lex), "(a) b");
    ck_assert(lex.unbalanced);
    renders_as(lex_bytes("((a) b", 6, DEPTH, &lex), "((a) b)");
    ck_assert(lex.unbalanced);
    lex_bytes("(a) b", 5, DEPTH, &lex);
    ck_assert(!lex.unbalanced);
}
END_TEST

START_TEST(lists_nest_up_to_the_depth)
{
    struct imap_lex lex;

    renders_as(lex_bytes("((a)) (b)", 9, 2, &lex), "((a)) (b)");
    ck_assert(!lex.too_deep);
    renders_as(lex_bytes("((a (b (\")\" {1}\r\n)) c)) d) e", 28, 2, &lex), "((a NIL) d) e");
    ck_assert(lex.too_deep);
}
END_TEST

START_TEST(a_million_parentheses_do_no_harm)
{
    struct imap_lex lex;
    size_t len = 1000000;
    char *deep = malloc(len);

    memset(deep, '(', len);
    ck_assert_ptr_nonnull(lex_bytes(deep, len, DEPTH, &lex));
    ck_assert(lex.too_deep);
    memset(deep, ')', len);
    ck_assert_ptr_nonnull(lex_bytes(deep, len, DEPTH, &lex));
    free(deep);
}
END_TEST

START_TEST(too_many_values_are_refused)
{
    struct imap_arena small;
    size_t len = 200000;
    char *many = malloc(len);
    struct imap_bytes bytes = {.data = many, .len = len};
    struct imap_lex lex;

    for (size_t i = 0; i < len; i++)
        many[i] = i % 2 ? ' ' : 'a';
    imap_arena_init(&small, len);
    imap_lex_init(&lex, &bytes, DEPTH, &small);
    ck_assert_ptr_null(imap_lex_rest(&lex));
    ck_assert(lex.full);
    ck_assert_uint_lt(small.total, 8 * len);
    imap_arena_fini(&small);
    free(many);
}
END_TEST

/* What makes a naive reader look for an end again and again. The time is bound only loosely: quadratic would
 * be minutes. */
START_TEST(hostile_input_takes_linear_time)
{
    static const char *const patterns[] = {"\"a\"b (", "BODY[ ",  "BODY[\\\" ",   "\"\\",    "BODY[\"",
                                           "{0",       "\"\\\" ", "BODY[{1}\r\n", "\"\r\"x "};
    size_t len = 1000000;
    char *text = malloc(len);

    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
        clock_t start = clock();
        struct imap_lex lex;

        for (size_t at = 0; at < len; at++)
            text[at] = patterns[i][at % strlen(patterns[i])];
        lex_bytes(text, len, DEPTH, &lex);
        ck_assert_msg(clock() - start < 4 * CLOCKS_PER_SEC, "slow: %s", patterns[i]);
        imap_arena_reset(&arena);
    }
    free(text);
}
END_TEST

/* ---- getters ----------------------------------------------------------------------------------- */

START_TEST(numbers)
{
    static const struct {
        const char *text;
        uint64_t max, number;
        bool valid;
    } cases[] = {
        {"0", 10, 0, true},
        {"10", 10, 10, true},
        {"11", 10, 0, false},
        {"007", 10, 7, true},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, true},
        {"18446744073709551616", UINT64_MAX, 0, false},
        {"-1", UINT64_MAX, 0, false},
        {"+1", UINT64_MAX, 0, false},
        {"12x", UINT64_MAX, 0, false},
        {"x", UINT64_MAX, 0, false},
        {"\"\"", UINT64_MAX, 0, false},
        {"\"123\"", UINT64_MAX, 123, true},
        {"NIL", UINT64_MAX, 0, false},
        {"(1)", UINT64_MAX, 0, false},
        {"9.37e+06", UINT32_MAX, 9370000, true},
        {"9.37E6", UINT32_MAX, 9370000, true},
        {"1e+09", UINT32_MAX, 1000000000, true},
        {"1.50e1", UINT32_MAX, 15, true},
        {"9.375e+02", UINT32_MAX, 0, false},
        {"9.37", UINT32_MAX, 0, false},
        {"1e", UINT32_MAX, 0, false},
        {"1e+", UINT32_MAX, 0, false},
        {"1e-3", UINT32_MAX, 0, false},
        {"1e+20", UINT64_MAX, 0, false},
        {"1e+999999999999", UINT64_MAX, 0, false},
        {"9.37e+06", 1000, 0, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint64_t number = 4711;
        bool valid = imap_value_number(lex_text(cases[i].text)->child, cases[i].max, &number);

        ck_assert_msg(valid == cases[i].valid, "%s", cases[i].text);
        ck_assert_uint_eq(number, valid ? cases[i].number : 4711);
    }
}
END_TEST

START_TEST(strings_and_atoms)
{
    const struct imap_value *atom = lex_text("a")->child, *string = lex_text("\"b c\"")->child;
    const struct imap_value *nil = lex_text("nil")->child, *list = lex_text("(x y)")->child;
    const char *str = "untouched";
    size_t len = 99;

    ck_assert(!imap_value_astring(NULL, &str, &len));
    ck_assert(!imap_value_astring(nil, &str, &len));
    ck_assert(!imap_value_astring(list, &str, &len));
    ck_assert(!imap_value_nstring(list, &str, &len));
    ck_assert_str_eq(str, "untouched");
    ck_assert_uint_eq(len, 99);
    ck_assert(imap_value_astring(atom, &str, &len));
    ck_assert_str_eq(str, "a");
    ck_assert_uint_eq(len, 1);
    ck_assert(imap_value_astring(string, &str, &len));
    ck_assert_str_eq(str, "b c");
    ck_assert(imap_value_nstring(atom, &str, NULL));
    ck_assert_str_eq(str, "a");
    ck_assert(imap_value_nstring(nil, &str, &len));
    ck_assert_ptr_null(str);
    ck_assert_uint_eq(len, 0);
    ck_assert(imap_value_is_atom(atom, "A"));
    ck_assert(!imap_value_is_atom(atom, "AB"));
    ck_assert(!imap_value_is_atom(string, "b c"));
    ck_assert(!imap_value_is_atom(NULL, "A"));
    ck_assert_uint_eq(imap_value_count(list), 2);
    ck_assert_uint_eq(imap_value_count(atom), 0);
    ck_assert_uint_eq(imap_value_count(NULL), 0);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {atoms_strings_and_lists,
                            spaces_and_stray_controls_separate,
                            quoted_strings_are_unescaped,
                            quotes_nobody_escaped,
                            odd_bytes_pass_in_atoms,
                            sections_are_single_atoms,
                            literals_of_every_form,
                            literals_may_hold_nul,
                            streamed_literals_are_marked,
                            parentheses_out_of_balance_are_told,
                            lists_nest_up_to_the_depth,
                            a_million_parentheses_do_no_harm,
                            too_many_values_are_refused,
                            hostile_input_takes_linear_time,
                            numbers,
                            strings_and_atoms,
                            NULL};
    Suite *suite = suite_create("lex");
    TCase *cases = tcase_create("lex");

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    for (size_t i = 0; tests[i]; i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
