/* SPDX-License-Identifier: MIT */
/*
 * human: numbers and times as people read them.
 */
#ifndef FS_HUMAN_H
#define FS_HUMAN_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define HUMAN_SIZE 32

/* "512", "1.2K", "34.5M", "120G" (of 1024) */
const char *human_bytes(uint64_t bytes, char text_out[static HUMAN_SIZE]);
/* "0 s" to "99 s", "2 min" to "99 min", "2 h" to "47 h", "2 d" and more; "0 s" for what is yet to come. */
const char *human_age(int64_t ms, char text_out[static HUMAN_SIZE]);
/* "2026-11-21 12:55:49", local time */
const char *human_time(time_t when, char text_out[static HUMAN_SIZE]);
/* Text of others' making as one line without control bytes, each of which becomes '?'. */
void human_line(FILE *out, const char *text);

#endif
