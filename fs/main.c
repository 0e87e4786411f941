/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "imap/auth.h"

#include "commands.h"
#include "config.h"
#include "daemon.h"
#include "ending.h"
#include "loop.h"
#include "mountpoint.h"
#include "op_status.h"
#include "ops.h"
#include "secret.h"
#include "token.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2

/* ---- what the account says --------------------------------------------------------------------- */

static void on_log(void *arg, int priority, const char *line)
{
    (void)arg;
    daemon_log(priority, "%s", line);
}

static void on_trace(void *arg, unsigned connection, enum imap_trace_direction direction, const char *line,
                     size_t len)
{
    const char *mark = direction == IMAP_TRACE_CLIENT ? "C:" : direction == IMAP_TRACE_SERVER ? "S:" : "#";

    (void)arg;
    flockfile(stderr);
    (void)fprintf(stderr, "%u %s ", connection, mark);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];

        if (c < 0x20 || c == 0x7f) /* a server's escape sequences are not for our terminal */
            (void)fprintf(stderr, "\\x%02x", c);
        else
            putc_unlocked(c, stderr);
    }
    putc_unlocked('\n', stderr);
    funlockfile(stderr);
}

static void on_fuse_log(enum fuse_log_level level, const char *fmt, va_list args)
{
    char line[256];

    (void)vsnprintf(line, sizeof(line), fmt, args);
    line[strcspn(line, "\n")] = '\0';
    daemon_log((int)level, "%s", line);
}

/* ---- mounting ---------------------------------------------------------------------------------- */

static void add_option(struct fuse_args *args, const char *name, const char *value)
{
    char *options = NULL;
    char *option = NULL;

    if (asprintf(&option, "%s%s", name, value) < 0 || fuse_opt_add_opt_escaped(&options, option) != 0 ||
        fuse_opt_add_arg(args, "-o") != 0 || fuse_opt_add_arg(args, options) != 0)
        abort();
    free(option);
    free(options);
}

static struct fuse_session *new_session(const struct config *config, struct fs *fs)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    char *flags = strdup(config->mount_flags);
    char *rest = NULL;

    if (!flags || fuse_opt_add_arg(&args, "imapfs") != 0)
        abort();
    if (!config->read_write)
        add_option(&args, "ro", "");
    add_option(&args, "default_permissions", "");
    add_option(&args, "subtype=", "imapfs");
    add_option(&args, "fsname=", config->source);
    if (config->allow_other)
        add_option(&args, "allow_other", "");
    for (char *flag = strtok_r(flags, ",", &rest); flag; flag = strtok_r(NULL, ",", &rest))
        add_option(&args, flag, "");
    struct fuse_session *session = fuse_session_new(&args, &ops_table, sizeof(ops_table), fs);
    fuse_opt_free_args(&args);
    free(flags);
    return session;
}

/* Until unmounted or told to end by a signal. Every reply has been given before the session's descriptor
 * is closed, by which the kernel is told that nobody is there any more. */
static int serve_mounted(const struct config *config, struct fs *fs, struct fuse_session *session,
                         struct daemon *daemon)
{
    struct account *account = fs->account;

    fs->jobs = jobs_new(fs->account, config->endpoint.timeout_ms);
    notify_start(fs->notify, session);
    push_start(fs->push, account, session);
    ending_begin(fs, session, config->foreground);
    daemon_ready(daemon);
    daemon_log(LOG_INFO, "%s is mounted on %s", config->source, config->mountpoint);
    int rc = loop_run(session, config->max_threads);
    ending_over();
    jobs_stop(fs->jobs);
    push_stop(fs->push);
    account_close(&account);       /* fs->account is in use until the last callback has returned */
    fuse_session_unmount(session); /* lazily: who still has files open does not hold it up */
    jobs_free(&fs->jobs);
    op_file_forget_all(fs);
    op_status_forget_all(fs);
    return rc < 0 ? EXIT_FAILED : 0;
}

static int mount_and_serve(const struct config *config, struct fs *fs, struct daemon *daemon)
{
    struct fuse_session *session = new_session(config, fs);
    struct imap_error err = {0};
    int rc;

    if (!session)
        imap_error_set(&err, IMAP_SYS, "cannot begin a FUSE session");
    if (!session || mountpoint_mount(session, config->mountpoint, !config->debug, &err) != IMAP_OK) {
        daemon_log(LOG_ERR, "%s", err.text);
        account_close(&fs->account);
        rc = EXIT_FAILED;
    } else {
        rc = serve_mounted(config, fs, session, daemon);
    }
    if (session)
        fuse_session_destroy(session);
    return rc;
}

