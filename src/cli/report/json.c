// SPDX-License-Identifier: MIT
// Writes the benchmark's report as JSON, reads it back and looks entries up.
#define _POSIX_C_SOURCE 200809L

#include "report.h"

#include "../output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// ---- from the report ----

// Adds a number. cJSON's calls fail only without memory, which one check at the end finds.
static void add_number(cJSON *object, const char *key, double value) {
    cJSON_AddNumberToObject(object, key, isfinite(value) ? value : 0);
}

static void add_samples(cJSON *object, const char *key, const struct fum_bench_samples *s) {
    if (s->count == 0) return;
    cJSON *out = cJSON_AddObjectToObject(object, key);
    add_number(out, "median", s->median);
    add_number(out, "low", s->low);
    add_number(out, "high", s->high);
    cJSON_AddItemToObject(out, "values", cJSON_CreateDoubleArray(s->values, s->count));
}

static cJSON *limit_json(const struct fum_bench_limit *l) {
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "name", l->name);
    cJSON_AddStringToObject(out, "unit", l->unit);
    cJSON_AddStringToObject(out, "what", l->what);
    cJSON_AddBoolToObject(out, "lower_is_better", l->lower_is_better);
    add_samples(out, "value", &l->value);
    return out;
}

static cJSON *op_json(const struct fum_bench_op *op) {
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "op", op->op);
    cJSON_AddStringToObject(out, "name", op->name);
    cJSON_AddStringToObject(out, "type", fum_dtype_name(op->type));
    add_number(out, "flops", op->flops);
    add_number(out, "bytes", op->bytes);
    add_number(out, "dispatches", op->dispatches);
    add_number(out, "barriers", op->barriers);
    cJSON_AddStringToObject(out, "bound", op->memory_bound ? "memory" : "arithmetic");
    add_samples(out, "seconds", &op->seconds);
    add_samples(out, "of_fma", &op->of_fma);
    add_samples(out, "of_roof", &op->of_roof);
    return out;
}

static cJSON *model_json(const struct fum_bench_model *m) {
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "name", m->name);
    add_number(out, "width", m->width);
    add_number(out, "height", m->height);
    cJSON_AddStringToObject(out, "type", fum_dtype_name(m->type));
    add_number(out, "steps", m->steps);
    if (m->note) cJSON_AddStringToObject(out, "note", m->note);
    add_samples(out, "text", &m->text);
    add_samples(out, "step", &m->step);
    add_samples(out, "decode", &m->decode);
    add_samples(out, "encode", &m->encode);
    add_samples(out, "host", &m->host);
    add_samples(out, "step_of_fma", &m->step_of_fma);
    add_samples(out, "decode_of_fma", &m->decode_of_fma);
    add_number(out, "load_seconds", m->load_seconds);
    add_number(out, "pictures_per_second", m->pictures);
    add_number(out, "step_flops", m->step_flops);
    add_number(out, "decode_flops", m->decode_flops);
    add_number(out, "encode_flops", m->encode_flops);
    add_number(out, "dispatches", m->dispatches);
    add_number(out, "barriers", m->barriers);
    add_number(out, "planned_unet_bytes", (double)m->planned_unet);
    add_number(out, "planned_vae_bytes", (double)m->planned_vae);
    add_number(out, "peak_bytes", (double)m->memory_peak);
    return out;
}

static void add_device(cJSON *report, const struct fum_device_info *info,
                       const struct cli_clock *clock) {
    static const char *const types[] = {"other", "integrated", "discrete", "virtual", "cpu"};
    char text[64];
    cJSON *out = cJSON_AddObjectToObject(report, "device");
    cJSON_AddStringToObject(out, "name", info->name);
    cJSON_AddStringToObject(out, "driver", info->driver);
    cJSON_AddStringToObject(out, "type", types[info->type <= FUM_DEVICE_CPU ? info->type : 0]);
    for (int i = 0; i < 16; i++) snprintf(text + 2 * i, 3, "%02x", info->uuid[i]);
    cJSON_AddStringToObject(out, "uuid", text);
    snprintf(text, sizeof text, "%u.%u.%u", info->api_version >> 22 & 0x7f,
             info->api_version >> 12 & 0x3ff, info->api_version & 0xfff);
    cJSON_AddStringToObject(out, "vulkan", text);
    add_number(out, "driver_version", info->driver_version);
    add_number(out, "vendor_id", info->vendor_id);
    add_number(out, "device_id", info->device_id);
    add_number(out, "memory_bytes", (double)info->memory);
    add_number(out, "shared_bytes", info->shared_bytes);
    add_number(out, "subgroup_size", info->subgroup_size);
    add_number(out, "nanoseconds_per_tick", (double)info->timestamp_period);
    cJSON_AddBoolToObject(out, "float16", info->float16);
    cJSON_AddBoolToObject(out, "storage16", info->storage16);
    cJSON_AddBoolToObject(out, "int_dot", info->int_dot);
    cJSON_AddBoolToObject(out, "cooperative_matrix", info->cooperative_matrix);
    if (clock->highest > 0) {
        add_number(out, "clock_mhz_lowest", clock->lowest);
        add_number(out, "clock_mhz_highest", clock->highest);
    }
}

