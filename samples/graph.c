// SPDX-License-Identifier: MIT
// A compute graph of your own: y = silu(x W + b), built by hand, compiled for the best GPU, run,
// read back.
//
//     cc graph.c $(pkg-config --cflags --libs fumarole) -o graph && ./graph
#include <fumarole/graph.h>

#include <math.h>
#include <stdio.h>

enum { ROWS = 4, INNER = 64, COLUMNS = 8 };

int main(void) {
    static float x[ROWS * INNER], w[INNER * COLUMNS], b[COLUMNS], y[ROWS * COLUMNS];
    struct fum_error err = {0};
    fum_device *device = NULL;
    fum_graph *graph = NULL;
    fum_executable *executable = NULL;
    int status = 1;

    for (int i = 0; i < ROWS * INNER; i++) x[i] = sinf((float)i);
    for (int i = 0; i < INNER * COLUMNS; i++) w[i] = cosf((float)i) / INNER;
    for (int i = 0; i < COLUMNS; i++) b[i] = 0.1f * (float)i;

    // The best device; NULL takes every default. Each of these calls says in `err` what went wrong.
    if (fum_device_create(&device, NULL, &err) || fum_graph_create(&graph, FUM_F32, &err))
        goto done;

    // No call here needs a check: fum_graph_check, inside fum_executable_create, reports the first
    // failure.
    struct fum_shape x_shape = {2, {ROWS, INNER}}, w_shape = {2, {INNER, COLUMNS}},
                     b_shape = {1, {COLUMNS}};
    fum_tensor *in = fum_graph_input(graph, "x", x_shape, FUM_F32, FUM_STAGE_STEP);
    fum_tensor *weight = fum_graph_constant(graph, "w", w_shape, w);
    fum_tensor *bias = fum_graph_constant(graph, "b", b_shape, b);
    fum_tensor *product = fum_graph_add(graph, "matmul", "x_w", FUM_INPUTS(in, weight), NULL);
    fum_tensor *sum = fum_graph_add(graph, "add", "plus_b", FUM_INPUTS(product, bias), NULL);
    fum_tensor *out = fum_graph_add(graph, "silu", "y", FUM_INPUTS(sum), NULL);
    fum_graph_output(graph, out, "y");

    if (fum_executable_create(&executable, graph, device, NULL, &err) ||
        fum_executable_write(executable, in, x, ROWS * INNER, &err) ||
        fum_executable_run(executable, FUM_STAGE_LOAD, &err) ||
        fum_executable_run(executable, FUM_STAGE_STEP, &err) ||
        fum_executable_read(executable, out, y, ROWS * COLUMNS, &err))
        goto done;

    printf("On %s:\n", fum_device_get_info(device)->name);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++)
            printf("%8.4f%c", y[r * COLUMNS + c], c == COLUMNS - 1 ? '\n' : ' ');
    status = 0;
done:
    if (status) fprintf(stderr, "graph: %s\n", err.text);
    fum_executable_destroy(&executable);
    fum_graph_destroy(&graph);
    fum_device_destroy(&device);
    return status;
}
