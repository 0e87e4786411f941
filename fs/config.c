/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "url.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* one shape for all setters */

struct parse {
    struct config *config;
    struct imap_error *err;
    char *url;
    bool tls_given;
};

/* ---- values ------------------------------------------------------------------------------------ */

static bool refuse(struct parse *parse, const char *option, const char *want)
{
    imap_error_set(parse->err, IMAP_USAGE, "the option %.60s is not right: %s", option, want);
    return false;
}

static bool parse_number(const char *text, int base, uint64_t max, uint64_t *number_out)
{
    uint64_t number = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text - '0');

        if (*text < '0' || digit >= (unsigned)base)
            return false;
        if (number > (max - digit) / (unsigned)base)
            return false;
        number = number * (unsigned)base + digit;
    }
    *number_out = number;
    return true;
}

static bool parse_size(const char *text, uint64_t *size_out)
{
    static const char suffixes[] = "KMGT";
    size_t len = strlen(text);
    char digits[24];
    unsigned shift = 0;

    if (!len || len >= sizeof(digits))
        return false;
    memcpy(digits, text, len + 1);
    const char *suffix = strchr(suffixes, digits[len - 1] & ~0x20);
    if (suffix && *suffix) {
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        digits[len - 1] = '\0';
    }
    if (!parse_number(digits, 10, (uint64_t)INT64_MAX >> shift, size_out))
        return false;
    *size_out <<= shift;
    return true;
}

/* The daemon leaves the directory that it was started in. */
static char *absolute_path(const char *path)
{
    char *absolute = NULL;
    char *here = *path == '/' ? NULL : getcwd(NULL, 0);

    if (!here)
        return imap_xstrdup(path);
    if (asprintf(&absolute, "%s/%s", here, path) < 0)
        abort();
    free(here);
    return absolute;
}

static void set_string(const char **field, char *value)
{
    free((char *)*field);
    *field = value;
}

static bool set_path(struct parse *parse, const char *option, const char *value, const char **field)
{
    if (!*value)
        return refuse(parse, option, "it names no file");
    set_string(field, absolute_path(value));
    return true;
}

/* ---- options ----------------------------------------------------------------------------------- */

static bool set_cafile(struct parse *parse, const char *option, const char *value)
{
    return set_path(parse, option, value, &parse->config->endpoint.cafile);
}

static bool set_clientcert(struct parse *parse, const char *option, const char *value)
{
    return set_path(parse, option, value, &parse->config->endpoint.clientcert);
}

static bool set_clientkey(struct parse *parse, const char *option, const char *value)
{
    return set_path(parse, option, value, &parse->config->endpoint.clientkey);
}

static bool set_cache_dir(struct parse *parse, const char *option, const char *value)
{
    return set_path(parse, option, value, (const char **)&parse->config->cache_dir);
}

static bool set_command(struct parse *parse, const char *option, const char *value, const char **field)
{
    if (!*value)
        return refuse(parse, option, "it names no command");
    set_string(field, imap_xstrdup(value));
    return true;
}

static bool set_tunnel(struct parse *parse, const char *option, const char *value)
{
    return set_command(parse, option, value, &parse->config->endpoint.tunnel);
}

static bool set_passcmd(struct parse *parse, const char *option, const char *value)
{
    return set_command(parse, option, value, (const char **)&parse->config->passcmd);
}

static bool set_fingerprint(struct parse *parse, const char *option, const char *value)
{
    size_t digits = 0;

    for (const char *p = value; *p; p++) {
        if (*p == ':')
            continue;
        if (!strchr("0123456789abcdefABCDEF", *p))
            return refuse(parse, option, "a SHA-256 fingerprint is 64 hex digits");
        digits++;
    }
    if (digits != 64)
        return refuse(parse, option, "a SHA-256 fingerprint is 64 hex digits");
    set_string(&parse->config->endpoint.fingerprint, imap_xstrdup(value));
    return true;
}

static bool set_tls(struct parse *parse, const char *option, const char *value)
{
    static const char *const names[] = {"implicit", "starttls", "none"};
    static const enum imap_tls values[] = {IMAP_TLS_IMPLICIT, IMAP_TLS_STARTTLS, IMAP_TLS_NONE};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            parse->config->endpoint.tls = values[i];
            parse->tls_given = true;
            return true;
        }
    }
    return refuse(parse, option, "implicit, starttls or none");
}

