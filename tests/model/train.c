// SPDX-License-Identifier: MIT
// Gradients through whole networks, every weight a parameter: the loss changes along a direction as
// the gradient predicts.
#include "golden.h"

#include "base/alloc.h"
#include "model/clip.h"
#include "model/unet.h"
#include "model/vae.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PARAMETERS = 512 };

// ---- the graph ----

struct training {
    struct golden g;
    const char *x_key; // the UNet's picture
    fum_tensor *inputs[8];
    const char *keys[8]; // of golden.safetensors
    int num_inputs;
    fum_tensor *loss, *parameters[MAX_PARAMETERS], *grads[MAX_PARAMETERS];
    int count;
};

static void add_input(struct training *t, fum_tensor *input, const char *key) {
    if (!input) return;
    t->inputs[t->num_inputs] = input;
    t->keys[t->num_inputs++] = key;
}

static void add_loss(struct training *t, fum_tensor *out) {
    fum_graph *graph = t->g.graph;
    struct fum_error err;
    assert_non_null(out);
    struct fum_shape s = fum_tensor_shape(out);
    const struct fum_attr mean[] = {{"mul", 1.0 / (double)fum_shape_count(&s)}, {0}},
                          number[] = {{"rank", 1}, {"d0", 1}, {0}};
    fum_tensor *x = fum_graph_add(graph, "mul", NULL, FUM_INPUTS(out, out), NULL);
    if (x->desc.dtype != FUM_F32)
        x = fum_graph_add(graph, "cast", NULL, FUM_INPUTS(x),
                          (struct fum_attr[]){{"dtype", FUM_F32}, {0}});
    x = fum_graph_add(graph, "reduce_sum", NULL, FUM_INPUTS(x), number);
    t->loss = fum_graph_add(graph, "scale", "loss", FUM_INPUTS(x), mean);
    fum_graph_output(graph, t->loss, "loss");
    t->count = fum_graph_list_parameters(graph, NULL);
    assert_in_range(t->count, 1, MAX_PARAMETERS);
    assert_int_equal(fum_graph_list_parameters(graph, t->parameters), t->count);
    if (!fum_graph_gradient(graph, t->loss, t->parameters, t->count, t->grads)) {
        fum_graph_check(graph, &err);
        fail_msg("%s", err.text);
    }
}

static void build_unet(struct training *t) {
    struct fum_unet_config config;
    struct fum_error err;
    bool pictures = cJSON_GetObjectItem(t->g.config, "cross_attention_dim") == NULL;
    enum fum_result result =
        pictures ? fum_unet2d_config_parse(&config, t->g.config, "config.json", &err)
                 : fum_unet_config_parse(&config, t->g.config, "config.json", &err);
    if (result) fail_msg("%s", err.text);
    struct fum_shape x = golden_shape(&t->g, t->x_key);
    struct fum_unet_sizes sizes = {.batch = x.dim[0]};
    if (!pictures) sizes.tokens = golden_shape(&t->g, "unet.in.context").dim[1];
    if (config.text_time) sizes.pooled = (int)golden_shape(&t->g, "unet.in.text_embeds").dim[1];
    struct fum_unet_params p = {.x = fum_graph_input(t->g.graph, "x", x, FUM_F32, FUM_STAGE_STEP)};
    fum_unet_inputs(t->g.graph, &config, &sizes, &p);
    add_input(t, p.x, t->x_key);
    add_input(t, p.timesteps, "unet.in.timesteps");
    add_input(t, p.context, "unet.in.context");
    add_input(t, p.text_embeds, "unet.in.text_embeds");
    add_input(t, p.time_ids, "unet.in.time_ids");
    add_input(t, p.class_labels, "unet.in.class_labels");
    add_input(t, p.timestep_cond, "unet.in.timestep_cond");
    if (!cJSON_GetObjectItem(t->g.config, "classes")) {
        add_loss(t, fum_unet_build(t->g.graph, &config, &p));
        return;
    }
    struct fum_classifier_outputs outputs;
    assert_true(fum_unet_classifier(t->g.graph, &config, &p, 7, &outputs));
    add_loss(t, outputs.logits);
}

// The pictures of the odd size go through encoder and decoder.
static void build_vae(struct training *t) {
    struct fum_vae_config config;
    struct fum_vae_moments moments;
    struct fum_error err;
    if (fum_vae_config_parse(&config, t->g.config, "config.json", &err)) fail_msg("%s", err.text);
    fum_tensor *x = fum_graph_input(t->g.graph, "x", golden_shape(&t->g, "vae.in.pixels"), FUM_F32,
                                    FUM_STAGE_STEP);
    add_input(t, x, "vae.in.pixels");
    fum_vae_encode(t->g.graph, &config, NULL, x, &moments);
    fum_tensor *z =
        fum_graph_add(t->g.graph, "add", NULL, FUM_INPUTS(moments.mean, moments.logvar), NULL);
    add_loss(t, fum_vae_decode(t->g.graph, &config, NULL, z));
}

