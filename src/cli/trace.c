// SPDX-License-Identifier: MIT
#include "trace.h"

#include "cli.h"

#include <stdio.h>
#include <string.h>

static const char *kind_name(enum fum_trace_kind kind) {
    switch (kind) {
    case FUM_TRACE_SUBMIT: return "submit";
    case FUM_TRACE_WAIT: return "wait";
    case FUM_TRACE_UPLOAD: return "upload";
    case FUM_TRACE_READBACK: return "readback";
    case FUM_TRACE_RECORD: return "record";
    case FUM_TRACE_KERNEL: return "kernel";
    case FUM_TRACE_ALLOC: return "alloc";
    }
    return "other";
}

static void put(struct cli_trace *trace, const char *text, size_t bytes) {
    if (trace->result == FUM_OK)
        trace->result = fum_file_write(trace->file, text, bytes, &trace->error);
}

// Writes a name, which may come from a file, as a string of JSON.
static void put_quoted(struct cli_trace *trace, const char *text) {
    char shown[256], quoted[2 * sizeof shown + 2];
    size_t used = 0;
    fum_text_escape(shown, sizeof shown, text, strlen(text));
    quoted[used++] = '"';
    for (const char *p = shown; *p; p++) {
        if (*p == '"' || *p == '\\') quoted[used++] = '\\';
        quoted[used++] = *p;
    }
    quoted[used++] = '"';
    put(trace, quoted, used);
}

// Writes one complete event ("ph": "X"); times in microseconds since the trace began.
static void on_event(void *user, const struct fum_trace_event *event) {
    struct cli_trace *trace = user;
    bool dispatches = event->kind == FUM_TRACE_SUBMIT || event->kind == FUM_TRACE_RECORD;
    // Uploads, which other threads make beside the computation, have a line of their own.
    int line = event->kind == FUM_TRACE_UPLOAD ? 2 : 1;
    char text[256];
    double begin = (event->start - trace->started) * 1e6,
           duration = (event->end - event->start) * 1e6;
    int bytes = snprintf(
        text, sizeof text,
        "%s{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"cat\":\"%s\",\"ts\":%.1f,\"dur\":%.1f,\"name\":",
        trace->any ? ",\n" : "", line, kind_name(event->kind), begin, duration);
    put(trace, text, (size_t)bytes);
    put_quoted(trace, event->label ? event->label : kind_name(event->kind));
    bytes = snprintf(text, sizeof text, ",\"args\":{\"%s\":%llu}}",
                     dispatches ? "dispatches" : "bytes", (unsigned long long)event->bytes);
    put(trace, text, (size_t)bytes);
    trace->any = true;
}

int cli_trace_begin(struct cli_trace *trace, const char *path, fum_device *device) {
    *trace = (struct cli_trace){.started = fum_time_now()};
    enum fum_result result = fum_file_begin(&trace->file, path, &trace->error);
    if (result != FUM_OK) return cli_fail_result(result, &trace->error);
    put(trace, "[\n", 2);
    fum_device_set_trace(device, on_event, trace);
    return 0;
}

int cli_trace_end(struct cli_trace *trace, fum_device *device) {
    if (!trace->file) return 0;
    fum_device_set_trace(device, NULL, NULL);
    put(trace, "\n]\n", 3);
    if (trace->result == FUM_OK) trace->result = fum_file_commit(&trace->file, &trace->error);
    fum_file_abort(&trace->file);
    return trace->result == FUM_OK ? 0 : cli_fail_result(trace->result, &trace->error);
}
