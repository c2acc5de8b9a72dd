// SPDX-License-Identifier: MIT
// Applies the rules in their order.
#include "graph/fuse/fuse.h"

#include "graph/fuse/rule.h"
#include "graph/passes.h"

// The order of the rules, each of which meets the graph as those before have left it:
// - gate before epilogue: a residual must not enter a product whose output the gate halves.
// - epilogue before lower and norm, so that these see a producer's last call.
// - upsample before norm, which puts the norm's own input in the place that upsample looks at.
// - concat before norm, which looks for the concatenation whose parts the norm reads.
// - quantise before lower: a requested type goes before a packing that is only faster.
// - lower before norm, since only the lowered convolution reads normalised.
// - alias last: it depends on where other aliases start and changes no operand.
const struct fum_rule fum_rules[] = {
    {"gate", fum_fuse_gate},     {"epilogue", fum_fuse_epilogue}, {"upsample", fum_fuse_upsample},
    {"concat", fum_fuse_concat}, {"quantise", fum_fuse_quantise}, {"lower", fum_fuse_lower},
    {"norm", fum_fuse_norm},     {"alias", fum_fuse_alias},       {NULL, NULL},
};

struct fum_fuser fum_fuser_make(fum_graph *graph, const struct fum_device_info *info,
                                const struct fum_tuning *tuning) {
    struct fum_fuser fuser = {.graph = graph, .info = info, .tuning = tuning};
    for (int i = 0; i < graph->count; i++) {
        const fum_tensor *t = graph->tensors[i];
        if (!t->live || t->kind != FUM_TENSOR_NODE || t->original) continue;
        struct fum_op_call call;
        fum_tensor_call(t, &call);
        fuser.flops[t->stage] += fum_op_flops(t->op, &call);
    }
    return fuser;
}

int fum_rule_apply(const struct fum_rule *rule, const struct fum_fuser *fuser) {
    int rewritten = 0;
    int count = fuser->graph->count; // rules may add weights, which come after all
    for (int i = 0; i < count; i++) {
        fum_tensor *t = fuser->graph->tensors[i];
        if (t->live && t->kind == FUM_TENSOR_NODE && rule->apply(fuser, t)) rewritten++;
    }
    if (rewritten) fum_pass_prune(fuser->graph);
    return rewritten;
}

enum fum_result fum_graph_fuse(fum_graph *graph, const struct fum_fuse_params *params,
                               struct fum_error *err) {
    const struct fum_fuser fuser = fum_fuser_make(graph, params->info, params->tuning);
    for (const struct fum_rule *rule = fum_rules; rule->name; rule++) {
        bool rewritten = fum_rule_apply(rule, &fuser) > 0;
        enum fum_result result = fum_graph_check(graph, err);
        if (!result && rewritten) result = fum_pass_verify(graph, rule->name, err);
        if (!result && params->after) result = params->after(params->user, rule->name, err);
        if (result) return result;
    }
    return FUM_OK;
}