static void add_date(cJSON *report) {
    char text[32];
    time_t now = time(NULL);
    struct tm *utc = gmtime(&now);
    if (utc && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", utc))
        cJSON_AddStringToObject(report, "date", text);
}

cJSON *cli_bench_json(const struct fum_bench_report *report, const struct fum_device_info *info,
                      const struct cli_clock *clock) {
    cJSON *out = cJSON_CreateObject();
    cJSON_AddStringToObject(out, "format", "fumarole-bench");
    add_number(out, "version", CLI_BENCH_FORMAT);
    cJSON_AddStringToObject(out, "fumarole", fum_version());
    add_date(out);
    add_device(out, info, clock);
    cJSON_AddBoolToObject(out, "complete", report->complete);
    add_number(out, "seconds", report->seconds);
    add_number(out, "ops_left_out", report->ops_left_out);
    cJSON *limits = cJSON_AddArrayToObject(out, "limits"),
          *ops = cJSON_AddArrayToObject(out, "ops");
    cJSON *models = cJSON_AddArrayToObject(out, "models");
    for (int i = 0; i < report->num_limits; i++)
        cJSON_AddItemToArray(limits, limit_json(&report->limits[i]));
    for (int i = 0; i < report->num_ops; i++) cJSON_AddItemToArray(ops, op_json(&report->ops[i]));
    for (int i = 0; i < report->num_models; i++)
        cJSON_AddItemToArray(models, model_json(&report->models[i]));
    if (cJSON_GetArraySize(limits) == report->num_limits &&
        cJSON_GetArraySize(ops) == report->num_ops &&
        cJSON_GetArraySize(models) == report->num_models && models)
        return out;
    cJSON_Delete(out);
    return NULL;
}

// ---- files ----

int cli_bench_write_json(const char *path, const cJSON *report) {
    char *text = cJSON_Print(report);
    if (!text) return cli_fail("out of memory for the report");
    int status = cli_output_save_text(path, text);
    cJSON_free(text);
    return status;
}

static const char *const sections[] = {"limits", "ops", "models"};

static bool check_report(const char *path, const cJSON *report) {
    if (strcmp(cli_bench_string(report, "format"), "fumarole-bench") != 0) {
        cli_fail("%s: not a report of fumarole bench --json", path);
        return false;
    }
    double version = cli_bench_number(report, "version");
    if (version != CLI_BENCH_FORMAT) {
        cli_fail(
            "%s: a report in format %g, this program knows %d: measure again with this version",
            path, version, CLI_BENCH_FORMAT);
        return false;
    }
    for (int i = 0; i < 3; i++)
        if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(report, sections[i]))) {
            cli_fail("%s: damaged: it has no \"%s\"", path, sections[i]);
            return false;
        }
    return true;
}

cJSON *cli_bench_parse(const char *path, const char *text, size_t bytes) {
    size_t end = 0;
    cJSON *report = NULL;
    enum cli_json parsed = cli_json_parse(&report, text, bytes, &end);
    if (parsed == CLI_JSON_NO_MEMORY)
        cli_fail("%s: no memory for its JSON", path);
    else if (!report)
        cli_fail("%s: not a report of fumarole bench: no JSON from byte %zu on", path, end);
    else if (!check_report(path, report)) {
        cJSON_Delete(report);
        report = NULL;
    }
    return report;
}

cJSON *cli_bench_read(const char *path) {
    size_t bytes;
    char *text = cli_read_text(path, (size_t)64 << 20, &bytes);
    cJSON *report = text ? cli_bench_parse(path, text, bytes) : NULL;
    free(text);
    return report;
}

// ---- looking up ----

double cli_bench_number(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : 0;
}

const char *cli_bench_string(const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

struct cli_samples cli_bench_samples(const cJSON *samples) {
    const cJSON *values = cJSON_GetObjectItemCaseSensitive(samples, "values");
    struct cli_samples out = {cJSON_IsArray(values) ? cJSON_GetArraySize(values) : 0,
                              cli_bench_number(samples, "median"), cli_bench_number(samples, "low"),
                              cli_bench_number(samples, "high")};
    if (!(out.median > 0) && !(out.high > 0)) out.count = 0;
    return out;
}

const cJSON *cli_bench_match(const cJSON *report, const char *section, const cJSON *entry) {
    static const char *const keys[] = {"op", "name", "type"};
    const cJSON *other;
    cJSON_ArrayForEach(other, cJSON_GetObjectItemCaseSensitive(report, section)) {
        bool same = true;
        for (int i = 0; i < 3 && same; i++)
            same = strcmp(cli_bench_string(entry, keys[i]), cli_bench_string(other, keys[i])) == 0;
        same = same && cli_bench_number(entry, "width") == cli_bench_number(other, "width") &&
               cli_bench_number(entry, "height") == cli_bench_number(other, "height");
        if (same) return other;
    }
    return NULL;
}

struct cli_label cli_bench_label(const char *section, const cJSON *entry) {
    struct cli_label out;
    const char *name = cli_bench_string(entry, "name");
    if (strcmp(section, "ops") == 0)
        snprintf(out.text, sizeof out.text, "%s %s, %s",
                 cli_show(cli_bench_string(entry, "op")).text, cli_show(name).text,
                 cli_show(cli_bench_string(entry, "type")).text);
    else if (strcmp(section, "models") == 0)
        snprintf(out.text, sizeof out.text, "%s %.0fx%.0f, %s", cli_show(name).text,
                 cli_bench_number(entry, "width"), cli_bench_number(entry, "height"),
                 cli_show(cli_bench_string(entry, "type")).text);
    else
        snprintf(out.text, sizeof out.text, "%s", cli_show(name).text);
    return out;
}
