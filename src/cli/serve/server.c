// SPDX-License-Identifier: MIT
// Starts the parts of the server and ends them.
#define _POSIX_C_SOURCE 200809L

#include "server.h"

#include "http_server.h"
#include "serve_log.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

// True for a scheme, a host, and maybe a port, as browsers send their origin.
static bool is_origin(const char *text) {
    const char *host = strstr(text, "://");
    if (!host || host == text || !host[3]) return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c >= 0x7f) return false;
    return !strpbrk(host + 3, "/?#@*,");
}

// Stores what is to be listened on. Without a key, that is this machine alone. Returns 0, or prints
// the error and returns an exit status.
static int check_address(const struct serve_options *options, struct http_params *params) {
    bool known;
    params->ip = options->listen_ip;
    params->port = options->port;
    params->cors = options->cors;
    params->loopback = http_is_loopback(options->listen_ip, &known);
    if (!known)
        return cli_fail("--listen-ip needs an address in numbers such as 127.0.0.1 or ::1, not "
                        "\"%s\"",
                        cli_show(options->listen_ip).text);
    if (options->cors && !is_origin(options->cors))
        return cli_fail("--cors needs an origin such as https://example.org, not \"%s\"",
                        cli_show(options->cors).text);
    if (!params->loopback && !options->api_key_file)
        return cli_fail("--listen-ip %s can be reached from other machines, which needs a key: "
                        "give --api-key-file FILE",
                        options->listen_ip);
    return 0;
}

// Makes room for the files of all connections, where the system's limit is lower.
static void raise_file_limit(void) {
    const rlim_t needed = 4096;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= needed) return;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void wait_for_signal(void) {
    const struct timespec piece = {.tv_nsec = 20000000};
    while (!cli_interrupted()) nanosleep(&piece, NULL);
}

// Answers until a signal comes. Returns an exit status.
static int answer(struct server *server, struct http_params *params) {
    struct http *http = NULL;
    params->server = server;
    int status = http_open(&http, params);
    if (status == 0) {
        server->port = http_port(http);
        const char *shape = strchr(params->ip, ':') ? "listening on http://[%s]:%d\n"
                                                    : "listening on http://%s:%d\n";
        printf(shape, params->ip, server->port);
        fflush(stdout);
        wait_for_signal();
        jobs_stop(server->jobs); // ends what waits for jobs, so that connections can end
    }
    http_close(&http);
    return status;
}

int server_run(const struct serve_options *options) {
    struct server server = {.options = options};
    struct http_params params = {0};
    struct http_keys *keys = NULL;
    int status = check_address(options, &params);
    if (status == 0 && options->api_key_file) status = http_keys_read(&keys, options->api_key_file);
    if (status == 0 && !(server.metrics = metrics_create())) status = cli_fail("no memory");
    params.keys = keys;
    raise_file_limit();
    if (status == 0) {
        status = server_open_jobs(&server);
        if (status == 0) status = answer(&server, &params);
        server_close_jobs(&server);
    }
    metrics_destroy(&server.metrics);
    http_keys_free(&keys);
    return status;
}
