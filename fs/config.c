/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "options.h"
#include "url.h"

struct parse {
    struct options options;
    char *url;
};

static bool take_switch(struct parse *parse, const char *arg)
{
    struct config *config = parse->options.config;

    if (strcmp(arg, "-f") == 0)
        config->foreground = true;
    else if (strcmp(arg, "-d") == 0)
        config->debug = config->foreground = true;
    else if (strcmp(arg, "-s") == 0)
        config->max_threads = 1;
    else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)
        config->action = CONFIG_HELP;
    else if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0)
        config->action = CONFIG_VERSION;
    else {
        imap_error_set(parse->options.err, IMAP_USAGE, "unknown option '%.60s': see imapfs -h", arg);
        return false;
    }
    return true;
}

static bool take_argument(struct parse *parse, const char *arg)
{
    if (!parse->url) {
        parse->url = imap_xstrdup(arg);
    } else if (!parse->options.config->mountpoint) {
        parse->options.config->mountpoint = imap_xstrdup(arg);
    } else {
        imap_error_set(parse->options.err, IMAP_USAGE,
                       "'%.60s' is one argument too many: imapfs URL MOUNTPOINT", arg);
        return false;
    }
    return true;
}

static int take(void *data, const char *arg, int key, struct fuse_args *outargs)
{
    struct parse *parse = data;
    bool ok;

    (void)outargs;
    if (key == FUSE_OPT_KEY_NONOPT)
        ok = take_argument(parse, arg);
    else if (arg[0] == '-')
        ok = strcmp(arg, "--") == 0 || take_switch(parse, arg);
    else
        ok = options_take(&parse->options, arg);
    return ok ? 0 : -1;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static const char *home_directory(void)
{
    const char *home = getenv("HOME");
    const struct passwd *entry;

    if (home && *home == '/')
        return home;
    entry = getpwuid(geteuid());
    return entry && *entry->pw_dir == '/' ? entry->pw_dir : "/var/tmp";
}

char *config_cache_dir(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME");
    char *dir = NULL;
    int rc = xdg && *xdg == '/' ? asprintf(&dir, "%s/imapfs", xdg)
                                : asprintf(&dir, "%s/.cache/imapfs", home_directory());

    if (rc < 0)
        abort();
    return dir;
}

static char *default_user(void)
{
    const struct passwd *entry = getpwuid(getuid());

    return entry ? imap_xstrdup(entry->pw_name) : NULL;
}

static enum imap_status apply_url(struct parse *parse)
{
    struct imap_endpoint *endpoint = &parse->options.config->endpoint;
    struct imap_error *err = parse->options.err;
    struct url url;
    enum imap_status status = url_parse(parse->url, &url, err);

    if (status != IMAP_OK)
        return status;
    if (!parse->options.tls_given)
        endpoint->tls = url.tls;
    endpoint->user = url.user ? url.user : default_user();
    endpoint->host = url.host;
    endpoint->port = url.port;
    parse->options.config->mailbox = url.mailbox;
    parse->options.config->source = imap_xstrdup(parse->url);
    if (url.tls == IMAP_TLS_IMPLICIT && endpoint->tls != IMAP_TLS_IMPLICIT)
        return imap_error_set(
            err, IMAP_USAGE,
            "imaps:// is TLS from the first byte: with tls=starttls or tls=none write imap://");
    if (!*url.host && !endpoint->tunnel)
        return imap_error_set(err, IMAP_USAGE, "the URL has no host name, as in imaps://user@host/");
    if (!endpoint->user)
        return imap_error_set(err, IMAP_USAGE, "the URL has no user name, as in imaps://user@host/");
    return IMAP_OK;
}

static enum imap_status check(struct parse *parse)
{
    struct config *config = parse->options.config;

    if (!parse->url || !config->mountpoint)
        return imap_error_set(parse->options.err, IMAP_USAGE,
                              "usage: imapfs [-o opt,...] [-f] [-d] [-s] URL MOUNTPOINT (help: imapfs -h)");
    if (!*config->mountpoint)
        return imap_error_set(parse->options.err, IMAP_USAGE, "the mount point is an empty string");
    if (config->passcmd && config->password_stdin)
        return imap_error_set(parse->options.err, IMAP_USAGE,
                              "passcmd= and password_stdin exclude each other");
    if (config->tokencmd && (config->passcmd || config->password_stdin))
        return imap_error_set(parse->options.err, IMAP_USAGE,
                              "tokencmd= stands in for a password: without passcmd= and password_stdin");
    if (config->endpoint.clientkey && !config->endpoint.clientcert)
        return imap_error_set(parse->options.err, IMAP_USAGE, "clientkey= needs clientcert= beside it");
    config->endpoint.timeout_ms = config->timeout_s * 1000;
    if (!config->cache_dir)
        config->cache_dir = config_cache_dir();
    return apply_url(parse);
}

/* libfuse reports a missing argument through its log. */
static __thread struct imap_error *log_error;

static void catch_log(enum fuse_log_level level, const char *format, va_list args)
{
    char text[160];

    (void)level;
    (void)vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    if (log_error)
        imap_error_set(log_error, IMAP_USAGE, "%s", strncmp(text, "fuse: ", 6) == 0 ? text + 6 : text);
}

enum imap_status config_parse(int argc, char *const *argv, struct config *config_out, struct imap_error *err)
{
    static const struct fuse_opt none[] = {FUSE_OPT_END};
    struct fuse_args args = FUSE_ARGS_INIT(argc, (char **)argv);
    struct imap_error unused;
    struct parse parse = {.options = {.config = config_out, .err = err ? err : &unused}};

    *config_out = (struct config){
        .endpoint = {.tls = IMAP_TLS_IMPLICIT},
        .connections = 4,
        .max_threads = 1,
        .timeout_s = 30,
        .poll_s = 60,
        .cache_size = 1U << 30,
        .uid = getuid(),
        .gid = getgid(),
        .umask = 077,
        .mount_flags = imap_xstrdup(""),
    };
    log_error = parse.options.err;
    fuse_set_log_func(catch_log);
    enum imap_status status = fuse_opt_parse(&args, &parse, none, take) == 0 ? IMAP_OK : IMAP_USAGE;
    fuse_set_log_func(NULL);
    log_error = NULL;
    fuse_opt_free_args(&args);
    if (status == IMAP_OK && config_out->action == CONFIG_MOUNT)
        status = check(&parse);
    free(parse.url);
    return status;
}

void config_fini(struct config *config)
{
    /* The endpoint's strings are const for those who borrow them. */
    free((char *)config->endpoint.host);
    free((char *)config->endpoint.port);
    free((char *)config->endpoint.cafile);
    free((char *)config->endpoint.fingerprint);
    free((char *)config->endpoint.clientcert);
    free((char *)config->endpoint.clientkey);
    free((char *)config->endpoint.tunnel);
    free((char *)config->endpoint.user);
    free((char *)config->endpoint.disable);
    free(config->mailbox);
    free(config->source);
    free(config->mountpoint);
    free(config->passcmd);
    free(config->tokencmd);
    free(config->auth);
    free(config->cache_dir);
    free(config->trash);
    free(config->mount_flags);
    *config = (struct config){0};
}

void config_print_help(FILE *out)
{
    (void)fputs("usage: imapfs [-o opt,...] [-f] [-d] [-s] URL MOUNTPOINT\n"
                "       imapfs status MOUNTPOINT\n"
                "       imapfs cache [list | verify [ACCOUNT] | purge ACCOUNT|--all]\n"
                "       imapfs -h | -V\n"
                "\n"
                "  imaps://[user@]host[:port]/[mailbox]   TLS from the first byte (port 993)\n"
                "  imap://[user@]host[:port]/[mailbox]    STARTTLS, required (port 143); or -o tls=none\n"
                "\n"
                "  -f  stay in the foreground    -d  as -f, and print the protocol, secrets masked\n"
                "  -s  as max_threads=1          -h  this help       -V  version\n"
                "\n"
                "password: passcmd, password_stdin, else $IMAPFS_PASSWORD, else a prompt\n"
                "  -o passcmd=CMD           the first line that this command prints\n"
                "  -o password_stdin        the first line of standard input\n"
                "  -o tokencmd=CMD          OAuth: this command prints the access token\n"
                "  -o auth=NAME[:NAME...]   only these mechanisms, as in auth=SCRAM-SHA-256:PLAIN\n"
                "connection:\n"
                "  -o tls=implicit|starttls|none\n"
                "  -o cafile=FILE           trust these CAs (PEM) instead of the system's\n"
                "  -o fingerprint=HEX       trust exactly the certificate with this SHA-256\n"
                "  -o clientcert=FILE,clientkey=FILE\n"
                "  -o tunnel=CMD            talk IMAP to a command, as in tunnel='ssh host imapd'\n"
                "  -o connections=N         at most N connections, 1 to 16 (default 4)\n"
                "  -o compress              compress what goes over the line (default nocompress)\n"
                "  -o max_threads=N         threads for requests, 1 to 64 (default 1)\n"
                "  -o timeout=S             give up after S seconds (default 30)\n"
                "  -o disable=CAP,CAP       use the server as if it did not offer these capabilities\n"
                "  -o poll=S                age at which a listing is checked again (default 60)\n"
                "cache:\n"
                "  -o offline               show what is cached, and never connect\n"
                "  -o cache_dir=DIR         default $XDG_CACHE_HOME/imapfs or ~/.cache/imapfs\n"
                "  -o cache_size=SIZE       bytes, or with K, M, G (default 1G)\n"
                "access:\n"
                "  -o uid=N,gid=N,umask=OCT owner and permissions shown (default: you, 077)\n"
                "  -o allow_other           let other users in, as far as permissions allow\n"
                "  -o ro|rw                 whether the account may be changed (default ro)\n"
                "  -o trash=MAILBOX         rm moves messages there\n"
                "  -o writeback             tell the server of changes a moment later, many together\n"
                "  -o layout=eml|maildir    UID.eml (default), or Maildirs for mail programs\n"
                "and the usual options of mount(8). In a value a comma is written \"\\,\".\n"
                "\n"
                "unmount: fusermount3 -u MOUNTPOINT\n",
                out);
}
