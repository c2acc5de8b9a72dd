// SPDX-License-Identifier: MIT
// Prints the benchmark's report on the terminal.
#include "report.h"

#include "../output.h"

#include <math.h>
#include <string.h>

int cli_decimals(double value) {
    if (value < 10) return 2;
    return value < 100 ? 1 : 0;
}

struct cli_text cli_seconds_text(double seconds) {
    static const struct {
        double below, scale;
        const char *unit;
    } units[] = {{1e-3, 1e6, "us"}, {1, 1e3, "ms"}, {INFINITY, 1, "s"}};
    struct cli_text out;
    int i = 0;
    while (seconds >= units[i].below && i < 2) i++;
    double value = seconds * units[i].scale;
    snprintf(out.text, sizeof out.text, "%.*f %s", cli_decimals(value), value, units[i].unit);
    return out;
}

struct cli_text cli_spread_text(int count, double median, double low, double high) {
    struct cli_text out = {""};
    double percent = median > 0 ? 50 * (high - low) / median : 0;
    if (count > 1 && median > 0)
        snprintf(out.text, sizeof out.text, percent < 999.5 ? "±%.0f%%" : "±>999%%", percent);
    return out;
}

// Returns the spread in six columns. printf counts the bytes of ±, which are two.
static struct cli_text spread_column(const struct fum_bench_samples *s) {
    struct cli_text text = cli_spread_text(s->count, s->median, s->low, s->high), out;
    snprintf(out.text, sizeof out.text, "%-*s", text.text[0] ? 7 : 6, text.text);
    return out;
}

static void print_limits(const struct fum_bench_report *report) {
    FILE *out = cli_report_stream();
    fprintf(out, "\nLimits of the device median     spread\n");
    for (int i = 0; i < report->num_limits; i++) {
        const struct fum_bench_limit *l = &report->limits[i];
        cli_put_line(out, "  %-13s %9.*f %-7s %s %s", l->name, l->value.median < 100 ? 2 : 0,
                     l->value.median, l->unit, spread_column(&l->value).text, l->what);
    }
}

static void print_op(const struct fum_bench_op *op) {
    FILE *out = cli_report_stream();
    double rate = op->flops / op->seconds.median * 1e-9,
           moved = op->bytes / op->seconds.median * 1e-9;
    char flops[16] = "-", fma[16] = "-";
    if (op->flops > 0) {
        snprintf(flops, sizeof flops, "%.*f", rate < 100 ? 2 : 0, rate);
        snprintf(fma, sizeof fma, "%.1f%%", 100 * op->of_fma.median);
    }
    cli_put_line(out, "  %-32.32s %7s %s %7s %6.*f %6s %5.1f%% %s", op->name,
                 cli_seconds_text(op->seconds.median).text, spread_column(&op->seconds).text, flops,
                 moved < 100 ? 2 : 0, moved, fma, 100 * op->of_roof.median,
                 op->memory_bound ? "m" : "a");
}

static void print_ops(const struct fum_bench_report *report) {
    FILE *out = cli_report_stream();
    const struct fum_bench_op *last = NULL;
    if (report->num_ops > 0)
        fprintf(
            out,
            "\nOperations                         median spread GFLOP/s   GB/s of fma of roof\n");
    for (int i = 0; i < report->num_ops; i++) {
        const struct fum_bench_op *op = &report->ops[i];
        if (!last || strcmp(op->op, last->op) != 0 || op->type != last->type)
            cli_put_line(out, "%s, %s", op->op, fum_dtype_name(op->type));
        last = op;
        print_op(op);
    }
    if (report->num_ops > 0)
        fprintf(out,
                "of fma: of the multiply-add rate in f32; of roof: of the roofline, by memory (m)\n"
                "or arithmetic (a); both limits were measured right before and after\n");
    if (report->ops_left_out > 0)
        fprintf(out,
                "%d cases left out: too long for the time given (--time gives more), or too large\n"
                "for the device\n",
                report->ops_left_out);
}

static void print_model_line(const char *what, const struct fum_bench_samples *samples,
                             const struct fum_bench_samples *fma) {
    FILE *out = cli_report_stream();
    if (samples->count == 0) return;
    cli_put(out, "  %-22s %10s", what, cli_seconds_text(samples->median).text);
    if (samples->count > 1) cli_put(out, " %s", spread_column(samples).text);
    if (fma && fma->count > 0) cli_put(out, " %.1f%% of fma", 100 * fma->median);
    fprintf(out, "\n");
}

static void print_model(const struct fum_bench_model *m) {
    FILE *out = cli_report_stream();
    cli_put_line(out, "%s %dx%d %s", m->name, m->width, m->height, fum_dtype_name(m->type));
    print_model_line("text, both prompts", &m->text, NULL);
    print_model_line("step with guidance", &m->step, &m->step_of_fma);
    print_model_line("  of the host's CPU", &m->host, NULL);
    print_model_line("decode", &m->decode, &m->decode_of_fma);
    print_model_line("encode", &m->encode, NULL);
    if (m->dispatches > 0)
        cli_put_line(out, "  %-22s %d dispatches, %d barriers, %.1f GFLOP", "a step is",
                     m->dispatches, m->barriers, m->step_flops * 1e-9);
    if (m->pictures > 0)
        cli_put_line(out, "  %-22s %.4g a second of %d steps (%s each)", "pictures", m->pictures,
                     m->steps, cli_seconds_text(1 / m->pictures).text);
    if (m->memory_peak > 0)
        cli_put_line(out, "  %-22s %.0f MiB; planned: UNet %.0f, VAE's decoder %.0f",
                     "device memory, peak", (double)m->memory_peak / 1048576,
                     (double)m->planned_unet / 1048576, (double)m->planned_vae / 1048576);
    if (m->note) cli_put_line(out, "  %s", m->note);
}

void cli_bench_print(const struct fum_bench_report *report, const struct fum_device_info *info) {
    FILE *out = cli_report_stream();
    cli_put_line(out, "%s", info->name);
    cli_put_line(out, "%s", info->driver);
    print_limits(report);
    if (report->parts & FUM_BENCH_OPS) print_ops(report);
    if (report->num_models > 0) fprintf(out, "\nModels\n");
    for (int i = 0; i < report->num_models; i++) print_model(&report->models[i]);
    fprintf(out, "\n%s in %.0f s; spread: half the distance of the quartiles\n",
            report->complete ? "Measured" : "Stopped early, measured", report->seconds);
}
