// SPDX-License-Identifier: MIT
// Hands values of FUM_STAGE_STEP to the host, and what it gives for them to FUM_STAGE_SHORT. Values
// leave in groups. The commands of the stage are cut after each group, so that the host has it
// while the device computes the next one.
#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"
#include "exec/inside.h"

static uint64_t item_bytes(const struct fum_handover_item *item) {
    return fum_buffer_align(fum_desc_bytes(&item->out->desc));
}

static uint64_t group_bytes(const struct fum_handover_group *group) {
    uint64_t bytes = 0;
    for (int i = 0; i < group->count; i++) bytes += item_bytes(&group->items[i]);
    return bytes;
}

// Returns the last step of the plan that computes a value of the group.
static int find_last_step(const fum_executable *exe, const struct fum_handover_group *group) {
    int begin = exe->plan->stage_begin[FUM_STAGE_STEP], last = begin;
    for (int s = begin; s < exe->plan->stage_begin[FUM_STAGE_STEP + 1]; s++)
        for (int i = 0; i < group->count; i++)
            if (exe->plan->steps[s].node->id == group->items[i].out->id) last = s;
    return last;
}

static enum fum_result create_group(fum_executable *exe, struct fum_handover_group *group,
                                    struct fum_error *err) {
    const struct fum_buffer_params params = {
        .bytes = group_bytes(group), .use = FUM_BUFFER_HOST, .label = "handover"};
    group->last_step = find_last_step(exe, group);
    if (group > exe->groups) // it leaves after those before it
        group->last_step = FUM_MAX(group->last_step, group[-1].last_step);
    return fum_buffer_create(&group->buffer, exe->device, &params, err);
}

enum fum_result fum_executable_create_groups(fum_executable *exe,
                                             const struct fum_handover *handover,
                                             struct fum_error *err) {
    size_t count = (size_t)handover->count;
    enum fum_result result = FUM_OK;
    if (!count) return FUM_OK;
    struct fum_handover_item *items = fum_arena_alloc(exe->plan->arena, count, sizeof *items);
    exe->groups = fum_arena_alloc(exe->plan->arena, count, sizeof *exe->groups);
    if (!items || !exe->groups)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an executable");
    for (size_t i = 0; i < count; i++) {
        items[i] = handover->items[i];
        if (i == 0 || items[i].group != items[i - 1].group)
            exe->groups[exe->num_groups++] = (struct fum_handover_group){.items = &items[i]};
        exe->groups[exe->num_groups - 1].count++;
    }
    for (int g = 0; g < exe->num_groups && !result; g++)
        result = create_group(exe, &exe->groups[g], err);
    return result;
}

void fum_executable_destroy_groups(fum_executable *exe) {
    for (int g = 0; g < exe->num_groups; g++) fum_buffer_destroy(&exe->groups[g].buffer);
}

// ---- recording ----

int fum_executable_groups_before(const fum_executable *exe, int s) {
    int count = 0;
    while (count < exe->num_groups && exe->groups[count].last_step < s) count++;
    return count;
}

// Records copies between the places of a group's values and its buffer.
static enum fum_result record_copies(const fum_executable *exe,
                                     const struct fum_handover_group *group, bool back,
                                     fum_command *command, struct fum_error *err) {
    uint64_t offset = 0;
    enum fum_result result = FUM_OK;
    for (int i = 0; i < group->count && !result; i++) {
        const struct fum_handover_item *item = &group->items[i];
        const struct fum_place *place = &exe->plan->places[(back ? item->in : item->out)->id];
        struct fum_buffer_copy copy = {
            .src = group->buffer, .src_offset = offset, .bytes = fum_desc_bytes(&item->out->desc)};
        offset += item_bytes(item);
        if (place->block < 0) continue; // nothing reads it
        copy.dst = exe->blocks[place->block];
        copy.dst_offset = place->offset;
        if (!back)
            copy = (struct fum_buffer_copy){.src = copy.dst,
                                            .dst = copy.src,
                                            .src_offset = copy.dst_offset,
                                            .dst_offset = copy.src_offset,
                                            .bytes = copy.bytes};
        result = fum_command_copy(command, &copy, err);
    }
    return result;
}

enum fum_result fum_executable_record_leaving(const fum_executable *exe, int s,
                                              fum_command *command, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int g = 0; g < exe->num_groups && !result; g++)
        if (exe->groups[g].last_step == s)
            result = record_copies(exe, &exe->groups[g], false, command, err);
    return result;
}

enum fum_result fum_executable_record_given(const fum_executable *exe, fum_command *command,
                                            struct fum_error *err) {
    enum fum_result result = FUM_OK;
    for (int g = 0; g < exe->num_groups && !result; g++)
        result = record_copies(exe, &exe->groups[g], true, command, err);
    return result;
}

// ---- running ----

enum fum_result fum_executable_wait_group(fum_executable *exe, int group, struct fum_error *err) {
    const struct fum_recording *stage = &exe->stages[FUM_STAGE_STEP];
    int last = 0; // the submission at whose end the group leaves
    for (int i = 0; i < stage->count; i++)
        if (stage->items[i].handed <= group) last = i;
    return fum_device_wait(exe->device, stage->items[last].ticket, err);
}

static size_t rows_of(const struct fum_handover_item *item) {
    return (size_t)fum_shape_rows(&item->out->desc.shape);
}

enum fum_result fum_executable_take_group(fum_executable *exe, int group, float *values,
                                          struct fum_error *err) {
    const struct fum_handover_group *g = &exe->groups[group];
    uint64_t offset = 0, bytes = group_bytes(g);
    uint8_t *padded = fum_alloc((size_t)bytes, 1);
    if (!padded)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to take values from the device");
    enum fum_result result = fum_buffer_read(g->buffer, 0, padded, bytes, err);
    for (int i = 0; i < g->count && !result; i++) {
        const struct fum_desc *desc = &g->items[i].out->desc;
        fum_rows_unpad(desc, padded + offset, values, rows_of(&g->items[i]));
        values += fum_shape_count(&desc->shape);
        offset += item_bytes(&g->items[i]);
    }
    fum_free(padded);
    return result;
}

enum fum_result fum_executable_give_group(fum_executable *exe, int group, const float *values,
                                          struct fum_error *err) {
    const struct fum_handover_group *g = &exe->groups[group];
    uint64_t offset = 0, bytes = group_bytes(g);
    uint8_t *padded = fum_calloc((size_t)bytes, 1);
    if (!padded) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to give values to the device");
    for (int i = 0; i < g->count; i++) {
        const struct fum_desc *desc = &g->items[i].out->desc;
        fum_rows_pad(desc, values, padded + offset, rows_of(&g->items[i]));
        values += fum_shape_count(&desc->shape);
        offset += item_bytes(&g->items[i]);
        exe->written[g->items[i].in->id] = true;
    }
    enum fum_result result = fum_buffer_write(g->buffer, 0, padded, bytes, err);
    fum_free(padded);
    return result;
}
