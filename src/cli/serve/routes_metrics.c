// SPDX-License-Identifier: MIT
// Answers with the numbers of the server, for Prometheus, and with the description of its paths.
#define _POSIX_C_SOURCE 200809L

#include "openapi.h"
#include "routes.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>

static void write_states(struct jobs *jobs, FILE *out) {
    long counts[JOB_STATES] = {0};
    jobs_count(jobs, counts);
    fputs("# HELP fumarole_jobs Jobs that are kept, by state.\n# TYPE fumarole_jobs gauge\n", out);
    for (int i = 0; i < JOB_STATES; i++)
        fprintf(out, "fumarole_jobs{state=\"%s\"} %ld\n", job_state_name((enum job_state)i),
                counts[i]);
}

static const char *get_name(const cJSON *device) {
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(device, "name");
    return cJSON_IsString(name) ? name->valuestring : "";
}

// Returns how many devices before this one share its name.
static int count_twins(const cJSON *devices, const cJSON *device) {
    const cJSON *other;
    int count = 0;
    cJSON_ArrayForEach(other, devices) {
        if (other == device) break;
        count += strcmp(get_name(other), get_name(device)) == 0;
    }
    return count;
}

// Writes the value of a label. Devices of one name are numbered from the second on.
static void write_device(const cJSON *devices, const cJSON *device, FILE *out) {
    const cJSON *used = cJSON_GetObjectItemCaseSensitive(device, "memory_used");
    int twins = count_twins(devices, device);
    fputs("fumarole_device_memory_bytes{device=\"", out);
    for (const char *c = get_name(device); *c; c++) {
        if (*c == '"' || *c == '\\') fputc('\\', out);
        fputc(*c == '\n' ? ' ' : *c, out);
    }
    if (twins) fprintf(out, " #%d", twins + 1);
    // A large number may be kept as its text.
    if (cJSON_IsRaw(used))
        fprintf(out, "\"} %s\n", used->valuestring);
    else
        fprintf(out, "\"} %.0f\n", cJSON_IsNumber(used) ? used->valuedouble : 0);
}

static void write_devices(struct jobs *jobs, FILE *out) {
    const cJSON *device;
    cJSON *devices = jobs_describe_devices(jobs);
    fputs("# HELP fumarole_device_memory_bytes Memory of the device that is used.\n"
          "# TYPE fumarole_device_memory_bytes gauge\n",
          out);
    cJSON_ArrayForEach(device, devices) {
        write_device(devices, device, out);
    }
    cJSON_Delete(devices);
}

static void refuse_memory(const struct http_request *request, struct http_response *response) {
    const struct http_error error = {.status = 500};
    http_answer_error(request, response, &error, "no memory for the answer");
}

void route_metrics(const struct http_request *request, struct http_response *response) {
    struct server *server = request->server;
    FILE *out = open_memstream(&response->body, &response->bytes);
    if (out) {
        write_states(server->jobs, out);
        write_devices(server->jobs, out);
        metrics_write(server->metrics, out);
    }
    bool good = out && !ferror(out);
    if (out && fclose(out)) good = false;
    response->type = "text/plain; version=0.0.4; charset=utf-8";
    if (!good) refuse_memory(request, response);
}

void route_openapi(const struct http_request *request, struct http_response *response) {
    struct server *server = request->server;
    struct job_context context = server->context;
    context.catalogue = server_catalogue(server);
    cJSON *document = openapi_create(&context);
    server_catalogue_done(server);
    http_answer_json(response, 200, document);
}