static bool set_password_stdin(struct parse *parse, const char *option, const char *value)
{
    parse->config->password_stdin = true;
    return true;
}

static bool set_number(struct parse *parse, const char *option, const char *value, uint64_t min, uint64_t max,
                       uint64_t *number_out)
{
    char want[80];

    if (parse_number(value, 10, max, number_out) && *number_out >= min)
        return true;
    (void)snprintf(want, sizeof(want), "a number from %llu to %llu", (unsigned long long)min,
                   (unsigned long long)max);
    return refuse(parse, option, want);
}

static bool set_connections(struct parse *parse, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(parse, option, value, 1, 16, &number))
        return false;
    parse->config->connections = (unsigned)number;
    return true;
}

static bool set_timeout(struct parse *parse, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(parse, option, value, 1, 3600, &number))
        return false;
    parse->config->timeout_s = (unsigned)number;
    return true;
}

static bool set_poll(struct parse *parse, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(parse, option, value, 0, 86400, &number))
        return false;
    parse->config->poll_s = (unsigned)number;
    return true;
}

static bool set_uid(struct parse *parse, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(parse, option, value, 0, UINT32_MAX - 1, &number))
        return false;
    parse->config->uid = (uid_t)number;
    return true;
}

static bool set_gid(struct parse *parse, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(parse, option, value, 0, UINT32_MAX - 1, &number))
        return false;
    parse->config->gid = (gid_t)number;
    return true;
}

static bool set_umask(struct parse *parse, const char *option, const char *value)
{
    uint64_t number;

    if (!parse_number(value, 8, 0777, &number))
        return refuse(parse, option, "an octal number from 0 to 777");
    parse->config->umask = (mode_t)number;
    return true;
}

static bool set_cache_size(struct parse *parse, const char *option, const char *value)
{
    if (!parse_size(value, &parse->config->cache_size) || parse->config->cache_size < (1U << 20))
        return refuse(parse, option, "a size of at least 1M, such as 500M or 2G");
    return true;
}

static bool set_allow_other(struct parse *parse, const char *option, const char *value)
{
    parse->config->allow_other = true;
    return true;
}

/* mount(8) says "rw" whenever fstab does not say "ro", so it cannot be an error. The last one counts. */
static bool set_rw(struct parse *parse, const char *option, const char *value)
{
    parse->config->read_write = true;
    return true;
}

static bool set_ro(struct parse *parse, const char *option, const char *value)
{
    parse->config->read_write = false;
    return true;
}

static bool refuse_auto_unmount(struct parse *parse, const char *option, const char *value)
{
    return refuse(parse, option,
                  "it would show an empty directory if imapfs ended, and a backup would follow suit");
}

static bool refuse_password(struct parse *parse, const char *option, const char *value)
{
    /* Not repeated in the message: it may hold the password. */
    return refuse(parse, "password=",
                  "others could see it; use passcmd=, password_stdin, IMAPFS_PASSWORD or the prompt");
}

static bool set_mount_flag(struct parse *parse, const char *option, const char *value)
{
    char *flags = NULL;
    const char *before = parse->config->mount_flags;

    if (asprintf(&flags, "%s%s%s", before, *before ? "," : "", option) < 0)
        abort();
    free(parse->config->mount_flags);
    parse->config->mount_flags = flags;
    return true;
}

static bool ignore(struct parse *parse, const char *option, const char *value)
{
    return true;
}