static void build_text(struct training *t) {
    struct fum_clip_config config;
    struct fum_clip_outputs outputs;
    struct fum_error err;
    if (fum_clip_config_parse(&config, t->g.config, golden_projected(t->g.config), "config.json",
                              &err))
        fail_msg("%s", err.text);
    fum_tensor *ids = fum_graph_input(t->g.graph, "ids", golden_shape(&t->g, "text_encoder.in.ids"),
                                      FUM_I32, FUM_STAGE_STEP);
    add_input(t, ids, "text_encoder.in.ids");
    fum_clip_build(t->g.graph, &config, &(struct fum_clip_params){.ids = ids}, &outputs);
    add_loss(t, outputs.hidden);
}

// ---- runs ----

// Every weight but the frequencies of Fourier features, which stay as they were drawn.
static bool is_trained(void *user, const char *name) {
    (void)user;
    return strcmp(name, "time_proj.weight") != 0;
}

static void open_training(struct training *t, const char *folder, const char *component,
                          enum fum_dtype storage) {
    bool odd = !strcmp(component, "odd unet");
    *t = (struct training){.x_key = odd ? "unet.odd.x" : "unet.in.x"};
    if (odd) component = "unet";
    golden_open(&t->g, folder, component);
    if (storage != FUM_F32) golden_store(&t->g, storage, 1);
    fum_graph_train(t->g.graph, is_trained, NULL);
    if (!strcmp(component, "unet")) build_unet(t);
    if (!strcmp(component, "vae")) build_vae(t);
    if (!strncmp(component, "text", 4)) build_text(t);
}

static size_t count_of(const fum_tensor *t) {
    struct fum_shape s = fum_tensor_shape(t);
    return (size_t)fum_shape_count(&s);
}

// The golden run has one timestep of several; here each picture takes another one.
static float *read_input(const struct training *t, int i) {
    size_t count;
    float *values = golden_read(&t->g, t->keys[i], &count);
    assert_true(count >= count_of(t->inputs[i]));
    return values;
}

static void run(fum_interp *interp) {
    struct fum_error err;
    if (fum_interp_run_all(interp, &err)) fail_msg("%s", err.text);
}

static fum_interp *interpret(struct training *t) {
    struct fum_error err;
    fum_interp *interp;
    if (fum_interp_create(&interp, t->g.graph, &t->g.source, false, &err)) fail_msg("%s", err.text);
    for (int i = 0; i < t->num_inputs; i++) {
        float *values = read_input(t, i);
        if (fum_interp_write(interp, t->inputs[i], values, count_of(t->inputs[i]), &err))
            fail_msg("%s", err.text);
        fum_free(values);
    }
    run(interp);
    return interp;
}

// ---- the gradient against differences ----

// Returns element i of the direction along parameter p, a number in -1..1.
static double direction(int p, size_t i) {
    uint32_t seed = (uint32_t)p * 2654435761u + (uint32_t)i * 40503u + 12345;
    seed ^= seed >> 15;
    seed *= 2246822519u;
    return (double)((seed ^ seed >> 13) & 0xffff) / 32768 - 1;
}

// Holds each parameter's values and gradient, and the values moved along the direction.
struct point {
    double *at[MAX_PARAMETERS], *grads[MAX_PARAMETERS];
    float *moved[MAX_PARAMETERS];
};

// Sets every parameter to its value + step · direction. Returns the loss there. Adds what the
// gradient predicts to *slope.
static double move(struct training *t, fum_interp *interp, struct point *point, double step,
                   double *slope) {
    struct fum_error err;
    for (int p = 0; p < t->count; p++) {
        size_t count = count_of(t->parameters[p]);
        for (size_t i = 0; i < count; i++) {
            point->moved[p][i] = (float)(point->at[p][i] + step * direction(p, i));
            *slope +=
                point->grads[p][i] * (point->moved[p][i] - point->at[p][i]) * (step > 0 ? 1 : -1);
        }
        if (fum_interp_write(interp, t->parameters[p], point->moved[p], count, &err))
            fail_msg("%s", err.text);
    }
    run(interp);
    return fum_interp_read(interp, t->loss)[0];
}

