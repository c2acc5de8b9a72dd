// SPDX-License-Identifier: MIT
// From the dispatches of a call to a recorded command: what running a case for its result and for
// its time share.
#include "check/case.h"

#include "base/error.h"

static uint64_t operand_bytes(const struct fum_op_call *call, const struct fum_dispatches *list,
                              int operand) {
    if (operand == FUM_SCRATCH) return list->scratch_bytes;
    if (operand == FUM_OUT) return fum_desc_bytes(&call->out);
    const struct fum_desc desc = fum_call_memory(call, operand);
    return fum_desc_bytes(&desc);
}

static fum_buffer *operand_buffer(const struct fum_case_memory *memory, int operand) {
    if (operand == FUM_OUT) return memory->out;
    if (operand == FUM_SCRATCH) return memory->scratch;
    return memory->in[operand];
}

static enum fum_result get_kernel(const fum_kernel **kernel, fum_device *device,
                                  const struct fum_op *op, const struct fum_dispatch *d,
                                  struct fum_error *err) {
    struct fum_kernel_desc desc = fum_dispatch_kernel(d);
    if (!desc.shader)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "op %s: ops.def names no shader %s in %s",
                             op->name, d->shader, fum_dtype_name(d->dtype));
    return fum_kernel_get(kernel, device, &desc, err);
}

enum fum_result fum_case_record(fum_command *command, const struct fum_case_job *job,
                                struct fum_error *err) {
    const struct fum_op *op = job->op;
    const struct fum_dispatches *list = job->list;
    const struct fum_device_info *info = list->info;
    enum fum_result r = FUM_OK;
    for (int k = 0; k < list->count && !r; k++) {
        const struct fum_dispatch *d = &list->item[k];
        const fum_kernel *kernel;
        struct fum_binding binding[FUM_MAX_BINDINGS];
        if ((r = get_kernel(&kernel, job->device, op, d, err))) return r;
        for (int i = 0; i < d->num_bind; i++) {
            const struct fum_dispatch_bind *b = &d->bind[i];
            uint64_t whole = operand_bytes(job->call, list, b->operand),
                     bytes = b->bytes ? b->bytes : whole;
            fum_buffer *buffer = operand_buffer(job->memory, b->operand);
            if (!buffer)
                return fum_error_set(err, FUM_ERR_ARG, "op %s binds operand %d, which is absent",
                                     op->name, b->operand);
            if (b->offset % info->binding_align || bytes > info->max_binding ||
                b->offset + bytes > whole)
                return fum_error_set(
                    err, FUM_ERR_ARG,
                    "op %s binds bytes %llu + %llu of operand %d, which has %llu (at most %llu at "
                    "once)",
                    op->name, (unsigned long long)b->offset, (unsigned long long)bytes, b->operand,
                    (unsigned long long)whole, (unsigned long long)info->max_binding);
            binding[i] = (struct fum_binding){
                .buffer = buffer, .offset = b->offset, .bytes = bytes, .write = b->write};
        }
        r = fum_command_dispatch(command,
                                 &(struct fum_kernel_call){.kernel = kernel,
                                                           .bindings = binding,
                                                           .push = d->push,
                                                           .groups = d->groups,
                                                           .label = op->name},
                                 err);
    }
    return r;
}