/* A name ending in '=' takes a value. */
static const struct option {
    const char *name;
    bool (*set)(struct parse *parse, const char *option, const char *value);
} options[] = {
    {"allow_other", set_allow_other},
    {"cache_dir=", set_cache_dir},
    {"cache_size=", set_cache_size},
    {"cafile=", set_cafile},
    {"clientcert=", set_clientcert},
    {"clientkey=", set_clientkey},
    {"connections=", set_connections},
    {"fingerprint=", set_fingerprint},
    {"gid=", set_gid},
    {"passcmd=", set_passcmd},
    {"password=", refuse_password},
    {"password_stdin", set_password_stdin},
    {"poll=", set_poll},
    {"ro", set_ro},
    {"rw", set_rw},
    {"timeout=", set_timeout},
    {"tls=", set_tls},
    {"tunnel=", set_tunnel},
    {"uid=", set_uid},
    {"umask=", set_umask},
    {"auto_unmount", refuse_auto_unmount},
    {"default_permissions", ignore}, /* always so */
    /* for the kernel; all that libfuse knows */
    {"async", set_mount_flag},
    {"dev", set_mount_flag},
    {"dirsync", set_mount_flag},
    {"exec", set_mount_flag},
    {"noatime", set_mount_flag},
    {"nodev", set_mount_flag},
    {"noexec", set_mount_flag},
    {"nosuid", set_mount_flag},
    {"suid", set_mount_flag},
    {"sync", set_mount_flag},
    /* for mount(8), or without a meaning here */
    {"_netdev", ignore},
    {"_rnetdev", ignore},
    {"atime", ignore},
    {"auto", ignore},
    {"comment=", ignore},
    {"defaults", ignore},
    {"diratime", ignore},
    {"group", ignore},
    {"lazytime", ignore},
    {"noauto", ignore},
    {"nodiratime", ignore},
    {"nofail", ignore},
    {"nogroup", ignore},
    {"nolazytime", ignore},
    {"noowner", ignore},
    {"norelatime", ignore},
    {"nostrictatime", ignore},
    {"nouser", ignore},
    {"nousers", ignore},
    {"owner", ignore},
    {"relatime", ignore},
    {"strictatime", ignore},
    {"user", ignore},
    {"user=", ignore}, /* libmount notes down who mounted */
    {"users", ignore},
};

static bool take_mount_option(struct parse *parse, const char *arg)
{
    if (!*arg || strncmp(arg, "x-", 2) == 0 || strncmp(arg, "X-", 2) == 0)
        return true;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *name = options[i].name;
        size_t len = strlen(name);
        bool valued = name[len - 1] == '=';

        if (valued ? strncmp(arg, name, len) == 0 : strcmp(arg, name) == 0)
            return options[i].set(parse, arg, valued ? arg + len : "");
        if (valued && strlen(arg) == len - 1 && strncmp(arg, name, len - 1) == 0)
            return refuse(parse, arg, "it needs a value, as in -o name=value");
    }
    imap_error_set(parse->err, IMAP_USAGE, "unknown option '%.60s': see imapfs -h", arg);
    return false;
}

static bool take_switch(struct parse *parse, const char *arg)
{
    struct config *config = parse->config;

    if (strcmp(arg, "-f") == 0)
        config->foreground = true;
    else if (strcmp(arg, "-d") == 0)
        config->debug = config->foreground = true;
    else if (strcmp(arg, "-s") == 0)
        config->single_thread = true;
    else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)
        config->action = CONFIG_HELP;
    else if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0)
        config->action = CONFIG_VERSION;
    else {
        imap_error_set(parse->err, IMAP_USAGE, "unknown option '%.60s': see imapfs -h", arg);
        return false;
    }
    return true;
}

static bool take_argument(struct parse *parse, const char *arg)
{
    if (!parse->url) {
        parse->url = imap_xstrdup(arg);
    } else if (!parse->config->mountpoint) {
        parse->config->mountpoint = imap_xstrdup(arg);
    } else {
        imap_error_set(parse->err, IMAP_USAGE, "'%.60s' is one argument too many: imapfs URL MOUNTPOINT",
                       arg);
        return false;
    }
    return true;
}

static int take(void *data, const char *arg, int key, struct fuse_args *outargs)
{
    struct parse *parse = data;
    bool ok;

    if (key == FUSE_OPT_KEY_NONOPT)
        ok = take_argument(parse, arg);
    else if (arg[0] == '-')
        ok = strcmp(arg, "--") == 0 || take_switch(parse, arg);
    else
        ok = take_mount_option(parse, arg);
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

static char *default_cache_dir(void)
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
    struct imap_endpoint *endpoint = &parse->config->endpoint;
    struct imap_error *err = parse->err;
    struct url url;
    enum imap_status status = url_parse(parse->url, &url, err);

    if (status != IMAP_OK)
        return status;
    if (!parse->tls_given)
        endpoint->tls = url.tls;
    endpoint->user = url.user ? url.user : default_user();
    endpoint->host = url.host;
    endpoint->port = url.port;
    parse->config->mailbox = url.mailbox;
    parse->config->source = imap_xstrdup(parse->url);
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
    struct config *config = parse->config;

    if (!parse->url || !config->mountpoint)
        return imap_error_set(parse->err, IMAP_USAGE,
                              "usage: imapfs [-o opt,...] [-f] [-d] [-s] URL MOUNTPOINT (help: imapfs -h)");
    if (!*config->mountpoint)
        return imap_error_set(parse->err, IMAP_USAGE, "the mount point is an empty string");
    if (config->passcmd && config->password_stdin)
        return imap_error_set(parse->err, IMAP_USAGE, "passcmd= and password_stdin exclude each other");
    if (config->endpoint.clientkey && !config->endpoint.clientcert)
        return imap_error_set(parse->err, IMAP_USAGE, "clientkey= needs clientcert= beside it");
    config->endpoint.timeout_ms = config->timeout_s * 1000;
    if (!config->cache_dir)
        config->cache_dir = default_cache_dir();
    return apply_url(parse);
}