static double *copy_values(const fum_interp *interp, const fum_tensor *t) {
    double *copy = fum_alloc(count_of(t), sizeof *copy);
    assert_non_null(copy);
    assert_non_null(fum_interp_read(interp, t));
    memcpy(copy, fum_interp_read(interp, t), count_of(t) * sizeof *copy);
    return copy;
}

// Every parameter moves at once by about 2e-5, there and back.
static void check_differences(struct training *t, fum_interp *interp) {
    struct point point;
    double slope = 0;
    for (int p = 0; p < t->count; p++) {
        point.at[p] = copy_values(interp, t->parameters[p]);
        point.grads[p] = copy_values(interp, t->grads[p]);
        point.moved[p] = fum_alloc(count_of(t->parameters[p]), sizeof(float));
        assert_non_null(point.moved[p]);
    }
    double change = move(t, interp, &point, 2e-5, &slope);
    change -= move(t, interp, &point, -2e-5, &slope);
    print_message("%d parameters: the loss changes by %.9g, predicted %.9g\n", t->count, change,
                  slope);
    if (!(fabs(change - slope) <= 1e-3 * fabs(change))) fail_msg("the gradient is another one");
    for (int p = 0; p < t->count; p++) {
        fum_free(point.at[p]);
        fum_free(point.moved[p]);
        fum_free(point.grads[p]);
    }
}

// ---- the device against the interpreter ----

// Compares the gradients of all parameters, weighted by their size; those of one parameter may be
// all rounding, such as a bias's before a norm.
static void check_device(struct training *t, fum_interp *interp, double bound) {
    double error = 0, size = 0;
    for (int p = 0; p < t->count; p++) fum_graph_output(t->g.graph, t->grads[p], "gradient");
    golden_start(&t->g);
    for (int i = 0; i < t->num_inputs; i++) {
        float *values = read_input(t, i);
        golden_write_numbers(&t->g, t->inputs[i], values, count_of(t->inputs[i]));
        fum_free(values);
    }
    golden_run(&t->g);
    for (int p = 0; p < t->count; p++) {
        const double *want = fum_interp_read(interp, t->grads[p]);
        const float *got = golden_value(&t->g, t->grads[p]);
        for (size_t i = 0; i < count_of(t->grads[p]); i++) {
            error += (got[i] - want[i]) * (got[i] - want[i]);
            size += want[i] * want[i];
        }
    }
    print_message("on the device: %.3g relative\n", sqrt(error / size));
    if (!(sqrt(error / size) <= bound)) fail_msg("gradients differ by %g", sqrt(error / size));
}

// ---- against PyTorch ----

// The gradients of tests/golden/model_gradients.py.
struct torch {
    fum_loader *loader;
    char *bytes, prefix[96]; // of the network's weights
};

// Returns true if the file has the network's gradients.
static bool open_torch(struct torch *torch, const char *folder, const char *component) {
    struct fum_error err;
    size_t bytes, first;
    char path[1024];
    snprintf(path, sizeof path, "%s/model_gradients.safetensors", getenv("FUM_TEST_DATA"));
    ok(fum_file_read(path, 8 << 20, &torch->bytes, &bytes, &err), &err);
    ok(fum_loader_open_memory(&torch->loader, torch->bytes, bytes, path, &err), &err);
    snprintf(torch->prefix, sizeof torch->prefix, "%s/%s:", folder, component);
    return fum_loader_count_prefix(torch->loader, torch->prefix, &first) > 0;
}

static void close_torch(struct torch *torch) {
    fum_loader_close(&torch->loader);
    fum_free(torch->bytes);
}

// Returns PyTorch's gradient of a parameter in the graph's order; free it with fum_free.
static float *read_torch(const struct torch *torch, const fum_tensor *parameter) {
    char name[320];
    snprintf(name, sizeof name, "%s%s", torch->prefix, parameter->name);
    const struct fum_loader_tensor *found = fum_loader_find(torch->loader, name);
    if (!found) fail_msg("no gradient of %s", name);
    const struct fum_weight weight = fum_tensor_weight(parameter);
    const struct fum_shape *shape = &parameter->desc.shape;
    float *values = fum_alloc(count_of(parameter), sizeof *values);
    assert_non_null(values);
    const struct fum_pack_target to = {values, FUM_F32, fum_shape_channels(shape), 0,
                                       fum_shape_rows(shape)};
    fum_pack_rows(&weight, &found->view, &to);
    return values;
}

// Squares of a difference and of what it is relative to.
struct off {
    double off, size;
};

