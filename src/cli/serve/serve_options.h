// SPDX-License-Identifier: MIT
// What the command gives the server.
#ifndef FUM_CLI_SERVE_SERVE_OPTIONS_H
#define FUM_CLI_SERVE_SERVE_OPTIONS_H

#include "../options.h"

struct serve_options {
    struct cli_list models, devices;
    const char *models_dir, *lora_dir, *embeddings_dir, *upscalers_dir;
    const char *listen_ip, *state_dir, *api_key_file, *cors;
    int port, max_queue, max_pixels, idle_unload;
    int log_format; // enum serve_log_format
    bool verbose;
};

// Runs the server until a signal ends it. Returns 0, or prints the error and returns an exit
// status.
int server_run(const struct serve_options *options);

#endif