/* libfuse reports a missing argument through its log. */
static __thread struct imap_error *log_error;

static void catch_log(enum fuse_log_level level, const char *format, va_list args)
{
    char text[160];

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
    struct parse parse = {.config = config_out, .err = err ? err : &unused};

    *config_out = (struct config){
        .endpoint = {.tls = IMAP_TLS_IMPLICIT},
        .connections = 4,
        .timeout_s = 30,
        .poll_s = 60,
        .cache_size = 1U << 30,
        .uid = getuid(),
        .gid = getgid(),
        .umask = 077,
        .mount_flags = imap_xstrdup(""),
    };
    log_error = parse.err;
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
    set_string(&config->endpoint.host, NULL);
    set_string(&config->endpoint.port, NULL);
    set_string(&config->endpoint.cafile, NULL);
    set_string(&config->endpoint.fingerprint, NULL);
    set_string(&config->endpoint.clientcert, NULL);
    set_string(&config->endpoint.clientkey, NULL);
    set_string(&config->endpoint.tunnel, NULL);
    set_string(&config->endpoint.user, NULL);
    free(config->mailbox);
    free(config->source);
    free(config->mountpoint);
    free(config->passcmd);
    free(config->cache_dir);
    free(config->mount_flags);
    *config = (struct config){0};
}

void config_print_help(FILE *out)
{
    (void)fputs("usage: imapfs [-o opt,...] [-f] [-d] [-s] URL MOUNTPOINT\n"
                "       imapfs -h | -V\n"
                "\n"
                "  imaps://[user@]host[:port]/[mailbox]   TLS from the first byte (port 993)\n"
                "  imap://[user@]host[:port]/[mailbox]    STARTTLS, required (port 143); or -o tls=none\n"
                "\n"
                "  -f  stay in the foreground    -d  as -f, and print the protocol, secrets masked\n"
                "  -s  a single thread           -h  this help       -V  version\n"
                "\n"
                "password: passcmd, password_stdin, else $IMAPFS_PASSWORD, else a prompt\n"
                "  -o passcmd=CMD           the first line that this command prints\n"
                "  -o password_stdin        the first line of standard input\n"
                "connection:\n"
                "  -o tls=implicit|starttls|none\n"
                "  -o cafile=FILE           trust these CAs (PEM) instead of the system's\n"
                "  -o fingerprint=HEX       trust exactly the certificate with this SHA-256\n"
                "  -o clientcert=FILE,clientkey=FILE\n"
                "  -o tunnel=CMD            talk IMAP to a command, as in tunnel='ssh host imapd'\n"
                "  -o connections=N         at most N connections, 1 to 16 (default 4)\n"
                "  -o timeout=S             give up after S seconds (default 30)\n"
                "  -o poll=S                age at which a listing is checked again (default 60)\n"
                "cache:\n"
                "  -o cache_dir=DIR         default $XDG_CACHE_HOME/imapfs or ~/.cache/imapfs\n"
                "  -o cache_size=SIZE       bytes, or with K, M, G (default 1G)\n"
                "access:\n"
                "  -o uid=N,gid=N,umask=OCT owner and permissions shown (default: you, 077)\n"
                "  -o allow_other           let other users in, as far as permissions allow\n"
                "  -o ro                    read-only, which it always is in this version\n"
                "and the usual options of mount(8). In a value a comma is written \"\\,\".\n"
                "\n"
                "unmount: fusermount3 -u MOUNTPOINT\n",
                out);
}
