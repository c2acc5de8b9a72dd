// SPDX-License-Identifier: MIT
// Draws jobs on one device, and keeps the model of the last one loaded.
#ifndef FUM_CLI_JOB_PAINTER_H
#define FUM_CLI_JOB_PAINTER_H

#include "spec.h"

// One thread at a time, but for the functions that say otherwise.
struct painter;

struct painter_params {
    const char *device; // as --device; NULL: the best
    const struct fum_log *log;
};

// A finished picture. Pointers are valid during the callback.
struct painter_picture {
    int index; // in the job, from 0
    uint64_t seed;
    int width, height;
    const void *png; // the whole file. It depends on the settings and the seed alone
    size_t bytes;
    char sha256[65]; // of the file
    double seconds;  // that it took
};

struct painter_progress {
    int picture, pictures, step, steps; // from 0; of all; done, from 1
    double step_seconds;                // of this step
    double seconds_left;                // of the job; below 0: not known
};

// What drawing reports, on its own thread. Each may be NULL.
struct painter_events {
    void (*on_progress)(void *user, const struct painter_progress *progress);
    // A PNG of what the picture is becoming, as the job's field "preview" says.
    void (*on_preview)(void *user, int picture, int step, const void *png, size_t bytes);
    bool (*on_picture)(void *user, const struct painter_picture *picture); // false: stop
    bool (*cancelled)(void *user); // read between pieces of a step; true: stop
    void *user;
};

// Opens the device.
enum fum_result painter_create(struct painter **painter, const struct painter_params *params,
                               struct fum_error *err);
void painter_destroy(struct painter **painter);

// Draws the pictures of a job from index `first` on, in order. The model is loaded, or another one
// unloaded, if need be. FUM_ERR_CANCELLED: a callback stopped it, after whole pictures.
enum fum_result painter_draw(struct painter *painter, const struct job_spec *job, int first,
                             const struct painter_events *events, struct fum_error *err);

// Frees the model's memory on the device.
void painter_unload(struct painter *painter);

// What a painter says of its device. Any thread.
struct painter_state {
    char name[256], uuid[37];
    char model[256]; // path of the loaded one; "": none
    uint64_t memory_used, memory_total;
};
void painter_get_state(struct painter *painter, struct painter_state *state);

#endif
