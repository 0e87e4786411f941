/* SPDX-License-Identifier: MIT */
/*
 * options: what may stand after -o, as a table.
 */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include "config.h"

struct options {
    struct config *config; /* where values go */
    struct imap_error *err;
    bool tls_given; /* tls= stood there */
    bool disabling; /* disable= stood right before */
};

/* Takes one option, unescaped, "name" or "name=value". False with one line in *err when it is unknown or
 * its value is not right. */
bool options_take(struct options *options, const char *option);

#endif
