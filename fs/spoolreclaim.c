/* SPDX-License-Identifier: MIT */
/*
 * spoolreclaim: gives back what lies in the files and belongs to nobody: a crash has left it. On a thread of its
 * own, and only below where the files ended when it began, so that it never meets what is allocated meanwhile.
 */
#include <stdlib.h>
#include <unistd.h>

#include "../imap/mem.h"
#include "spool_internal.h"
#include "thread.h"

struct reclaim {
    pthread_t thread;
    atomic_bool stop;
    struct spool_place *places;
    size_t count;
    struct spool_file *files[SPOOL_FILES_MAX]; /* of each a reference */
    uint64_t limits[SPOOL_FILES_MAX];
    unsigned file_count;
};

static int by_place(const void *one, const void *other)
{
    const struct spool_place *a = one, *b = other;
    return a->file != b->file ? (a->file > b->file) - (a->file < b->file)
                              : (a->block > b->block) - (a->block < b->block);
}

static void free_gap(const struct spool_file *file, uint64_t from, uint64_t to)
{
    if (from >= to)
        return;
    const off_t data = lseek(file->fd, (off_t)from, SEEK_DATA);
    if (data >= 0 && (uint64_t)data < to)
        extent_punch(&(struct extent){(struct spool_file *)file, 0, to}, from, to);
}

static void free_gaps(struct reclaim *reclaim, unsigned which)
{
    const struct spool_file *file = reclaim->files[which];
    uint64_t end = 0;
    size_t at = 0;
    while (at < reclaim->count && reclaim->places[at].file < file->number)
        at++;
    for (; at < reclaim->count && reclaim->places[at].file == file->number; at++) {
        const struct spool_place *place = &reclaim->places[at];
        if (atomic_load(&reclaim->stop))
            return;
        free_gap(file, end, (uint64_t)place->block * ALIGN);
        if (end < ((uint64_t)place->block + place->blocks) * ALIGN)
            end = ((uint64_t)place->block + place->blocks) * ALIGN;
    }
    free_gap(file, end, reclaim->limits[which]);
}

static void *run(void *arg)
{
    struct reclaim *reclaim = arg;
    if (reclaim->count)
        qsort(reclaim->places, reclaim->count, sizeof *reclaim->places, by_place);
    for (unsigned i = 0; i < reclaim->file_count; i++)
        free_gaps(reclaim, i);
    free(reclaim->places);
    reclaim->places = NULL;
    return NULL;
}

void spool_reclaim(struct spool *spool, struct spool_place *places, size_t count)
{
    struct reclaim *reclaim = imap_xcalloc(1, sizeof *reclaim);
    reclaim->places = places;
    reclaim->count = count;
    pthread_mutex_lock(&spool->lock);
    for (unsigned i = 0; i < spool->file_count; i++) {
        struct spool_file *file = spool->files[i];
        if (!file->number || !file->size)
            continue;
        atomic_fetch_add(&file->refs, 1);
        reclaim->files[reclaim->file_count] = file;
        reclaim->limits[reclaim->file_count++] = spool_space(file->size);
    }
    pthread_mutex_unlock(&spool->lock);
    spool->reclaim = reclaim;
    thread_start(&reclaim->thread, "reclaim", run, reclaim);
}

void spool_reclaim_stop(struct spool *spool)
{
    struct reclaim *reclaim = spool->reclaim;
    spool->reclaim = NULL;
    if (!reclaim)
        return;
    atomic_store(&reclaim->stop, true);
    pthread_join(reclaim->thread, NULL);
    for (unsigned i = 0; i < reclaim->file_count; i++)
        spool_file_unref(reclaim->files[i]);
    free(reclaim->places);
    free(reclaim);
}
