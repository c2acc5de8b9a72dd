// SPDX-License-Identifier: MIT
#include "golden.h"

#include "base/dtype.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(enum fum_result result, const struct fum_error *err) {
    if (result) fail_msg("%s", err->text);
}

// The one device of the program; NULL: the interpreter.
static fum_device *device;

void golden_choose(int argc, char **argv) {
    struct fum_error err;
    if (argc < 2 || strcmp(argv[1], "device")) return;
    if (!fum_device_create(&device, &(struct fum_device_params){.validate = true}, &err)) return;
    fprintf(stderr, "%s\n", err.text);
    exit(getenv("FUM_REQUIRE_DEVICE") ? 1 : 77);
}

bool golden_on_device(void) {
    return device != NULL;
}

bool golden_stores(enum fum_dtype type) {
    return !device || type != FUM_F16 || fum_device_get_info(device)->storage16;
}

int golden_end(int status) {
    int messages = device ? fum_device_validation_messages(device) : 0;
    fum_device_destroy(&device);
    return status ? status : messages;
}

void golden_open(struct golden *g, const char *folder, const char *component) {
    struct fum_error err;
    size_t bytes = 0;
    char path[512], base[400];
    *g = (struct golden){.component = component, .bound = 1e-4};
    const char *data = getenv("FUM_TEST_DATA");
    assert_non_null(data);
    snprintf(base, sizeof base, "%s/%s", data, folder);
    snprintf(path, sizeof path, "%s/golden.safetensors", base);
    must(fum_file_read(path, 64 << 20, &g->bytes, &bytes, &err), &err);
    must(fum_loader_open_memory(&g->tensors, g->bytes, bytes, path, &err), &err);
    const char *sub = strncmp(folder, "model-variants", 14) ? component : ".";
    snprintf(path, sizeof path, "%s/%s/config.json", base, sub);
    must(fum_json_read(&g->config, path, &err), &err);
    bool text = !strncmp(component, "text", 4);
    snprintf(path, sizeof path, "%s/%s/%s.safetensors", base, sub,
             text ? "model" : "diffusion_pytorch_model");
    must(fum_loader_open(&g->weights, path, &err), &err);
    must(fum_names_create(&g->names, g->weights, component, g->config, &err), &err);
    g->source = fum_names_source(g->names);
    must(fum_graph_create(&g->graph, FUM_F32, &err), &err);
}

bool golden_projected(const cJSON *config) {
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(config, "architectures");
    const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(classes, 0));
    return name && strstr(name, "WithProjection");
}

void golden_store(struct golden *g, enum fum_dtype storage, double bound) {
    struct fum_error err;
    fum_graph_destroy(&g->graph);
    must(fum_graph_create(&g->graph, storage, &err), &err);
    g->bound = bound;
}

void golden_close(struct golden *g) {
    fum_interp_destroy(&g->interp);
    fum_executable_destroy(&g->exe);
    fum_weights_destroy(&g->stored);
    fum_parameters_destroy(&g->parameters);
    fum_free(g->read);
    fum_graph_destroy(&g->graph);
    fum_names_destroy(&g->names);
    fum_loader_close(&g->weights);
    fum_loader_close(&g->tensors);
    fum_free(g->bytes);
    cJSON_Delete(g->config);
}

const struct fum_view *golden_find(const struct golden *g, const char *key, bool optional) {
    const struct fum_loader_tensor *t = fum_loader_find(g->tensors, key);
    if (!t && !optional) fail_msg("golden.safetensors has no %s", key);
    return t ? &t->view : NULL;
}

struct fum_shape golden_shape(const struct golden *g, const char *key) {
    const struct fum_view *v = golden_find(g, key, false);
    struct fum_shape s = {v->rank, {0}};
    for (int i = 0; i < v->rank; i++) s.dim[i] = v->dim[i];
    if (v->rank == 4) s = (struct fum_shape){4, {v->dim[0], v->dim[2], v->dim[3], v->dim[1]}};
    return s;
}

float *golden_read(const struct golden *g, const char *key, size_t *count) {
    const struct fum_view *v = golden_find(g, key, false);
    struct fum_shape s = golden_shape(g, key);
    size_t n = (size_t)fum_shape_count(&s);
    float *raw = fum_alloc(n, sizeof *raw), *out = fum_alloc(n, sizeof *out);
    assert_true(raw && out);
    fum_convert_to_f32(raw, v->data, v->dtype, n);
    size_t channels = v->rank == 4 ? (size_t)v->dim[1] : 1;
    size_t pixels = v->rank == 4 ? (size_t)(v->dim[2] * v->dim[3]) : n;
    for (size_t i = 0; i < n; i++) {
        size_t b = i / (pixels * channels), pixel = i / channels % pixels, c = i % channels;
        out[i] = raw[(b * channels + c) * pixels + pixel];
    }
    fum_free(raw);
    *count = n;
    return out;
}

static bool is_read(const fum_graph *graph, const fum_tensor *t) {
    for (int i = t->id + 1; i < graph->count; i++)
        for (int k = 0; k < graph->tensors[i]->num_inputs; k++)
            if (graph->tensors[i]->in[k] == t) return true;
    return false;
}

