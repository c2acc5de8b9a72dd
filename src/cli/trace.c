#include "trace.h"

#include "cli.h"

#include <errno.h>
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

static void write_quoted(FILE *file, const char *text) {
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', file);
        if ((unsigned char)*text >= 0x20)
            fputc(*text, file);
    }
    fputc('"', file);
}

// One complete event ("ph": "X"); times in microseconds since the trace began.
static void on_event(void *user, const struct fum_trace_event *event) {
    struct cli_trace *trace = user;
    bool dispatches = event->kind == FUM_TRACE_SUBMIT || event->kind == FUM_TRACE_RECORD;
    // Uploads, which other threads make beside the computation, have a line of their own.
    int line = event->kind == FUM_TRACE_UPLOAD ? 2 : 1;
    fprintf(trace->file, "%s{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"cat\":\"%s\",\"ts\":%.1f,\"dur\":%.1f,\"name\":",
            trace->any ? ",\n" : "", line, kind_name(event->kind), (event->start - trace->started) * 1e6,
            (event->end - event->start) * 1e6);
    write_quoted(trace->file, event->label ? event->label : kind_name(event->kind));
    fprintf(trace->file, ",\"args\":{\"%s\":%llu}}", dispatches ? "dispatches" : "bytes",
            (unsigned long long)event->bytes);
    trace->any = true;
}

int cli_trace_begin(struct cli_trace *trace, const char *path, fum_device *device) {
    *trace = (struct cli_trace){.file = fopen(path, "w"), .started = fum_time_now()};
    if (!trace->file)
        return cli_fail("cannot write %s: %s", path, strerror(errno));
    fputs("[\n", trace->file);
    fum_device_set_trace(device, on_event, trace);
    return 0;
}

int cli_trace_end(struct cli_trace *trace, const char *path, fum_device *device) {
    if (!trace->file)
        return 0;
    fum_device_set_trace(device, NULL, NULL);
    fputs("\n]\n", trace->file);
    bool bad = ferror(trace->file) != 0;
    bad = fclose(trace->file) != 0 || bad;
    trace->file = NULL;
    return bad ? cli_fail("%s could not be written whole; is the disk full?", path) : 0;
}
