/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "../imap/sasl.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* one shape for all setters */

/* ---- values ------------------------------------------------------------------------------------ */

static bool refuse(struct options *options, const char *option, const char *want)
{
    imap_error_set(options->err, IMAP_USAGE, "the option %.60s is not right: %s", option, want);
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

static void set_string(const char **field, const char *value)
{
    free((char *)*field);
    *field = value;
}

static bool set_path(struct options *options, const char *option, const char *value, const char **field)
{
    if (!*value)
        return refuse(options, option, "it names no file");
    set_string(field, absolute_path(value));
    return true;
}

/* ---- options ----------------------------------------------------------------------------------- */

static bool set_cafile(struct options *options, const char *option, const char *value)
{
    return set_path(options, option, value, &options->config->endpoint.cafile);
}

static bool set_clientcert(struct options *options, const char *option, const char *value)
{
    return set_path(options, option, value, &options->config->endpoint.clientcert);
}

static bool set_clientkey(struct options *options, const char *option, const char *value)
{
    return set_path(options, option, value, &options->config->endpoint.clientkey);
}

static bool set_cache_dir(struct options *options, const char *option, const char *value)
{
    return set_path(options, option, value, (const char **)&options->config->cache_dir);
}

static void disable_also(struct options *options, const char *names)
{
    const char **field = &options->config->endpoint.disable;
    char *all = NULL;

    if (asprintf(&all, "%s%s%s", *field ? *field : "", *field ? "," : "", names) < 0)
        abort();
    set_string(field, all);
    options->disabling = true;
}

static bool set_disable(struct options *options, const char *option, const char *value)
{
    if (!value[strspn(value, ", ")])
        return refuse(options, option, "it names no capability");
    disable_also(options, value);
    return true;
}

/* In disable=A,B the comma has made B an option of its own. Those are in lower case. */
static bool is_capability(const char *arg)
{
    return arg[strspn(arg, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=+-")] == '\0';
}

static bool set_command(struct options *options, const char *option, const char *value, const char **field)
{
    if (!*value)
        return refuse(options, option, "it names no command");
    set_string(field, imap_xstrdup(value));
    return true;
}

static bool set_tunnel(struct options *options, const char *option, const char *value)
{
    return set_command(options, option, value, &options->config->endpoint.tunnel);
}

static bool set_passcmd(struct options *options, const char *option, const char *value)
{
    return set_command(options, option, value, (const char **)&options->config->passcmd);
}

static bool set_tokencmd(struct options *options, const char *option, const char *value)
{
    return set_command(options, option, value, (const char **)&options->config->tokencmd);
}

/* A comma ends an option and a blank a field of fstab, so colons stand between the names. */
static bool set_auth(struct options *options, const char *option, const char *value)
{
    struct imap_error err;
    char *names = imap_xstrdup(value);

    for (char *at = names; *at; at++)
        if (*at == ':')
            *at = ' ';
    if (imap_sasl_check_names(names, &err) != IMAP_OK) {
        free(names);
        return refuse(options, option, err.text);
    }
    set_string((const char **)&options->config->auth, names);
    return true;
}

static bool set_fingerprint(struct options *options, const char *option, const char *value)
{
    size_t digits = 0;

    for (const char *p = value; *p; p++) {
        if (*p == ':')
            continue;
        if (!strchr("0123456789abcdefABCDEF", *p))
            return refuse(options, option, "a SHA-256 fingerprint is 64 hex digits");
        digits++;
    }
    if (digits != 64)
        return refuse(options, option, "a SHA-256 fingerprint is 64 hex digits");
    set_string(&options->config->endpoint.fingerprint, imap_xstrdup(value));
    return true;
}

static bool set_tls(struct options *options, const char *option, const char *value)
{
    static const char *const names[] = {"implicit", "starttls", "none"};
    static const enum imap_tls values[] = {IMAP_TLS_IMPLICIT, IMAP_TLS_STARTTLS, IMAP_TLS_NONE};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            options->config->endpoint.tls = values[i];
            options->tls_given = true;
            return true;
        }
    }
    return refuse(options, option, "implicit, starttls or none");
}

static bool set_password_stdin(struct options *options, const char *option, const char *value)
{
    options->config->password_stdin = true;
    return true;
}

static bool set_number(struct options *options, const char *option, const char *value, uint64_t min,
                       uint64_t max, uint64_t *number_out)
{
    char want[80];

    if (parse_number(value, 10, max, number_out) && *number_out >= min)
        return true;
    (void)snprintf(want, sizeof(want), "a number from %llu to %llu", (unsigned long long)min,
                   (unsigned long long)max);
    return refuse(options, option, want);
}

static bool set_connections(struct options *options, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(options, option, value, 1, 16, &number))
        return false;
    options->config->connections = (unsigned)number;
    return true;
}

static bool set_compress(struct options *options, const char *option, const char *value)
{
    options->config->compress = true;
    return true;
}

static bool set_nocompress(struct options *options, const char *option, const char *value)
{
    options->config->compress = false;
    return true;
}

static bool set_max_threads(struct options *options, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(options, option, value, 1, 64, &number))
        return false;
    options->config->max_threads = (unsigned)number;
    return true;
}

static bool set_timeout(struct options *options, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(options, option, value, 1, 3600, &number))
        return false;
    options->config->timeout_s = (unsigned)number;
    return true;
}

