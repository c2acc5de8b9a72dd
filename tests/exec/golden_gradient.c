// SPDX-License-Identifier: MIT
// Holds the gradient of every op against PyTorch's (tests/golden/gradients.py). It runs in the
// interpreter and on the device, there in every variant of its kernels that the device can run.
#include "pipeline/golden.h"

#include <fumarole/tuning.h>

#include <math.h>

#include "base/dtype.h"
#include "exec/executable.h"
#include "graph/interp.h"
#include "ops/variants/variant.h"

static const double bound = 1e-4; // of the relative RMS error

// One case as a graph: y of its op, and the gradients of sum(y weights).
struct net {
    const struct golden *golden;
    int index;
    const char *op;
    fum_graph *graph;
    fum_tensor *in[FUM_MAX_INPUTS], *weights, *y, *grads[FUM_MAX_INPUTS];
    int inputs;
};

// Returns a tensor of the case ("grad.0"), or NULL if the file has none.
static const struct fum_view *find(const struct net *net, const char *what) {
    char name[64];
    snprintf(name, sizeof name, "%d.%s", net->index, what);
    const struct fum_loader_tensor *tensor = fum_loader_find(net->golden->tensors, name);
    return tensor ? &tensor->view : NULL;
}

static const struct fum_view *find_numbered(const struct net *net, const char *what, int number) {
    char name[32];
    snprintf(name, sizeof name, "%s.%d", what, number);
    return find(net, name);
}

static fum_tensor *add_input(const struct net *net, const struct fum_view *view) {
    struct fum_shape shape = {.rank = view->rank};
    for (int i = 0; i < view->rank; i++) shape.dim[i] = view->dim[i];
    return fum_graph_input(net->graph, "input", shape, view->dtype, FUM_STAGE_STEP);
}

static fum_tensor *add_op(struct net *net, const cJSON *settings) {
    struct fum_attr attrs[FUM_MAX_ATTRS + 1] = {{0}};
    int count = 0;
    for (const cJSON *item = settings->child; item; item = item->next)
        attrs[count++] = (struct fum_attr){item->string, item->valuedouble};
    return fum_graph_add(net->graph, net->op, "y", (struct fum_inputs){net->in, net->inputs},
                         attrs);
}

static void must_build(const struct net *net) {
    struct fum_error err;
    if (fum_graph_check(net->graph, &err)) fail_msg("case %d: %s", net->index, err.text);
}

static void build(struct net *net, const cJSON *settings) {
    const struct fum_attr number[] = {{"rank", 1}, {"d0", 1}, {0}};
    fum_tensor *wanted[FUM_MAX_INPUTS], *grads[FUM_MAX_INPUTS];
    int count = 0;
    assert_int_equal(fum_graph_create(&net->graph, FUM_F32, NULL), FUM_OK);
    for (int i = 0; i < FUM_MAX_INPUTS; i++) {
        const struct fum_view *view = find_numbered(net, "in", i);
        if (!view) continue;
        net->in[i] = add_input(net, view);
        net->inputs = i + 1;
        if (find_numbered(net, "grad", i)) wanted[count++] = net->in[i];
    }
    net->y = add_op(net, settings);
    net->weights = add_input(net, find(net, "weights"));
    fum_tensor *product =
        fum_graph_add(net->graph, "mul", NULL, FUM_INPUTS(net->y, net->weights), NULL);
    fum_tensor *loss = fum_graph_add(net->graph, "reduce_sum", NULL, FUM_INPUTS(product), number);
    fum_graph_gradient(net->graph, loss, wanted, count, grads);
    must_build(net);
    fum_graph_output(net->graph, net->y, "y");
    for (int i = 0, k = 0; i < net->inputs; i++) {
        if (!find_numbered(net, "grad", i)) continue;
        net->grads[i] = grads[k++];
        fum_graph_output(net->graph, net->grads[i], "gradient");
    }
}

static void open_case(struct net *net, const struct golden *golden, int index) {
    const cJSON *c = cJSON_GetArrayItem(golden->cases, index);
    *net = (struct net){.golden = golden, .index = index, .op = fum_json_string(c, "op", "")};
    build(net, cJSON_GetObjectItem(c, "settings"));
}

// Compares a value with the file's tensor. `wide` or `values` holds it.
static void compare(const struct net *net, const char *what, const double *wide,
                    const float *values) {
    const struct fum_view *view = find(net, what);
    const float *want = view->data;
    double off = 0, norm = 0;
    for (uint64_t i = 0; i < fum_view_count(view); i++) {
        double got = wide ? wide[i] : values[i];
        off += (got - want[i]) * (got - want[i]);
        norm += (double)want[i] * want[i];
    }
    double error = sqrt(norm > 0 ? off / norm : off);
    if (!(error <= bound))
        fail_msg("case %d, %s: %s is %g off, relative", net->index, net->op, what, error);
}

// ---- the interpreter ----

static void write_interpreted(fum_interp *interp, const fum_tensor *tensor,
                              const struct fum_view *view) {
    struct fum_error err;
    size_t count = (size_t)fum_view_count(view);
    float *values = fum_alloc(count, sizeof *values);
    assert_non_null(values);
    fum_convert_to_f32(values, view->data, view->dtype, count);
    ok(fum_interp_write(interp, tensor, values, count, &err), &err);
    fum_free(values);
}

