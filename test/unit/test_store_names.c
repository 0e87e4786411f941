/* SPDX-License-Identifier: MIT */
/* The names under which messages were written, as the store remembers them. */
#include "store_help.h"

static struct stored_name named(uint32_t mailbox, uint32_t uid, const char *file)
{
    return (struct stored_name){
        .mailbox = mailbox, .uidvalidity = UINT32_MAX, .uid = uid, .file = file, .len = strlen(file)};
}

static void set(struct changes *changes, uint32_t mailbox, uint32_t uid, const char *file)
{
    const struct stored_name name = named(mailbox, uid, file);
    changes_name(changes, &name);
}

static void post_and_close(struct changes *changes)
{
    struct store *store = open_here();
    store_post(store, changes);
    store_close(&store);
    ck_assert_msg(told.lines == 0, "%s", told.line);
}

static void read_here(unsigned lines)
{
    struct store *store = open_read();
    ck_assert_ptr_nonnull(store);
    store_close(&store);
    ck_assert_msg(told.lines == lines, "%s", told.line);
}

static bool has(uint32_t mailbox, uint32_t uid, const char *file)
{
    for (unsigned i = 0; i < told.written_count; i++)
        if (told.written[i].mailbox == mailbox && told.written[i].uid == uid)
            return told.written[i].uidvalidity == UINT32_MAX && strcmp(told.files[i], file) == 0;
    return false;
}

static void write_names(void)
{
    struct changes changes = {0};
    set(&changes, 3, 2, "10.eml");
    set(&changes, 3, UINT32_MAX, "Brief \xc3\xbc.eml");
    set(&changes, 4, 2, "10.eml");
    post_and_close(&changes);
}

START_TEST(names_come_back)
{
    struct changes changes = {0};
    write_names();
    read_here(0);
    ck_assert_uint_eq(told.written_count, 3);
    ck_assert(has(3, 2, "10.eml") && has(3, UINT32_MAX, "Brief \xc3\xbc.eml") && has(4, 2, "10.eml"));
    set(&changes, 3, 2, "");
    set(&changes, 3, 99, ""); /* never had one */
    set(&changes, 4, 2, "other.eml");
    post_and_close(&changes);
    read_here(0);
    ck_assert_uint_eq(told.written_count, 2);
    ck_assert(has(3, UINT32_MAX, "Brief \xc3\xbc.eml") && has(4, 2, "other.eml"));
}
END_TEST

START_TEST(they_go_with_their_mailbox)
{
    struct changes changes = {0};
    write_names();
    changes_clear(&changes, 3); /* only its rows: they may be written anew */
    changes_forget(&changes, 4);
    post_and_close(&changes);
    read_here(0);
    ck_assert_uint_eq(told.written_count, 2);
    ck_assert(has(3, 2, "10.eml") && has(3, UINT32_MAX, "Brief \xc3\xbc.eml"));
}
END_TEST

START_TEST(a_damaged_name_is_dropped)
{
    static const char *const damages[] = {
        "UPDATE names SET file = CAST('11.eml' AS BLOB) WHERE mailbox = 3 AND uid = 2",
        "UPDATE names SET file = x'' WHERE mailbox = 3 AND uid = 2",
        "UPDATE names SET file = zeroblob(300) WHERE mailbox = 3 AND uid = 2",
        "UPDATE names SET uid = 7 WHERE mailbox = 3 AND uid = 2",
        "UPDATE names SET uid = uid + 4294967296 WHERE mailbox = 3 AND uid = 2",
        "UPDATE names SET mailbox = 5 WHERE mailbox = 3 AND uid = 2",
        "UPDATE names SET uidvalidity = 1 WHERE mailbox = 3 AND uid = 2",
        "UPDATE names SET uidvalidity = -1 WHERE mailbox = 3 AND uid = 2",
        "UPDATE names SET sum = sum + 1 WHERE mailbox = 3 AND uid = 2",
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        write_names();
        ck_assert_int_eq(run_sql(damages[i]), SQLITE_OK);
        read_here(1);
        ck_assert_msg(told.written_count == 2, "%s", damages[i]);
        ck_assert_ptr_nonnull(strstr(told.line, ": 1 names of messages are damaged"));
        ck_assert(has(3, UINT32_MAX, "Brief \xc3\xbc.eml") && has(4, 2, "10.eml"));
        read_here(0); /* told once */
        ck_assert_uint_eq(told.written_count, 2);
    }
    write_names(); /* the new table takes more */
    read_here(0);
    ck_assert_uint_eq(told.written_count, 3);
}
END_TEST

START_TEST(a_file_without_the_table_is_set_aside)
{
    write_names();
    ck_assert_int_eq(run_sql("DROP TABLE names"), SQLITE_OK);
    read_here(1);
    ck_assert_ptr_nonnull(strstr(told.line, ".damaged"));
    ck_assert_uint_eq(told.written_count, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("store_names");
    TCase *c = tcase_create("store_names");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, names_come_back);
    tcase_add_test(c, they_go_with_their_mailbox);
    tcase_add_test(c, a_damaged_name_is_dropped);
    tcase_add_test(c, a_file_without_the_table_is_set_aside);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