// Every node with a module's name and every result is kept, so that it can be compared; passes fuse
// around them. A graph for training keeps only what its test requests.
static void start_on_device(struct golden *g) {
    struct fum_error err;
    bool training = fum_graph_is_training(g->graph);
    for (int i = 0; i < g->graph->count && !training; i++) {
        fum_tensor *t = g->graph->tensors[i];
        if (t->kind != FUM_TENSOR_NODE) continue;
        if (!strchr(t->name, '#') || !is_read(g->graph, t)) fum_graph_output(g->graph, t, t->name);
    }
    struct fum_weights_params params = {
        .device = device, .source = g->source, .label = g->component};
    must(fum_weights_create(&g->stored, &params, &err), &err);
    must(fum_parameters_create_from(&g->parameters, device, &g->source, &err), &err);
    const struct fum_executable_params compiling = {.parameters = g->parameters};
    const struct fum_executable_job job = {
        .graph = g->graph, .device = device, .weights = g->stored, .params = &compiling};
    must(fum_executable_compile(&g->exe, &job, &err), &err);
}

static void write_on_device(struct golden *g, const fum_tensor *tensor, const float *data,
                            size_t count) {
    struct fum_error err;
    if (tensor->desc.dtype != FUM_I32) {
        must(fum_executable_write(g->exe, tensor, data, count, &err), &err);
        return;
    }
    int32_t *ids = fum_alloc(count, sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < count; i++) ids[i] = (int32_t)data[i];
    must(fum_executable_write_i32(g->exe, tensor, ids, count, &err), &err);
    fum_free(ids);
}

const float *golden_value(struct golden *g, const fum_tensor *tensor) {
    struct fum_error err;
    const double *computed = device ? NULL : fum_interp_read(g->interp, tensor);
    size_t count = (size_t)fum_shape_count(&tensor->desc.shape);
    if (!device && !computed) return NULL;
    fum_free(g->read);
    g->read = fum_alloc(count, sizeof *g->read);
    assert_non_null(g->read);
    for (size_t i = 0; !device && i < count; i++) g->read[i] = (float)computed[i];
    if (device) must(fum_executable_read(g->exe, tensor, g->read, count, &err), &err);
    return g->read;
}

void golden_start(struct golden *g) {
    struct fum_error err;
    must(fum_graph_check(g->graph, &err), &err);
    if (device) {
        start_on_device(g);
        return;
    }
    must(fum_interp_create(&g->interp, g->graph, &g->source, g->graph->storage != FUM_F32, &err),
         &err);
}

void golden_write_numbers(struct golden *g, const fum_tensor *tensor, const float *data,
                          size_t count) {
    struct fum_error err;
    if (device)
        write_on_device(g, tensor, data, count);
    else
        must(fum_interp_write(g->interp, tensor, data, count, &err), &err);
}

void golden_write(struct golden *g, const fum_tensor *tensor, const char *key) {
    size_t count;
    float *data = golden_read(g, key, &count);
    golden_write_numbers(g, tensor, data, count);
    fum_free(data);
}

void golden_run(struct golden *g) {
    struct fum_error err;
    for (int stage = FUM_STAGE_PROMPT; device && stage < FUM_STAGE_COUNT; stage++)
        must(fum_executable_run(g->exe, (enum fum_stage)stage, &err), &err);
    if (!device) must(fum_interp_run_all(g->interp, &err), &err);
}

// The first `count` numbers of the value from `offset`.
static void compare(struct golden *g, const fum_tensor *tensor, size_t offset, size_t limit,
                    const char *key) {
    assert_non_null(tensor);
    size_t count;
    float *want = golden_read(g, key, &count);
    const float *got = golden_value(g, tensor);
    struct fum_shape s = fum_tensor_shape(tensor);
    if (!got) fail_msg("%s was not computed", key);
    if (limit && limit < count) count = limit;
    if (!limit && (size_t)fum_shape_count(&s) != count)
        fail_msg("%s has %zu numbers, the graph's %lld", key, count,
                 (long long)fum_shape_count(&s));
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        error += ((double)got[offset + i] - want[i]) * ((double)got[offset + i] - want[i]);
        size += (double)want[i] * want[i];
    }
    fum_free(want);
    double relative = sqrt(error / (size > 0 ? size : 1));
    if (!(relative <= g->bound)) fail_msg("%s differs by %.3g relative RMS", key, relative);
    g->compared++;
}

void golden_compare(struct golden *g, const fum_tensor *tensor, const char *key) {
    compare(g, tensor, 0, 0, key);
}

static void compare_block(struct golden *g, const char *key, const char *module) {
    fum_tensor *node = fum_graph_find(g->graph, module);
    char last[160];
    snprintf(last, sizeof last, "%s.linear_2", module);
    if (!node) node = fum_graph_find(g->graph, last);
    if (!node) fail_msg("the graph has no node %s", module);
    if (strcmp(module, "time_embedding")) {
        compare(g, node, 0, 0, key);
        return;
    }
    // The graph's has a row for each step, diffusers' one for each picture.
    size_t count, channels = (size_t)fum_shape_channels(&node->desc.shape);
    float *row = golden_read(g, "unet.in.counter", &count);
    compare(g, node, (size_t)row[0] * channels, channels, key);
    fum_free(row);
}

void golden_compare_blocks(struct golden *g, const char *prefix) {
    char start[96];
    size_t first = 0;
    snprintf(start, sizeof start, "%s.%s", g->component, prefix);
    size_t count = fum_loader_count_prefix(g->tensors, start, &first);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        const char *key = fum_loader_at(g->tensors, first + i)->name,
                   *module = key + strlen(g->component) + 1;
        compare_block(g, key, module);
    }
}
