// SPDX-License-Identifier: MIT
// Logs what the server does, on standard error. Prompts and keys are in no line.
#ifndef FUM_CLI_SERVE_SERVE_LOG_H
#define FUM_CLI_SERVE_SERVE_LOG_H

#include <fumarole/core.h>

struct server;

enum serve_log_format { SERVE_LOG_TEXT, SERVE_LOG_JSON };

// A request that was answered.
struct serve_request {
    const char *method, *path, *peer;
    int status;
    double seconds;
};
void serve_log_request(const struct server *server, const struct serve_request *request);
// Returns a log of the library that writes lines of the server's.
struct fum_log serve_log(const struct server *server);

#endif
