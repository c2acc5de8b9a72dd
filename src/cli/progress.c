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
    *progress = (struct cli_progress){.quiet = quiet, .bar = isatty(fileno(stderr)) != 0};
}

// "1:02:03" or "2:03"
static void format_time(char *text, size_t size, double seconds) {
    long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, size, "%ld:%02ld", whole / 60, whole % 60);
}

// "0.24 s/step, 0:03 left"; nothing before there is an interval to measure.
static void format_speed(char *text, size_t size, const struct cli_progress *progress, long left) {
    char time[32];
    text[0] = 0;
    if (progress->calls < 2)
        return;
    double per_step = (fum_time_now() - progress->started) / (progress->calls - 1);
    format_time(time, sizeof time, per_step * (double)left);
    snprintf(text, size, ", %.2f s/step, %s left", per_step, time);
}

void cli_progress_step(struct cli_progress *progress, const char *what, int done, int total, long rest) {
    char speed[64], bar[BAR_WIDTH + 1];
    if (progress->quiet || total <= 0)
        return;
    if (progress->calls++ == 0)
        progress->started = fum_time_now();
    format_speed(speed, sizeof speed, progress, total - done + rest);
    if (!progress->bar) {
        fprintf(stderr, "%s %d/%d%s\n", what, done, total, speed);
        return;
    }
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i * total < done * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r[%s] %s %d/%d%s   ", bar, what, done, total, speed);
    fflush(stderr);
}

void cli_progress_clear(struct cli_progress *progress) {
    if (progress->bar && !progress->quiet && progress->calls > 0)
        fprintf(stderr, "\r%*s\r", CLEAR_WIDTH, "");
}