static void interpret(const struct net *net) {
    struct fum_error err;
    fum_interp *interp;
    char name[32];
    ok(fum_interp_create(&interp, net->graph, NULL, false, &err), &err);
    for (int i = 0; i < net->inputs; i++)
        if (net->in[i]) write_interpreted(interp, net->in[i], find_numbered(net, "in", i));
    write_interpreted(interp, net->weights, find(net, "weights"));
    ok(fum_interp_run_all(interp, &err), &err);
    compare(net, "y", fum_interp_read(interp, net->y), NULL);
    for (int i = 0; i < net->inputs; i++) {
        snprintf(name, sizeof name, "grad.%d", i);
        if (net->grads[i]) compare(net, name, fum_interp_read(interp, net->grads[i]), NULL);
    }
    fum_interp_destroy(&interp);
}

// ---- the device ----

static void write_device(fum_executable *exe, const fum_tensor *tensor,
                         const struct fum_view *view) {
    struct fum_error err;
    size_t count = (size_t)fum_view_count(view);
    if (view->dtype == FUM_I32)
        ok(fum_executable_write_i32(exe, tensor, view->data, count, &err), &err);
    else
        ok(fum_executable_write(exe, tensor, view->data, count, &err), &err);
}

static void compare_device(const struct net *net, fum_executable *exe, const fum_tensor *tensor,
                           const char *what) {
    struct fum_error err;
    size_t count = (size_t)fum_view_count(find(net, what));
    float *values = fum_alloc(count, sizeof *values);
    assert_non_null(values);
    ok(fum_executable_read(exe, tensor, values, count, &err), &err);
    compare(net, what, NULL, values);
    fum_free(values);
}

static void run_on_device(const struct net *net, fum_device *device) {
    struct fum_error err;
    fum_executable *exe;
    char name[32];
    ok(fum_executable_create(&exe, net->graph, device, NULL, &err), &err);
    for (int i = 0; i < net->inputs; i++)
        if (net->in[i]) write_device(exe, net->in[i], find_numbered(net, "in", i));
    write_device(exe, net->weights, find(net, "weights"));
    ok(fum_executable_run(exe, FUM_STAGE_STEP, &err), &err);
    compare_device(net, exe, net->y, "y");
    for (int i = 0; i < net->inputs; i++) {
        snprintf(name, sizeof name, "grad.%d", i);
        if (net->grads[i]) compare_device(net, exe, net->grads[i], name);
    }
    fum_executable_destroy(&exe);
}

// True if a node of the graph can go to the variant.
static bool is_served(const struct net *net, const struct fum_variant *variant) {
    for (int i = 0; i < net->graph->count; i++) {
        const fum_tensor *t = net->graph->tensors[i];
        if (t->kind == FUM_TENSOR_NODE && fum_variant_serves(variant, t->op)) return true;
    }
    return false;
}

// Runs the case in every variant that serves it, too. Returns their number.
static int run_in_variants(const struct net *net, fum_device *device) {
    const struct fum_device_info *info = fum_device_get_info(device);
    struct fum_error err;
    int count = 0;
    for (int i = 0; fum_variants[i]; i++) {
        if (!fum_variants[i]->usable(info, FUM_F32) || !is_served(net, fum_variants[i])) continue;
        ok(fum_device_force_variant(device, fum_variants[i]->name, &err), &err);
        run_on_device(net, device);
        count++;
    }
    fum_device_set_variant(device, NULL);
    return count;
}

// ---- the tests ----

static void every_op_has_a_case(void **state) {
    const struct golden *golden = *state;
    for (int i = 0; i < fum_op_count; i++) {
        bool found = !fum_ops[i]->gradient;
        for (const cJSON *c = golden->cases->child; c && !found; c = c->next)
            found = !strcmp(fum_json_string(c, "op", ""), fum_ops[i]->name);
        if (!found) fail_msg("no golden gradient of %s", fum_ops[i]->name);
    }
}

static void the_interpreter_agrees(void **state) {
    const struct golden *golden = *state;
    for (int i = 0; i < cJSON_GetArraySize(golden->cases); i++) {
        struct net net;
        open_case(&net, golden, i);
        interpret(&net);
        fum_graph_destroy(&net.graph);
    }
}

static void print_log(void *user, enum fum_log_level level, const char *message) {
    (void)user, (void)level;
    print_message("%s\n", message);
}

static void the_device_agrees(void **state) {
    const struct golden *golden = *state;
    struct fum_error err;
    fum_device *device;
    int variants = 0;
    struct fum_log log = {.fn = print_log, .level = FUM_LOG_WARN};
    if (fum_device_create(&device, &(struct fum_device_params){.log = &log, .validate = true},
                          &err)) {
        print_message("%s\n", err.text);
        if (getenv("FUM_REQUIRE_DEVICE")) fail();
        skip();
    }
    fum_device_set_variant(device, NULL);
    for (int i = 0; i < cJSON_GetArraySize(golden->cases); i++) {
        struct net net;
        open_case(&net, golden, i);
        run_on_device(&net, device);
        variants += run_in_variants(&net, device);
        fum_graph_destroy(&net.graph);
    }
    print_message("%d runs in variants\n", variants);
    assert_true(variants > 0);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_device_destroy(&device);
}

static int open_golden(void **state) {
    static struct golden golden;
    golden_open(&golden, "gradients");
    *state = &golden;
    return 0;
}

static int close_golden(void **state) {
    golden_close(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_has_a_case),
        cmocka_unit_test(the_interpreter_agrees),
        cmocka_unit_test(the_device_agrees),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
