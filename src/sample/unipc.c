// SPDX-License-Identifier: MIT
// Builds UniPC (Zhao et al. 2023) with data prediction, order 1 to 3. Its predictor is like
// DPM-Solver++. Its corrector redoes the last step once the model has been evaluated at that step's
// result.
#include "sample/builder.h"

#include <math.h>

// x before the last predictor; then the earlier predictions, newest first
enum { HISTORY_LAST = 1, HISTORY_M = 2 };

static double lambda_of(double ratio) {
    return -log(ratio);
}

// Solves the n × n system in place by elimination with pivoting; n is at most 3.
static void solve(double r[3][3], double b[3], int n) {
    for (int col = 0; col < n; col++) {
        int pivot = col;
        for (int row = col + 1; row < n; row++) {
            if (fabs(r[row][col]) > fabs(r[pivot][col])) pivot = row;
        }
        for (int k = 0; k < n; k++) {
            double t = r[col][k];
            r[col][k] = r[pivot][k];
            r[pivot][k] = t;
        }
        double t = b[col];
        b[col] = b[pivot];
        b[pivot] = t;
        for (int row = 0; row < n; row++) {
            double f = row == col ? 0 : r[row][col] / r[col][col];
            for (int k = 0; k < n; k++) r[row][k] -= f * r[col][k];
            b[row] -= f * b[col];
        }
    }
    for (int row = 0; row < n; row++) b[row] /= r[row][row];
}

// One step of the method from sigma[from] to sigma[from + 1]: alpha B(h) and the weights rho of the
// paper's equation 5. `rk` has the positions of the order - 1 older predictions, then 1 for the new
// one.
struct step {
    double carry; // factor of x
    double base;  // weight of the prediction at `from`: -alpha (e^-h - 1)
    double b_h;   // -alpha B(h)
    double rk[3], rho[3];
};

static struct step step_of(const struct fum_sample_builder *builder, int from, int order,
                           bool corrector) {
    struct step st = {0};
    double s_t = builder->sigma[from + 1], s_0 = builder->sigma[from];
    double alpha_t = fum_sample_build_alpha(builder, s_t),
           alpha_0 = fum_sample_build_alpha(builder, s_0);
    double h = lambda_of(s_t) - lambda_of(s_0), hh = -h, phi1 = expm1(hh);
    bool bh1 = builder->c.solver_type[2] == '1';
    double b_h = bh1 ? hh : phi1;
    st.carry = s_t * alpha_t / (s_0 * alpha_0);
    st.base = -alpha_t * phi1;
    st.b_h = -alpha_t * b_h;
    for (int i = 1; i < order; i++)
        st.rk[i - 1] = (lambda_of(builder->sigma[from - i]) - lambda_of(s_0)) / h;
    st.rk[order - 1] = 1;
    double r[3][3], phi = phi1 / hh - 1, factorial = 1;
    for (int i = 0; i < order; i++) {
        for (int k = 0; k < order; k++) r[i][k] = pow(st.rk[k], i);
        st.rho[i] = phi * factorial / b_h;
        factorial *= i + 2;
        phi = phi / hh - 1 / factorial;
    }
    if (corrector ? order == 1 : order == 2)
        // the paper's closed forms: exact for B(h) of either kind to the order that counts
        st.rho[0] = 0.5;
    else if (corrector)
        solve(r, st.rho, order);
    else if (order > 1)
        solve(r, st.rho, order - 1);
    return st;
}

// Builds the predictor and the corrector, folded into rows. xc is the corrected x, a row over
// history and D.
bool fum_build_unipc(struct fum_sample_builder *builder) {
    if (!fum_sample_build_reserve(builder, builder->steps - builder->start,
                                  HISTORY_M + builder->order))
        return false;
    int last_order = 0;
    for (int i = builder->start; i < builder->steps; i++) {
        double s = builder->sigma[i], alpha = fum_sample_build_alpha(builder, s),
               xc[FUM_SAMPLE_INPUTS] = {0};
        struct fum_sample_eval *ev =
            fum_sample_build_eval(builder, builder->t[i], i - builder->start);
        fum_sample_build_denoise_vp(builder, ev, alpha, s * alpha);
        int known = i - builder->start;
        if (known == 0) {
            xc[0] = 1;
        } else {
            struct step c = step_of(builder, i - 1, last_order, true);
            double newest = c.rho[last_order - 1];
            xc[HISTORY_LAST] = c.carry;
            xc[HISTORY_M] = c.base - c.b_h * newest;
            xc[FUM_SAMPLE_D] = c.b_h * newest;
            for (int k = 1; k < last_order; k++) {
                double w = c.b_h * c.rho[k - 1] / c.rk[k - 1];
                xc[HISTORY_M + k] += w;
                xc[HISTORY_M] -= w;
            }
        }
        int order = builder->order < known + 1 ? builder->order : known + 1;
        if (builder->c.lower_order_final == FUM_SWITCH_ON && order > builder->steps - i)
            order = builder->steps - i;
        struct step p = step_of(builder, i, order, false);
        for (int k = 0; k < FUM_SAMPLE_INPUTS; k++) {
            ev->m[0][k] = p.carry * xc[k];
            ev->m[HISTORY_LAST][k] = xc[k];
        }
        ev->m[0][FUM_SAMPLE_D] += p.base;
        for (int k = 1; k < order; k++) {
            double w = p.b_h * p.rho[k - 1] / p.rk[k - 1];
            ev->m[0][HISTORY_M + k - 1] += w;
            ev->m[0][FUM_SAMPLE_D] -= w;
        }
        ev->m[HISTORY_M][FUM_SAMPLE_D] = 1;
        for (int k = 1; k < builder->order && k <= known; k++)
            ev->m[HISTORY_M + k][HISTORY_M + k - 1] = 1;
        last_order = order;
    }
    return true;
}
