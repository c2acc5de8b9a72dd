// SPDX-License-Identifier: MIT
// The lines of a batch, and which of their pictures are still to be drawn. Any thread.
#ifndef FUM_CLI_BATCH_WORK_H
#define FUM_CLI_BATCH_WORK_H

#include "../job/spec.h"
#include "manifest.h"

struct work_line {
    int number;   // in the file, from 1
    char *fields; // settled, as JSON
    int count;    // pictures
    int group;    // of those that are drawn together
    bool *done;   // of each picture
    int next;     // index of the first picture that was not handed out
    bool failed;  // its other pictures are not drawn
};

// Pictures of a line from `first` to before `end`, some of which may be done.
struct work_unit {
    struct work_line *line;
    int first, end;
};

struct work;
struct work_params {
    FILE *file;       // of the lines
    const char *name; // in messages
    const struct generate_options *defaults;
    struct manifest *manifest;
    bool whole_lines; // one draws all: units are lines
};

// Reads all lines. Broken ones are reported. Returns 0, or prints the error and returns an exit
// status. The work is to be destroyed in any case.
int work_create(struct work **work, const struct work_params *params);
void work_destroy(struct work **work);

// Adds a device that draws. Returns its number; below 0: memory is out.
int work_join(struct work *work);
void work_leave(struct work *work, int worker);
// Hands out the next pictures. Returns false if there are none now, or the others will have drawn
// all that is left before this device could draw one.
bool work_take(struct work *work, int worker, struct work_unit *unit);
// Takes back a unit that was not drawn to its end.
void work_give_back(struct work *work, const struct work_unit *unit);
// Finds a line by its number. NULL: there is none.
struct work_line *work_find(struct work *work, int number);
// Writes a picture that a device has drawn, unless it is there. Returns false if that failed, which
// is reported and stops the work.
struct work_picture {
    struct manifest_row row;
    int worker, width, height;
};
bool work_add(struct work *work, const struct work_picture *picture);
// Reports that a line cannot be drawn, and goes on without it.
void work_fail_line(struct work *work, struct work_line *line, const char *why);

// Makes all workers stop. `status`: the exit status; 0: the work just ends.
void work_stop(struct work *work, int status);
bool work_stopped(struct work *work);
// Stores the pictures that are done, and those of all lines that did not fail. Returns false once
// nothing is left to draw.
bool work_count(struct work *work, int *done, int *all);
// Returns the exit status so far.
int work_status(struct work *work);

// Reads the job of a line, or of fields that came from another rank. Returns false with the reason.
bool work_read_job(struct job_spec *job, const char *fields,
                   const struct generate_options *defaults, struct job_error *error);

#endif
