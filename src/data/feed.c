// SPDX-License-Identifier: MIT
#include "data/feed.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MAX_THREADS = 4 };

// A batch in memory of its own. Threads fill slots in the order of the batches' numbers.
struct slot {
    struct fum_data_batch batch;
    float *pixels;
    int32_t *labels;
    struct fum_data_sample *rows;
    struct fum_data_pick *picks;
    bool ready;
    enum fum_result result;
    struct fum_error error;
};

struct fum_data_feed {
    struct fum_data_order order;
    const struct fum_data_order *sizes; // gives the sizes of the batches
    struct fum_data_part part;
    int rows; // of a batch that are read
    fum_data *data;
    pthread_t threads[MAX_THREADS];
    int started;
    struct slot *slots;
    int slot_count;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t filled, freed;
    // Guarded by the lock. Batches from `first` on were not handed out; `claimed` is the next that
    // a thread takes. Batch n lies in slot n % slot_count.
    int64_t first, claimed;
    bool held; // batch first - 1 is in the caller's hands, and its slot not free
};

static struct slot *slot_of(fum_data_feed *feed, int64_t number) {
    return &feed->slots[number % feed->slot_count];
}

// ---- one batch ----

// Returns the number of a row that is read, among those of the whole batch.
static int whole_row(const fum_data_feed *feed, int row) {
    const struct fum_data_part *part = &feed->part;
    return row / part->count * part->of + part->first + row % part->count;
}

// Reads one row, or the next good sample in its size.
static enum fum_result read_row(fum_data_feed *feed, struct slot *slot, int row,
                                struct fum_error *err) {
    const struct fum_data_batch *batch = &slot->batch;
    const struct fum_data_pick first =
        fum_data_order_pick(&feed->order, batch->number, whole_row(feed, row));
    size_t each = (size_t)batch->channels * (size_t)batch->height * (size_t)batch->width;
    int64_t count = fum_data_get_info(feed->data)->count;
    for (int64_t tries = 0; tries < count && !atomic_load(&feed->stop); tries++) {
        struct fum_data_pick pick = fum_data_order_next(&feed->order, first, tries);
        pick.width = batch->width;
        pick.height = batch->height;
        if (fum_data_was_broken(feed->data, pick.index)) continue;
        slot->picks[row] = pick;
        enum fum_result result = fum_data_read(feed->data, pick, slot->pixels + (size_t)row * each,
                                               &slot->rows[row], err);
        if (!result) slot->labels[row] = slot->rows[row].label;
        if (!result || !fum_data_is_broken(result)) return result;
        fum_data_note_broken(feed->data, pick.index, err);
    }
    if (atomic_load(&feed->stop)) return fum_error_set(err, FUM_ERR_CANCELLED, "stopped");
    return fum_error_set(err, FUM_ERR_FORMAT, "all %lld pictures are broken", (long long)count);
}

static void fill_slot(fum_data_feed *feed, struct slot *slot, int64_t number) {
    const struct fum_data_bucket *bucket =
        fum_data_get_bucket(feed->sizes->data, fum_data_order_bucket(feed->sizes, number));
    slot->batch = (struct fum_data_batch){.number = number,
                                          .count = feed->rows,
                                          .width = bucket->width,
                                          .height = bucket->height,
                                          .channels = fum_data_get_info(feed->data)->channels,
                                          .pixels = slot->pixels,
                                          .labels = slot->labels,
                                          .rows = slot->rows,
                                          .picks = slot->picks};
    slot->result = FUM_OK;
    for (int row = 0; row < feed->rows && !slot->result; row++)
        slot->result = read_row(feed, slot, row, &slot->error);
}

// True if the next batch has a slot that is free.
static bool may_claim(const fum_data_feed *feed) {
    int64_t oldest = feed->first - (feed->held ? 1 : 0);
    return feed->claimed - oldest < feed->slot_count;
}

static void *fill_batches(void *user) {
    fum_data_feed *feed = user;
    pthread_mutex_lock(&feed->lock);
    while (!atomic_load(&feed->stop)) {
        if (!may_claim(feed)) {
            pthread_cond_wait(&feed->freed, &feed->lock);
            continue;
        }
        int64_t number = feed->claimed++;
        struct slot *slot = slot_of(feed, number);
        slot->ready = false;
        pthread_mutex_unlock(&feed->lock);
        fill_slot(feed, slot, number);
        pthread_mutex_lock(&feed->lock);
        slot->ready = true;
        pthread_cond_broadcast(&feed->filled);
    }
    pthread_mutex_unlock(&feed->lock);
    return NULL;
}

