/* SPDX-License-Identifier: MIT */
/*
 * suspend: notices that the machine has slept (or that its clock was set, which some machines do when they
 * wake up, and which is no reason to believe what was known before).
 */
#ifndef FS_SUSPEND_H
#define FS_SUSPEND_H

#include <stdbool.h>

/* A descriptor that becomes readable then, or -1. The caller's to close. */
int suspend_open(void);
/* It was readable: takes that off, so that the next time is told. True when that is what it was. */
bool suspend_over(int fd);

#endif
