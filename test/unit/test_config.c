/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "unit_main.h"

#define ARGS_MAX 12

/* The words of a command line, of which no single one holds a blank. */
static enum imap_status parse(const char *line, struct config *config, struct imap_error *err)
{
    char copy[1024];
    char *argv[ARGS_MAX + 1] = {0};
    char *rest = NULL;
    int argc = 0;

    ck_assert_uint_lt(strlen(line), sizeof(copy));
    strcpy(copy, line); /* NOLINT: checked above */
    for (char *word = strtok_r(copy, " ", &rest); word && argc < ARGS_MAX; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    *err = (struct imap_error){0};
    return config_parse(argc, argv, config, err);
}

static struct config good(const char *line)
{
    struct config config;
    struct imap_error err;

    enum imap_status status = parse(line, &config, &err);
    ck_assert_msg(status == IMAP_OK, "%s: %s", line, err.text);
    return config;
}

static void refused(const char *line, const char *word)
{
    struct config config;
    struct imap_error err;

    ck_assert_msg(parse(line, &config, &err) == IMAP_USAGE, "%s was accepted", line);
    ck_assert_msg(err.text[0] && !strchr(err.text, '\n'), "%s: '%s' is not one line", line, err.text);
    ck_assert_msg(strstr(err.text, word) != NULL, "%s: '%s' does not name %s", line, err.text, word);
    config_fini(&config);
}

START_TEST(defaults)
{
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", "/home/joe", 1);
    struct config config = good("imapfs imaps://joe@host/INBOX /mnt");

    ck_assert_int_eq(config.action, CONFIG_MOUNT);
    ck_assert_int_eq(config.endpoint.tls, IMAP_TLS_IMPLICIT);
    ck_assert_str_eq(config.endpoint.user, "joe");
    ck_assert_str_eq(config.endpoint.host, "host");
    ck_assert_ptr_null(config.endpoint.port);
    ck_assert_uint_eq(config.endpoint.timeout_ms, 30000);
    ck_assert_str_eq(config.mailbox, "INBOX");
    ck_assert_str_eq(config.mountpoint, "/mnt");
    ck_assert_str_eq(config.source, "imaps://joe@host/INBOX");
    ck_assert_uint_eq(config.connections, 4);
    ck_assert_uint_eq(config.poll_s, 60);
    ck_assert_uint_eq(config.cache_size, 1073741824);
    ck_assert_str_eq(config.cache_dir, "/home/joe/.cache/imapfs");
    ck_assert_uint_eq(config.uid, getuid());
    ck_assert_uint_eq(config.gid, getgid());
    ck_assert_uint_eq(config.umask, 077);
    ck_assert(!config.offline && !config.compress);
    ck_assert(!config.allow_other && !config.foreground && !config.debug && config.max_threads == 1);
    ck_assert(!config.password_stdin && !config.passcmd && !config.read_write);
    ck_assert(!config.auth && !config.tokencmd);
    ck_assert_str_eq(config.mount_flags, "");
    config_fini(&config);
}
END_TEST

START_TEST(every_option)
{
    struct config config =
        good("imapfs -o tls=none,connections=16,timeout=5,poll=0,cache_dir=/c,cache_size=3M "
             "-o uid=7,gid=8,umask=027,allow_other,offline,cafile=/ca,clientcert=/cert,clientkey=/key "
             "-o compress,disable=QRESYNC,X-GM-EXT-1,noatime,disable=LITERAL+ "
             "-o tunnel=ssh,passcmd=pass,max_threads=8,auth=scram-sha-256:login imap://u@h:1/ -f /mnt");

    ck_assert_int_eq(config.endpoint.tls, IMAP_TLS_NONE);
    ck_assert_uint_eq(config.connections, 16);
    ck_assert_uint_eq(config.endpoint.timeout_ms, 5000);
    ck_assert_uint_eq(config.poll_s, 0);
    ck_assert_str_eq(config.cache_dir, "/c");
    ck_assert_uint_eq(config.cache_size, 3145728);
    ck_assert_uint_eq(config.uid, 7);
    ck_assert_uint_eq(config.gid, 8);
    ck_assert_uint_eq(config.umask, 027);
    ck_assert(config.offline && config.compress);
    ck_assert(config.allow_other && config.foreground && config.max_threads == 8 && !config.debug);
    ck_assert_str_eq(config.endpoint.cafile, "/ca");
    ck_assert_str_eq(config.endpoint.clientcert, "/cert");
    ck_assert_str_eq(config.endpoint.clientkey, "/key");
    ck_assert_str_eq(config.endpoint.tunnel, "ssh");
    ck_assert_str_eq(config.passcmd, "pass");
    ck_assert_str_eq(config.auth, "scram-sha-256 login");
    ck_assert_ptr_null(config.tokencmd);
    ck_assert_str_eq(config.endpoint.port, "1");
    ck_assert_str_eq(config.endpoint.disable, "QRESYNC,X-GM-EXT-1,LITERAL+");
    ck_assert_str_eq(config.mount_flags, "noatime");
    config_fini(&config);
}
END_TEST

START_TEST(order_and_repetition)
{
    /* as mount(8) calls its helpers */
    struct config config = good("imapfs imaps://u@h/ /mnt -o rw,timeout=5,noexec,timeout=6");

    ck_assert_uint_eq(config.timeout_s, 6);
    ck_assert(config.read_write);
    config_fini(&config);
    config = good("imapfs imaps://u@h/ -o rw,trash=Deleted.Items /mnt");
    ck_assert_str_eq(config.trash, "Deleted.Items");
    config_fini(&config);
    config = good("imapfs imaps://u@h/ -o layout=maildir /mnt");
    ck_assert(config.maildir);
    config_fini(&config);
    config = good("imapfs imaps://u@h/ -o layout=maildir,layout=eml /mnt");
    ck_assert(!config.maildir);
    config_fini(&config);
    config = good("imapfs imaps://u@h/ -o max_threads=3 -s /mnt");
    ck_assert_uint_eq(config.max_threads, 1);
    config_fini(&config);
    config = good("imapfs imaps://u@h/ -orw,ro -d /mnt");
    ck_assert(!config.read_write);
    ck_assert(config.debug && config.foreground);
    config_fini(&config);
}
END_TEST

START_TEST(escaped_comma)
{
    struct config config = good("imapfs imaps://u@h/ /mnt -o passcmd=a\\,b\\\\c,timeout=7");

    ck_assert_str_eq(config.passcmd, "a,b\\c");
    ck_assert_uint_eq(config.timeout_s, 7);
    config_fini(&config);
}
END_TEST

START_TEST(fstab)
{
    struct config config =
        good("imapfs imaps://u@h/ /mnt -o defaults,nofail,_netdev,user,noauto,auto,users,"
             "x-systemd.automount,x-systemd.idle-timeout=60,X-foo,comment=mail,user=joe,"
             "nosuid,nodev,noatime,exec,suid,dev,async,sync,relatime,,default_permissions");

    ck_assert_str_eq(config.mount_flags, "nosuid,nodev,noatime,exec,suid,dev,async,sync");
    config_fini(&config);
}
END_TEST

START_TEST(relative_paths)
{
    char here[512];
    char want[600];

    ck_assert_int_eq(chdir("/tmp"), 0);
    ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
    (void)snprintf(want, sizeof(want), "%s/ca.pem", here);
    struct config config = good("imapfs imaps://u@h/ mnt -o cafile=ca.pem");
    ck_assert_str_eq(config.endpoint.cafile, want);
    config_fini(&config);
}
END_TEST

START_TEST(cache_home)
{
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    struct config config = good("imapfs imaps://u@h/ /mnt");
    ck_assert_str_eq(config.cache_dir, "/xdg/imapfs");
    config_fini(&config);

    setenv("XDG_CACHE_HOME", "relative", 1); /* to be ignored, says the XDG specification */
    setenv("HOME", "/home/joe", 1);
    config = good("imapfs imaps://u@h/ /mnt");
    ck_assert_str_eq(config.cache_dir, "/home/joe/.cache/imapfs");
    config_fini(&config);
}
END_TEST

START_TEST(other_actions)
{
    struct config config = good("imapfs -h");
    ck_assert_int_eq(config.action, CONFIG_HELP);
    config_fini(&config);
    config = good("imapfs -V");
    ck_assert_int_eq(config.action, CONFIG_VERSION);
    config_fini(&config);
}
END_TEST

START_TEST(sizes)
{
    static const struct {
        const char *text;
        uint64_t size;
    } cases[] = {{"1048576", 1048576}, {"1024k", 1048576}, {"2G", 2147483648}, {"1T", 1099511627776}};
    char line[100];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(line, sizeof(line), "imapfs imaps://u@h/ /mnt -o cache_size=%s", cases[i].text);
        struct config config = good(line);
        ck_assert_uint_eq(config.cache_size, cases[i].size);
        config_fini(&config);
    }
}
END_TEST

