/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"status", cmd_status},
    {"cache", cmd_cache},
};

bool commands_run(int argc, char **argv, int *code_out)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        *code_out = commands[i].run(argc - 1, argv + 1);
        return true;
    }
    return false;
}