static bool set_poll(struct options *options, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(options, option, value, 0, 86400, &number))
        return false;
    options->config->poll_s = (unsigned)number;
    return true;
}

static bool set_uid(struct options *options, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(options, option, value, 0, UINT32_MAX - 1, &number))
        return false;
    options->config->uid = (uid_t)number;
    return true;
}

static bool set_gid(struct options *options, const char *option, const char *value)
{
    uint64_t number;

    if (!set_number(options, option, value, 0, UINT32_MAX - 1, &number))
        return false;
    options->config->gid = (gid_t)number;
    return true;
}

static bool set_umask(struct options *options, const char *option, const char *value)
{
    uint64_t number;

    if (!parse_number(value, 8, 0777, &number))
        return refuse(options, option, "an octal number from 0 to 777");
    options->config->umask = (mode_t)number;
    return true;
}

static bool set_cache_size(struct options *options, const char *option, const char *value)
{
    if (!parse_size(value, &options->config->cache_size) || options->config->cache_size < (1U << 20))
        return refuse(options, option, "a size of at least 1M, such as 500M or 2G");
    return true;
}

static bool set_allow_other(struct options *options, const char *option, const char *value)
{
    options->config->allow_other = true;
    return true;
}

static bool set_trash(struct options *options, const char *option, const char *value)
{
    if (!*value)
        return refuse(options, option, "it names no mailbox");
    set_string((const char **)&options->config->trash, imap_xstrdup(value));
    return true;
}

static bool set_layout(struct options *options, const char *option, const char *value)
{
    const bool maildir = strcmp(value, "maildir") == 0;

    if (!maildir && strcmp(value, "eml") != 0)
        return refuse(options, option, "eml or maildir");
    options->config->maildir = maildir;
    return true;
}

static bool set_offline(struct options *options, const char *option, const char *value)
{
    options->config->offline = true;
    return true;
}

/* mount(8) says "rw" whenever fstab does not say "ro", so it cannot be an error. The last one counts. */
static bool set_rw(struct options *options, const char *option, const char *value)
{
    options->config->read_write = true;
    return true;
}

static bool set_ro(struct options *options, const char *option, const char *value)
{
    options->config->read_write = false;
    return true;
}

static bool set_writeback(struct options *options, const char *option, const char *value)
{
    options->config->writeback = true;
    return true;
}

static bool refuse_auto_unmount(struct options *options, const char *option, const char *value)
{
    return refuse(options, option,
                  "it would show an empty directory if imapfs ended, and a backup would follow suit");
}

static bool refuse_password(struct options *options, const char *option, const char *value)
{
    /* Not repeated in the message: it may hold the password. */
    return refuse(options, "password=",
                  "others could see it; use passcmd=, password_stdin, IMAPFS_PASSWORD or the prompt");
}

static bool set_mount_flag(struct options *options, const char *option, const char *value)
{
    char *flags = NULL;
    const char *before = options->config->mount_flags;

    if (asprintf(&flags, "%s%s%s", before, *before ? "," : "", option) < 0)
        abort();
    free(options->config->mount_flags);
    options->config->mount_flags = flags;
    return true;
}

static bool ignore(struct options *options, const char *option, const char *value)
{
    return true;
}

/* A name ending in '=' takes a value. */
static const struct option {
    const char *name;
    bool (*set)(struct options *options, const char *option, const char *value);
} table[] = {
    {"allow_other", set_allow_other},
    {"auth=", set_auth},
    {"cache_dir=", set_cache_dir},
    {"cache_size=", set_cache_size},
    {"cafile=", set_cafile},
    {"clientcert=", set_clientcert},
    {"clientkey=", set_clientkey},
    {"compress", set_compress},
    {"connections=", set_connections},
    {"disable=", set_disable},
    {"fingerprint=", set_fingerprint},
    {"gid=", set_gid},
    {"layout=", set_layout},
    {"max_threads=", set_max_threads},
    {"nocompress", set_nocompress},
    {"offline", set_offline},
    {"passcmd=", set_passcmd},
    {"password=", refuse_password},
    {"password_stdin", set_password_stdin},
    {"poll=", set_poll},
    {"ro", set_ro},
    {"rw", set_rw},
    {"trash=", set_trash},
    {"timeout=", set_timeout},
    {"tls=", set_tls},
    {"tokencmd=", set_tokencmd},
    {"tunnel=", set_tunnel},
    {"uid=", set_uid},
    {"umask=", set_umask},
    {"writeback", set_writeback},
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

bool options_take(struct options *options, const char *arg)
{
    if (*arg && options->disabling && is_capability(arg)) {
        disable_also(options, arg);
        return true;
    }
    options->disabling = false;
    if (!*arg || strncmp(arg, "x-", 2) == 0 || strncmp(arg, "X-", 2) == 0)
        return true;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *name = table[i].name;
        size_t len = strlen(name);
        bool valued = name[len - 1] == '=';

        if (valued ? strncmp(arg, name, len) == 0 : strcmp(arg, name) == 0)
            return table[i].set(options, arg, valued ? arg + len : "");
        if (valued && strlen(arg) == len - 1 && strncmp(arg, name, len - 1) == 0)
            return refuse(options, arg, "it needs a value, as in -o name=value");
    }
    imap_error_set(options->err, IMAP_USAGE, "unknown option '%.60s': see imapfs -h", arg);
    return false;
}
