// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include "cli.h"

#include <fumarole/train.h>

#if defined(_WIN32)
#include <io.h>
#define isatty _isatty
#define fileno _fileno
#else
#include <unistd.h>
#endif

enum { BAR_WIDTH = 24, CLEAR_WIDTH = 78 };
static const double LOAD_INTERVAL = 0.1;   // seconds from one bar to the next
static const double LINE_INTERVAL = 1;     // and from one line in a pipe to the next
static const double TRAINING_INTERVAL = 5; // the same while a model is trained
#define LOAD_BYTES (UINT64_C(64) << 20)

void cli_progress_begin(struct cli_progress *progress, bool quiet) {
    *progress = (struct cli_progress){.quiet = quiet, .bar = isatty(fileno(stderr)) != 0};
}

// Writes "1:02:03" or "2:03".
static void format_time(char *text, size_t size, double seconds) {
    long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, size, "%ld:%02ld", whole / 60, whole % 60);
}

// Writes ", 0.24 s/step, 0:03 left", or nothing before there is an interval to measure.
static void format_speed(char *text, size_t size, const struct cli_progress *progress, long left) {
    char time[32];
    double per_step = progress->step_seconds;
    text[0] = 0;
    if (per_step == 0 && progress->calls < 2) return;
    if (per_step == 0) per_step = (fum_time_now() - progress->started) / (progress->calls - 1);
    format_time(time, sizeof time, per_step * (double)left + progress->later_seconds);
    snprintf(text, size, ", %.2f s/step, %s left", per_step, time);
}

static void draw(struct cli_progress *progress, const char *text, double fraction) {
    char bar[BAR_WIDTH + 1];
    for (int i = 0; i < BAR_WIDTH; i++) bar[i] = i < fraction * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r[%s] ", bar);
    cli_put(stderr, "%s   ", text);
    fflush(stderr);
    progress->drawn = true;
}

void cli_progress_load(struct cli_progress *progress, const char *component, uint64_t done,
                       uint64_t total, bool verbose) {
    const double mib = 1 << 20;
    char text[96];
    double now = fum_time_now();
    if (progress->load_started == 0) progress->load_started = now;
    double seconds = now - progress->load_started;
    if (done == total) progress->load_started = 0;
    if (progress->quiet || total == 0 || (total < LOAD_BYTES && !verbose)) return;
    if (done == total) {
        cli_progress_clear(progress);
        cli_put_line(stderr, "loaded %s, %.1f MiB in %.2f s", component, (double)total / mib,
                     seconds);
    } else if (progress->bar && now - progress->load_drawn >= LOAD_INTERVAL) {
        snprintf(text, sizeof text, "loading %s, %.0f of %.0f MiB, %.0f MiB/s", component,
                 (double)done / mib, (double)total / mib,
                 seconds > 0 ? (double)done / mib / seconds : 0.0);
        draw(progress, text, (double)done / (double)total);
        progress->load_drawn = now;
    }
}

// True if a line is due in a pipe: `interval` seconds have passed without one. The work begins
// where `begins`.
static bool line_due(struct cli_progress *progress, bool begins, double interval) {
    double now = fum_time_now();
    if (begins) {
        progress->work_started = progress->piece_line = now;
        progress->piece_lines = false;
    }
    bool due = !progress->bar && now - progress->piece_line >= interval;
    if (due) {
        progress->piece_line = now;
        progress->piece_lines = true;
    }
    return due;
}

void cli_progress_compile(struct cli_progress *progress, const char *component, int done, int total,
                          bool verbose) {
    char text[96];
    bool due = line_due(progress, done == 0, LINE_INTERVAL);
    double seconds = fum_time_now() - progress->work_started;
    if (progress->quiet || total <= 0) return;
    if (done == total) {
        cli_progress_clear(progress);
        if (verbose || progress->piece_lines || seconds >= LINE_INTERVAL)
            fprintf(stderr, "compiled %s, %d kernels in %.2f s\n", component, total, seconds);
        return;
    }
    snprintf(text, sizeof text, "compiling %s, %d/%d kernels", component, done, total);
    if (progress->bar)
        draw(progress, text, (double)done / total);
    else if (due)
        fprintf(stderr, "%s\n", text);
}

void cli_progress_pieces(struct cli_progress *progress, const struct cli_pieces *pieces) {
    char text[96], time[32], left[48] = "";
    bool due = line_due(progress, pieces->done == 0, pieces->interval);
    if (progress->quiet || pieces->total <= 0 || (pieces->done == pieces->total && !progress->bar))
        return; // what follows says that it is done
    if (pieces->left > 0) {
        format_time(time, sizeof time, pieces->left);
        snprintf(left, sizeof left, ", %s left", time);
    }
    snprintf(text, sizeof text, "%s, part %d/%d%s", pieces->what, pieces->done, pieces->total,
             left);
    if (progress->bar)
        draw(progress, text, (double)pieces->done / pieces->total);
    else if (due)
        fprintf(stderr, "%s\n", text);
}

void cli_progress_step(struct cli_progress *progress, const char *what, int done, int total,
                       long rest) {
    char speed[64], text[128];
    if (progress->quiet || total <= 0) return;
    if (progress->calls++ == 0) progress->started = fum_time_now();
    format_speed(speed, sizeof speed, progress, total - done + rest);
    if (!progress->bar) {
        cli_put_line(stderr, "%s %d/%d%s", what, done, total, speed);
        return;
    }
    snprintf(text, sizeof text, "%s %d/%d%s", what, done, total, speed);
    draw(progress, text, (double)done / total);
}

void cli_progress_training(struct cli_progress *progress, const struct fum_training_step *step) {
    char text[160], time[32];
    double now = fum_time_now();
    if (progress->quiet) return;
    if (progress->calls++ == 0) {
        progress->started = now - step->seconds;
        progress->work_started = (double)step->step - 1;
    }
    double done = (double)step->step - progress->work_started, seconds = now - progress->started;
    double left = seconds / done * (double)(step->steps - step->step);
    bool last = step->step == step->steps;
    double interval = progress->bar ? LOAD_INTERVAL : TRAINING_INTERVAL;
    if (!last && progress->calls > 1 && now - progress->piece_line < interval) return;
    progress->piece_line = now;
    format_time(time, sizeof time, left);
    snprintf(text, sizeof text, "step %lld/%lld, loss %.5g, %.0f samples/s, %s left",
             (long long)step->step, (long long)step->steps, step->loss, step->samples_per_second,
             time);
    if (progress->bar)
        draw(progress, text, (double)step->step / (double)step->steps);
    else
        cli_put_line(stderr, "%s", text);
}

void cli_progress_pictures(struct cli_progress *progress, int done, int total, double left) {
    char text[96], time[32], rest[48] = "";
    bool due = line_due(progress, progress->calls++ == 0, TRAINING_INTERVAL);
    if (progress->quiet || total <= 0) return;
    if (left > 0) {
        format_time(time, sizeof time, left);
        snprintf(rest, sizeof rest, ", %s left", time);
    }
    snprintf(text, sizeof text, "%d/%d pictures%s", done, total, rest);
    if (progress->bar)
        draw(progress, text, (double)done / total);
    else if (due)
        fprintf(stderr, "%s\n", text);
}

void cli_progress_clear(struct cli_progress *progress) {
    if (progress->drawn) fprintf(stderr, "\r%*s\r", CLEAR_WIDTH, "");
    progress->drawn = false;
}
