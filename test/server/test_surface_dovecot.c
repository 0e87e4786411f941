/* SPDX-License-Identifier: MIT */
/* Every verb of the client library against a real Dovecot (surface.h). */
#include "surface.h"

int main(void)
{
    static surface_group *const groups[] = {surface_session,  surface_login,        surface_mailboxes,
                                            surface_messages, surface_append_tests, surface_search,
                                            surface_admin,    surface_waiting};
    return surface_main(false, groups, sizeof groups / sizeof groups[0]);
}