// ---- the feed ----

// Returns the values of the largest batch.
static size_t most_values(const fum_data_feed *feed) {
    const fum_data *sizes = feed->sizes->data;
    size_t channels = (size_t)fum_data_get_info(feed->data)->channels, most = 0;
    for (int i = 0; i < fum_data_get_info(sizes)->buckets; i++) {
        const struct fum_data_bucket *b = fum_data_get_bucket(sizes, i);
        most = FUM_MAX(most, (size_t)b->width * (size_t)b->height * channels);
    }
    return most * (size_t)feed->rows;
}

static bool make_slots(fum_data_feed *feed) {
    size_t values = most_values(feed), rows = (size_t)feed->rows;
    feed->slots = fum_calloc((size_t)feed->slot_count, sizeof *feed->slots);
    for (int i = 0; i < feed->slot_count && feed->slots; i++) {
        struct slot *slot = &feed->slots[i];
        slot->pixels = fum_alloc(values, sizeof *slot->pixels);
        slot->labels = fum_alloc(rows, sizeof *slot->labels);
        slot->rows = fum_alloc(rows, sizeof *slot->rows);
        slot->picks = fum_alloc(rows, sizeof *slot->picks);
        if (!slot->pixels || !slot->labels || !slot->rows || !slot->picks) return false;
    }
    return feed->slots != NULL;
}

enum fum_result fum_data_feed_start(fum_data_feed **out, const struct fum_data_feed_params *params,
                                    struct fum_error *err) {
    *out = NULL;
    if (params->batch < 1)
        return fum_error_set(err, FUM_ERR_ARG, "a batch of %d samples; at least 1", params->batch);
    fum_data_feed *feed = fum_calloc(1, sizeof *feed);
    if (!feed) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to read ahead");
    int threads = params->threads ? params->threads : fum_cpu_count() / 2;
    threads = (int)fum_clamp_i64(threads, 1, MAX_THREADS);
    feed->data = params->data;
    feed->order = (struct fum_data_order){params->data, params->seed, params->batch};
    const struct fum_data_part whole = {0, params->batch, params->batch};
    feed->part = params->part.count ? params->part : whole;
    feed->rows = params->batch / feed->part.of * feed->part.count;
    feed->sizes = params->sizes ? params->sizes : &feed->order;
    feed->first = feed->claimed = params->first;
    feed->slot_count = threads + 2;
    pthread_mutex_init(&feed->lock, NULL);
    pthread_cond_init(&feed->filled, NULL);
    pthread_cond_init(&feed->freed, NULL);
    bool good = make_slots(feed);
    while (good && feed->started < threads &&
           !pthread_create(&feed->threads[feed->started], NULL, fill_batches, feed))
        feed->started++;
    *out = feed;
    if (feed->started) return FUM_OK;
    fum_data_feed_stop(out);
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory to read batches of %d samples ahead",
                         params->batch);
}

enum fum_result fum_data_feed_next(fum_data_feed *feed, const struct fum_data_batch **batch,
                                   struct fum_error *err) {
    *batch = NULL;
    pthread_mutex_lock(&feed->lock);
    feed->held = false;
    pthread_cond_broadcast(&feed->freed);
    struct slot *slot = slot_of(feed, feed->first);
    while (feed->claimed <= feed->first || !slot->ready)
        pthread_cond_wait(&feed->filled, &feed->lock);
    if (!slot->result) {
        feed->first++;
        feed->held = true;
        *batch = &slot->batch;
    }
    pthread_mutex_unlock(&feed->lock);
    if (slot->result && err) *err = slot->error;
    return slot->result;
}

void fum_data_feed_stop(fum_data_feed **feed) {
    fum_data_feed *f = *feed;
    if (!f) return;
    atomic_store(&f->stop, true);
    pthread_mutex_lock(&f->lock);
    pthread_cond_broadcast(&f->freed);
    pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < f->started; i++) pthread_join(f->threads[i], NULL);
    for (int i = 0; f->slots && i < f->slot_count; i++) {
        fum_free(f->slots[i].pixels);
        fum_free(f->slots[i].labels);
        fum_free(f->slots[i].rows);
        fum_free(f->slots[i].picks);
    }
    fum_free(f->slots);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->filled);
    pthread_cond_destroy(&f->freed);
    fum_free(f);
    *feed = NULL;
}
