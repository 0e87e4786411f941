/* SPDX-License-Identifier: MIT */
/*
 * cyrus: a private Cyrus for one test program (testserver.h), by way of cyrus.sh.
 *
 * Its users are user, friend and the administrator cyrus; other users' mailboxes lie below "Other Users/".
 */
#ifndef TEST_CYRUS_H
#define TEST_CYRUS_H

#include "testserver.h"

bool test_cyrus_start(struct test_server *server);

#endif
