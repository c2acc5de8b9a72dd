// SPDX-License-Identifier: MIT
// What the parts of `fumarole serve` share.
#ifndef FUM_CLI_SERVE_SERVER_H
#define FUM_CLI_SERVE_SERVER_H

#include "http.h"
#include "jobs.h"
#include "metrics.h"

struct serve_options {
    struct cli_list models, devices;
    const char *models_dir, *lora_dir, *embeddings_dir, *upscalers_dir;
    const char *listen_ip, *state_dir, *api_key_file, *cors;
    int port, max_queue, max_pixels, idle_unload;
    int log_format;
    bool verbose;
};

struct server {
    const struct serve_options *options;
    struct jobs *jobs;
    struct metrics *metrics;
    struct job_context context; // of jobs that come in
    // The files that are offered. Taken with server_catalogue, since a refresh replaces it.
    struct catalogue *catalogue;
    int port; // that is listened on
};

#endif
