// SPDX-License-Identifier: MIT
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 16, LOWEST_CODE = 100, HIGHEST_CODE = 599 };

struct histogram {
    long counts[BUCKETS + 1]; // the last holds what exceeds all bounds
    double sum;
};

struct metrics {
    pthread_mutex_t lock;
    long requests[HIGHEST_CODE - LOWEST_CODE + 1];
    long pictures;
    struct histogram wait, step;
};

// Upper bounds of the buckets, in seconds.
static const double bounds[BUCKETS] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,    2.5,
                                       5,    10,    30,   60,  120,  300, 1200, 3600};

struct metrics *metrics_create(void) {
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics) pthread_mutex_init(&metrics->lock, NULL);
    return metrics;
}

void metrics_destroy(struct metrics **metrics) {
    if (!*metrics) return;
    pthread_mutex_destroy(&(*metrics)->lock);
    free(*metrics);
    *metrics = NULL;
}

void metrics_add_request(struct metrics *metrics, int code) {
    if (code < LOWEST_CODE || code > HIGHEST_CODE) return;
    pthread_mutex_lock(&metrics->lock);
    metrics->requests[code - LOWEST_CODE]++;
    pthread_mutex_unlock(&metrics->lock);
}

static void add_value(struct metrics *metrics, struct histogram *histogram, double value) {
    int bucket = 0;
    while (bucket < BUCKETS && value > bounds[bucket]) bucket++;
    pthread_mutex_lock(&metrics->lock);
    histogram->counts[bucket]++;
    histogram->sum += value;
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_add_wait(struct metrics *metrics, double seconds) {
    add_value(metrics, &metrics->wait, seconds);
}

void metrics_add_step(struct metrics *metrics, double seconds) {
    add_value(metrics, &metrics->step, seconds);
}

void metrics_add_picture(struct metrics *metrics) {
    pthread_mutex_lock(&metrics->lock);
    metrics->pictures++;
    pthread_mutex_unlock(&metrics->lock);
}

// Writes a histogram. Its buckets hold what is at most their bound.
static void write_histogram(FILE *out, const char *name, const char *help,
                            const struct histogram *histogram) {
    long total = 0;
    fprintf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (int i = 0; i < BUCKETS; i++) {
        total += histogram->counts[i];
        fprintf(out, "%s_bucket{le=\"%g\"} %ld\n", name, bounds[i], total);
    }
    total += histogram->counts[BUCKETS];
    fprintf(out, "%s_bucket{le=\"+Inf\"} %ld\n%s_sum %.9g\n%s_count %ld\n", name, total, name,
            histogram->sum, name, total);
}

void metrics_write(struct metrics *metrics, FILE *out) {
    static const char requests[] = "fumarole_http_requests_total";
    static const char pictures[] = "fumarole_pictures_total";
    pthread_mutex_lock(&metrics->lock);
    write_histogram(out, "fumarole_queue_wait_seconds", "Time from a job's coming to its start.",
                    &metrics->wait);
    write_histogram(out, "fumarole_step_seconds", "Time of a sampling step.", &metrics->step);
    fprintf(out, "# HELP %s Pictures that were finished.\n# TYPE %s counter\n%s %ld\n", pictures,
            pictures, pictures, metrics->pictures);
    fprintf(out, "# HELP %s HTTP requests that were answered, by status.\n# TYPE %s counter\n",
            requests, requests);
    for (int code = LOWEST_CODE; code <= HIGHEST_CODE; code++) {
        long count = metrics->requests[code - LOWEST_CODE];
        if (count) fprintf(out, "%s{code=\"%d\"} %ld\n", requests, code, count);
    }
    pthread_mutex_unlock(&metrics->lock);
}