/* ---- the account ------------------------------------------------------------------------------- */

static enum imap_status open_account(const struct config *config, const char *password,
                                     struct token_source *tokens, struct fs *fs, struct imap_error *err)
{
    const struct imap_credentials credentials = {.user = config->endpoint.user,
                                                 .password = password,
                                                 .mechanisms = config->auth,
                                                 .token = config->tokencmd ? token_get : NULL,
                                                 .arg = tokens};
    struct account_options options = {
        .endpoint = config->endpoint,
        .credentials = &credentials,
        .connections = config->connections,
        .compress = config->compress,
        .poll_ms = config->poll_s * 1000,
        .root_mailbox = config->mailbox,
        .cache_dir = config->cache_dir,
        .cache_size = config->cache_size,
        .read_write = config->read_write,
        .writeback = config->writeback,
        .maildir = config->maildir,
        .trash = config->trash,
        .offline = config->offline,
    };
    struct account_events events;

    ops_events(&events);
    events.log = on_log;
    events.trace = config->debug ? on_trace : NULL;
    return account_open(&options, &events, fs, &fs->account, err);
}

static int serve(const struct config *config, char **password, struct daemon *daemon)
{
    struct fs fs = {
        .uid = config->uid,
        .gid = config->gid,
        .umask = config->umask,
        .read_write = config->read_write,
        .maildir = config->maildir,
        .absent_seconds = config->poll_s,
        .started = time(NULL),
        .version = IMAPFS_VERSION,
        .source = config->source,
        .mountpoint = config->mountpoint,
    };
    struct token_source tokens = {.command = config->tokencmd, .timeout_ms = config->timeout_s * 1000};
    struct imap_error err = {0};
    int rc = EXIT_FAILED;

    fs.notify = notify_new(&fs);
    fs.push = push_new();
    enum imap_status status = open_account(config, *password, &tokens, &fs, &err);
    secret_free(password);
    if (status == IMAP_OK)
        rc = mount_and_serve(config, &fs, daemon);
    else
        daemon_log(LOG_ERR, "%s%s", err.text,
                   err.code == IMAP_CODE_AUTHENTICATIONFAILED ? " (check the user name and the password)"
                                                              : "");
    push_free(&fs.push);
    notify_free(&fs.notify);
    listing_fini(&fs.listing);
    token_fini(&tokens);
    return rc;
}

/* ---- the process ------------------------------------------------------------------------------- */

static void set_limits(void)
{
    struct rlimit files;

    umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a spool that may not grow is a failed write, not the end */
    mallopt(M_ARENA_MAX, 2);        /* an arena a thread would cost more memory than the mail */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 1024) {
        files.rlim_cur = files.rlim_max < 1024 ? files.rlim_max : 1024;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int fail(const struct imap_error *err, int code)
{
    daemon_log(LOG_ERR, "%s", err->text);
    return code;
}

static int run(struct config *config)
{
    struct daemon daemon = {.status_fd = -1};
    struct imap_error err = {0};
    char *password = NULL;
    char *mountpoint = NULL;

    set_limits();
    daemon_log_debug(config->debug);
    if (mountpoint_prepare(config->mountpoint, &mountpoint, &err) != IMAP_OK)
        return fail(&err, EXIT_FAILED);
    free(config->mountpoint);
    config->mountpoint = mountpoint;
    if (secret_get(config, &password, &err) != IMAP_OK)
        return fail(&err, EXIT_FAILED);
    if (!config->foreground && daemon_fork(&daemon, &err) != IMAP_OK) {
        secret_free(&password);
        return fail(&err, EXIT_FAILED);
    }
    fuse_set_log_func(on_fuse_log);
    int rc = serve(config, &password, &daemon);
    fuse_set_log_func(NULL);
    return rc;
}

int main(int argc, char **argv)
{
    struct config config;
    struct imap_error err = {0};
    int rc = 0;

    if (commands_run(argc, argv, &rc))
        return rc;
    if (config_parse(argc, argv, &config, &err) != IMAP_OK) {
        rc = fail(&err, EXIT_USAGE);
    } else if (config.action == CONFIG_HELP) {
        config_print_help(stdout);
    } else if (config.action == CONFIG_VERSION) {
        (void)printf("imapfs %s (FUSE library %s)\n", IMAPFS_VERSION, fuse_pkgversion());
    } else {
        rc = run(&config);
    }
    config_fini(&config);
    return rc;
}