START_TEST(wrong)
{
    static const struct {
        const char *options, *word;
    } cases[] = {
        {"-o bogus", "bogus"},
        {"-o bogus=1", "bogus"},
        {"-x", "-x"},
        {"-o timeout", "timeout"},
        {"-o timeout=", "timeout"},
        {"-o timeout=0", "timeout"},
        {"-o timeout=3601", "timeout"},
        {"-o timeout=5s", "timeout"},
        {"-o timeout=-5", "timeout"},
        {"-o timeout=99999999999999999999999", "timeout"},
        {"-o disable=", "disable"},
        {"-o disable=IDLE,tls=none,ACL", "ACL"},
        {"-o connections=0", "connections"},
        {"-o layout=mbox", "layout"},
        {"-o connections=17", "connections"},
        {"-o poll=86401", "poll"},
        {"-o uid=joe", "uid"},
        {"-o uid=4294967295", "uid"}, /* (uid_t)-1 is nobody at all */
        {"-o gid=", "gid"},
        {"-o umask=888", "umask"},
        {"-o umask=1777", "umask"},
        {"-o cache_size=1", "cache_size"},
        {"-o cache_size=G", "cache_size"},
        {"-o cache_size=1X", "cache_size"},
        {"-o cache_size=99999999999G", "cache_size"},
        {"-o cache_dir=", "cache_dir"},
        {"-o tls=yes", "tls"},
        {"-o tls=none", "imap://"}, /* the URL says imaps */
        {"-o tls=starttls", "imap://"},
        {"-o fingerprint=12", "fingerprint"},
        {"-o fingerprint=zz", "fingerprint"},
        {"-o clientkey=/k", "clientcert"},
        {"-o passcmd=", "passcmd"},
        {"-o passcmd=x,password_stdin", "exclude"},
        {"-o passcmd=x,tokencmd=y", "tokencmd"},
        {"-o tokencmd=y,password_stdin", "tokencmd"},
        {"-o tokencmd=", "tokencmd"},
        {"-o auth=", "auth"},
        {"-o auth=PLAIN:NONSENSE", "NONSENSE"},
        {"-o password_stdin=1", "password_stdin"},
        {"-o auto_unmount", "auto_unmount"},
        {"-o allow_root", "allow_root"},
        {"third", "third"},
        {"-o", "argument"},
    };
    char line[200];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(line, sizeof(line), "imapfs imaps://u@h/ /mnt %s", cases[i].options);
        refused(line, cases[i].word);
    }
    refused("imapfs", "usage");
    refused("imapfs imaps://u@h/", "usage");
    refused("imapfs /mnt imaps://u@h/", "imaps://");
    refused("imapfs imaps:/// /mnt", "host");
}
END_TEST

START_TEST(password_option_is_not_repeated)
{
    struct config config;
    struct imap_error err;

    ck_assert_int_eq(parse("imapfs imaps://u@h/ /mnt -o password=hunter2", &config, &err), IMAP_USAGE);
    ck_assert_ptr_null(strstr(err.text, "hunter2"));
    ck_assert_ptr_nonnull(strstr(err.text, "passcmd"));
    config_fini(&config);
}
END_TEST

START_TEST(fingerprint)
{
    struct config config = good(
        "imapfs imaps://u@h/ /mnt -o fingerprint="
        "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff");

    ck_assert_ptr_nonnull(config.endpoint.fingerprint);
    config_fini(&config);
}
END_TEST

UNIT_MAIN("config", defaults, every_option, order_and_repetition, escaped_comma, fstab, relative_paths,
          cache_home, other_actions, sizes, wrong, password_option_is_not_repeated, fingerprint)