static struct off compare_parameter(struct training *t, const fum_interp *interp, int p,
                                    const float *want) {
    const double *wide = interp ? fum_interp_read(interp, t->grads[p]) : NULL;
    const float *got = interp ? NULL : golden_value(&t->g, t->grads[p]);
    struct off sum = {0};
    for (size_t i = 0; i < count_of(t->grads[p]); i++) {
        double difference = (wide ? wide[i] : got[i]) - (double)want[i];
        sum.off += difference * difference;
        sum.size += (double)want[i] * want[i];
    }
    return sum;
}

// Holds all gradients together within 1e-4, and each by itself if it is no rounding beside them.
// `interp` NULL: those of the device.
static void check_torch(struct training *t, const struct torch *torch, const fum_interp *interp) {
    struct off each[MAX_PARAMETERS], all = {0};
    for (int p = 0; p < t->count; p++) {
        float *want = read_torch(torch, t->parameters[p]);
        each[p] = compare_parameter(t, interp, p, want);
        all.off += each[p].off;
        all.size += each[p].size;
        fum_free(want);
    }
    print_message("%s: %.3g relative to PyTorch\n", interp ? "interpreter" : "device",
                  sqrt(all.off / all.size));
    if (!(sqrt(all.off / all.size) <= 1e-4)) fail_msg("gradients differ from PyTorch's");
    for (int p = 0; p < t->count; p++) {
        double size = fmax(each[p].size, 1e-6 * all.size);
        if (!(sqrt(each[p].off / size) <= 1e-4))
            fail_msg("%s differs by %g from PyTorch's", t->parameters[p]->name,
                     sqrt(each[p].off / size));
    }
}

static void check(const char *folder, const char *component, enum fum_dtype storage) {
    struct training t;
    print_message("%s %s\n", folder, component);
    open_training(&t, folder, component, storage);
    fum_interp *interp = interpret(&t);
    struct torch torch;
    bool known = open_torch(&torch, folder, component) && storage == FUM_F32;
    if (known) check_torch(&t, &torch, interp);
    if (golden_on_device())
        check_device(&t, interp, storage == FUM_F32 ? 1e-4 : 2e-2);
    else
        check_differences(&t, interp);
    if (known && golden_on_device()) check_torch(&t, &torch, NULL);
    close_torch(&torch);
    fum_interp_destroy(&interp);
    golden_close(&t.g);
}

static const char *const folders[] = {"model-sd1", "model-odd", "model-sdxl"};
static const char *const variants[] = {
    "tiny",       "class-table", "class-projection", "scale-shift",        "odd-channels",
    "rest-heads", "unet2d",      "unet2d-fourier",   "unet2d-scale-shift", "classifier"};

static void unets(void **state) {
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(folders); i++) check(folders[i], "unet", FUM_F32);
    check("model-odd", "odd unet", FUM_F32);
    for (size_t i = 0; i < FUM_COUNT(variants); i++) {
        char folder[64];
        snprintf(folder, sizeof folder, "model-variants/%s", variants[i]);
        check(folder, "unet", FUM_F32);
    }
}

static void vaes(void **state) {
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(folders); i++) check(folders[i], "vae", FUM_F32);
}

static void text_encoders(void **state) {
    (void)state;
    for (size_t i = 0; i < FUM_COUNT(folders); i++) check(folders[i], "text_encoder", FUM_F32);
}

static void half(void **state) {
    (void)state;
    if (!golden_on_device() || !golden_stores(FUM_F16)) skip();
    check("model-sd1", "unet", FUM_F16);
    check("model-sd1", "vae", FUM_F16);
    check("model-sd1", "text_encoder", FUM_F16);
}

// Only what is trained becomes a parameter; other weights stay as they load.
static bool trains_attention(void *user, const char *name) {
    return strstr(name, user) != NULL;
}

static void a_part(void **state) {
    (void)state;
    struct training t = {.x_key = "unet.in.x"};
    golden_open(&t.g, "model-sd1", "unet");
    fum_graph_train(t.g.graph, trains_attention, ".attn2.to_k");
    build_unet(&t);
    for (int i = 0; i < t.count; i++) {
        assert_non_null(strstr(fum_tensor_name(t.parameters[i]), ".attn2.to_k.weight"));
        assert_int_equal(t.parameters[i]->kind, FUM_TENSOR_PARAMETER);
    }
    fum_interp *interp = interpret(&t);
    if (golden_on_device())
        check_device(&t, interp, 1e-4);
    else
        check_differences(&t, interp);
    fum_interp_destroy(&interp);
    golden_close(&t.g);
}

int main(int argc, char **argv) {
    golden_choose(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unets),  cmocka_unit_test(vaes), cmocka_unit_test(text_encoders),
        cmocka_unit_test(a_part), cmocka_unit_test(half),
    };
    return golden_end(cmocka_run_group_tests(tests, NULL, NULL));
}
