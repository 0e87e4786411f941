/* SPDX-License-Identifier: MIT */
#include "cyrus.h"

#include <stddef.h>

bool test_cyrus_start(struct test_server *server)
{
    return test_server_start(server, "cyrus.sh", NULL);
}
