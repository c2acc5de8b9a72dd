#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include <fumarole/device.h>

#include <stdio.h>

#if defined(_WIN32)
#include <io.h>
#define isatty _isatty
#define fileno _fileno
#else
#include <unistd.h>
#endif

enum { BAR_WIDTH = 24, CLEAR_WIDTH = 78 };

void cli_progress_begin(struct cli_progress *progress, bool quiet) {
    *progress = (struct cli_progress){
        .quiet = quiet, .bar = isatty(fileno(stderr)) != 0, .last = -1, .started = fum_time_now()};
}

// "1:02:03" or "2:03"
static void format_time(char *text, size_t size, double seconds) {
    long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, size, "%ld:%02ld", whole / 60, whole % 60);
}

void cli_progress_step(struct cli_progress *progress, const char *what, int done, int total) {
    char left[32], bar[BAR_WIDTH + 1];
    double now = fum_time_now();
    if (done == 0 || progress->last < 0 || done < progress->last)
        progress->started = now;
    if (progress->quiet || done == progress->last || total <= 0)
        return;
    progress->last = done;
    double per_step = done > 0 ? (now - progress->started) / done : 0;
    format_time(left, sizeof left, per_step * (total - done));
    if (!progress->bar) {
        if (done > 0)
            fprintf(stderr, "%s %d/%d, %.2f s/step, %s left\n", what, done, total, per_step, left);
        return;
    }
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i * total < done * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    if (done > 0)
        fprintf(stderr, "\r%-10s [%s] %d/%d  %.2f s/step  %s left   ", what, bar, done, total, per_step, left);
    else
        fprintf(stderr, "\r%-10s [%s] %d/%d ", what, bar, done, total);
    fflush(stderr);
}

void cli_progress_end(struct cli_progress *progress) {
    if (progress->bar && !progress->quiet && progress->last >= 0)
        fprintf(stderr, "\r%*s\r", CLEAR_WIDTH, "");
    progress->last = -1;
}
