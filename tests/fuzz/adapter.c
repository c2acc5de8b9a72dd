// SPDX-License-Identifier: MIT
// Fuzz target of adapters. Names of tensors in all styles, whole or damaged, are matched to the
// modules of a model. Kinds of adapters are tried with tensors of any shape. Some are read from a
// folder, with PEFT's settings beside them, and opened as a set.
#include "adapter/adapter.h"
#include "adapter/file.h"
#include "adapter/kind.h"
#include "adapter/peft.h"
#include "adapter/targets.h"
#include "base/alloc.h"
#include "damage.h"
#include "fitted.h"
#include "fitted_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 10, NAME = 700, HEADER = 10000, VALUES = 16384, SETS = 12 };

static fum_model *model;
static fum_adapter_targets *targets;
static size_t num_targets;

// ---- names ----

// Ends of names with the shapes that their tensors have: rank, inner and outer dimension of the
// weight, its taps, and halves of the dimensions.
static const struct ending {
    const char *text, *shape;
} endings[] = {{".lora_down.weight", "rik"},
               {".lora_up.weight", "or"},
               {".alpha", ""},
               {".dora_scale", "o1"},
               {".hada_w1_a", "or"},
               {".hada_w1_b", "ri"},
               {".hada_w2_a", "or"},
               {".hada_w2_b", "ri"},
               {".lokr_w1", "22"},
               {".lokr_w2", "hjk"},
               {".lokr_w1_a", "2r"},
               {".lokr_w1_b", "r2"},
               {".lokr_w2_a", "hr"},
               {".lokr_w2_b", "rj"},
               {".weight", "o"},
               {".on_input", ""},
               {".diff", "oik"},
               {".diff_b", "o"},
               {".lora_A.weight", "rik"},
               {".lora_B.weight", "or"},
               {".lora.down.weight", "ri"},
               {".lora.up.weight", "or"},
               {".lora_mid.weight", "rrk"},
               {".hada_t1", "rrk"},
               {".hada_t2", "rrk"},
               {".lokr_t2", "rrk"},
               {"_lora.down.weight", "ri"},
               {"_lora.up.weight", "or"},
               {".lora_magnitude_vector", "o"}};
enum { ENDINGS = sizeof endings / sizeof *endings };
// The endings of each kind of adapter, by index, up to a negative one.
static const signed char sets[SETS][5] = {{0, 1, 2, 3, -1}, {18, 19, -1},  {20, 21, 2, -1},
                                          {4, 5, 6, 7, -1}, {8, 9, 2, -1}, {10, 11, 12, 13},
                                          {14, 15, -1},     {16, 17, -1},  {0, 1, 22, 2, -1},
                                          {26, 27, 2, -1},  {17, -1},      {18, 19, 28, -1}};

// Makes a name of the pieces that keys have.
static void make_name(struct choices *c, char name[NAME]) {
    static const char *const pieces[] = {"lora_unet_",
                                         "base_model.model.",
                                         "unet.",
                                         "mid_block.attentions.0",
                                         ".processor.",
                                         ".to_out",
                                         "self_attn.to_q",
                                         ".lora_A",
                                         ".lora_down",
                                         ".weight",
                                         ".alpha",
                                         ".hada_w1_a",
                                         ".dora_scale",
                                         ".lora.up.weight",
                                         ".",
                                         "\xc3\xa9",
                                         ".default",
                                         "text_encoder",
                                         "_lora.down.weight",
                                         "x"};
    name[0] = 0;
    for (uint32_t n = 1 + choose(c, 8); n; n--)
        strcat(name, pieces[choose(c, sizeof pieces / sizeof *pieces)]);
    if (!one_in(c, 16)) return;
    memset(name, 'a', 600); // longer than a module's name may be
    strcpy(name + 600, ".alpha");
}

static void end(const char *name, const char *what) {
    fprintf(stderr, "fuzzing: %s: %s\n", name, what);
    abort();
}

static bool parse_name(const char *name, struct fum_adapter_key *key) {
    if (!fum_adapter_key_parse(key, name)) return false;
    if (key->stem > strlen(name) || !memchr(key->module, 0, sizeof key->module) ||
        key->role >= FUM_ADAPTER_ROLES || strchr(key->module, '.'))
        end(name, "has a key that it cannot have");
    const struct fum_adapter_target *found = fum_adapter_targets_find(targets, key->module);
    size_t length = strlen(key->module), tail = found ? strlen(found->flat) : 0;
    if (found && (tail > length || strcmp(key->module + length - tail, found->flat) != 0))
        end(name, "matches a module of another name");
    return true;
}

// Makes the name of a module's tensor, as kohya or others spell it. It must be found.
static void name_module(struct choices *c, const struct fum_adapter_target *target,
                        const struct ending *ending, char name[NAME]) {
    static const char *const heads[][3] = {
        {"lora_unet_", "lora_te1_", "lora_te2_"},
        {"unet.", "text_encoder.", "text_encoder_2."},
        {"unet.base_model.model.", "text_encoder.base_model.model.",
         "text_encoder_2.base_model.model."},
        {"lycoris_", "lycoris_", "lora_te2_"},
    };
    struct fum_adapter_key key;
    int component = target->text ? 1 + !strcmp(target->component, "text_encoder_2") : 0;
    uint32_t style = choose(c, 4);
    bool dotted = style > 0 && one_in(c, 2);
    snprintf(name, NAME, "%s%s%s", heads[style][component], dotted ? target->module : target->flat,
             ending->text);
    if (!parse_name(name, &key)) end(name, "is not parsed");
    if (!fum_adapter_targets_find(targets, key.module)) end(name, "matches nothing");
}

// ---- a file ----

static struct {
    char header[HEADER], names[MOST][NAME];
    uint8_t bytes[8 + HEADER + 4 * VALUES];
    size_t used, count, size;
    uint64_t data;
} made;

// Adds a tensor to the header, unless there is one of its name.
static void add_tensor(const char *name, const int64_t *dims, int rank) {
    char shape[160] = "";
    uint64_t count = 1;
    for (size_t i = 0; i < made.count; i++)
        if (!strcmp(made.names[i], name)) return;
    for (int i = 0; i < rank; i++) {
        size_t used = strlen(shape);
        count *= (uint64_t)dims[i];
        snprintf(shape + used, sizeof shape - used, "%s%lld", i ? "," : "", (long long)dims[i]);
    }
    if (made.count == MOST || made.data + 4 * count > sizeof(float) * VALUES) return;
    strcpy(made.names[made.count++], name);
    made.used +=
        (size_t)snprintf(made.header + made.used, HEADER - made.used,
                         "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%llu,%llu]}",
                         made.used ? ',' : '{', name, shape, (unsigned long long)made.data,
                         (unsigned long long)(made.data + 4 * count));
    made.data += 4 * count;
}

// Adds a tensor whose shape suits the weight, unless a choice changes it.
static void add_suited(const char *name, const char *shape, const struct fum_view *weight,
                       struct choices *c) {
    static const int64_t others[] = {0, 1, 2, 3, 4, 5, 8, 16};
    int64_t dims[8], outer = weight->rank ? weight->dim[0] : 1,
                     inner = weight->rank > 1 ? weight->dim[1] : 1;
    int rank = 0;
    for (const char *s = shape; *s; s++) {
        if (*s == 'k') {
            for (int i = 2; i < weight->rank; i++) dims[rank++] = weight->dim[i];
            continue;
        }
        int64_t dim = 0;
        if (*s == 'o') dim = outer;
        if (*s == 'i') dim = inner;
        if (*s == 'h') dim = outer / 2;
        if (*s == 'j') dim = inner / 2;
        if (*s == 'r' || *s == '2') dim = 2;
        if (*s == '1') dim = 1;
        dims[rank++] = dim;
    }
    if (one_in(c, 8) && rank) dims[choose(c, (uint32_t)rank)] = others[choose(c, 8)];
    if (one_in(c, 32)) dims[rank++] = others[choose(c, 8)];
    add_tensor(name, dims, rank);
}

// Adds the tensors of an adapter for one module.
static void add_adapter(struct choices *c) {
    char name[NAME], module[FUM_ADAPTER_NAME + 8];
    const struct fum_adapter_target *target =
        fum_adapter_targets_at(targets, choose(c, 65536) % num_targets);
    const signed char *set = sets[choose(c, SETS)];
    struct fum_view weight;
    snprintf(module, sizeof module, "%s.weight", target->module);
    if (!target->source.find(target->source.user, module, &weight)) return;
    struct choices style = *c; // the same for all of them
    for (int i = 0; i < 5 && set[i] >= 0; i++) {
        struct choices same = style;
        const struct ending *ending = &endings[one_in(c, 24) ? (int)choose(c, ENDINGS) : set[i]];
        name_module(&same, target, ending, name);
        if (one_in(c, 32)) name[choose(c, 256) % strlen(name)] = (char)('.' + choose(c, 64));
        if (!one_in(c, 16)) add_suited(name, ending->shape, &weight, c);
        if (same.at > c->at) *c = same;
    }
}

static void add_odd(struct choices *c) {
    static const int64_t one[] = {1, 1};
    struct fum_adapter_key key;
    char name[NAME];
    make_name(c, name);
    parse_name(name, &key);
    add_tensor(name, one, 2);
}

// Makes a safetensors file of adapters for a few modules, and other names.
static void make_file(struct choices *c) {
    made.used = made.count = 0;
    made.data = 0;
    for (uint32_t n = choose(c, 4); n; n--) add_adapter(c);
    for (uint32_t n = choose(c, 3); n || !made.used; n -= n > 0) add_odd(c);
    made.header[made.used++] = '}';
    while (made.used % 8) made.header[made.used++] = ' ';
    uint64_t length = made.used;
    memcpy(made.bytes, &length, 8);
    memcpy(made.bytes + 8, made.header, made.used);
    made.size = 8 + made.used + (size_t)made.data;
    for (uint64_t i = 0; i < made.data / 4; i++) {
        float value = (float)(i % 7) - 3;
        memcpy(made.bytes + 8 + made.used + 4 * i, &value, 4);
    }
}

// ---- matching ----

// Tries the tensors of a module as an adapter of each kind, as a set does.
static void try_kinds(const struct fum_adapter_file *file, const struct fum_adapter_group *group,
                      const struct fum_adapter_target *target) {
    static float weight[VALUES], sum[VALUES];
    struct fum_error err = {0};
    struct fum_why why = {0};
    struct fum_view view;
    char name[FUM_ADAPTER_NAME + 8];
    for (int i = 0; fum_adapter_kinds[i]; i++) {
        struct fum_adapter_layer layer = {.kind = fum_adapter_kinds[i], .strength = 0.5};
        memcpy(layer.tensors, group->tensors, sizeof layer.tensors);
        fum_adapter_peft_read(file->metadata, target, &layer);
        if (!layer.kind->present(&layer)) continue;
        snprintf(name, sizeof name, "%s.%s", target->module, layer.kind->parameter);
        if (!target->source.find(target->source.user, name, &view)) continue;
        struct fum_adapter_shape shape = {
            .rows = view.rank ? view.dim[0] : 1, .columns = 1, .taps = 1};
        for (int d = 1; d < view.rank; d++) shape.columns *= view.dim[d];
        for (int d = 2; d < view.rank; d++) shape.taps *= view.dim[d];
        bool fits =
            layer.kind->fits(&layer, &shape, &why) && fum_adapter_dora_fits(&layer, &shape, &why);
        if (fits && shape.rows * shape.columns <= VALUES)
            fitted_expect(fum_adapter_add(&layer, &shape, weight, sum, &err), &err);
        if (!fits && !why.text[0]) end(name, "does not fit without a reason");
    }
}

// Matches a few names, without a file of them.
static void try_names(struct choices *c) {
    struct fum_adapter_key key;
    char name[NAME];
    for (uint32_t n = 1 + choose(c, 4); n; n--) {
        if (one_in(c, 2)) {
            make_name(c, name);
        } else {
            name_module(c, fum_adapter_targets_at(targets, choose(c, 65536) % num_targets),
                        &endings[choose(c, ENDINGS)], name);
            size_t at = choose(c, 256) % strlen(name);
            if (one_in(c, 2)) name[at] = (char)choose(c, 256);
        }
        parse_name(name, &key);
    }
}

static void try_memory(struct choices *c) {
    static const char settings[] = "{\"lora_alpha\": 5, \"use_rslora\": true, \"r\": 4, "
                                   "\"unet.lora_alpha\": 3, \"alpha_pattern\": {\"to_q\": 3}}";
    struct fum_adapter_file file = {0};
    struct fum_error err = {0};
    make_file(c);
    uint8_t *exact = malloc(made.size);
    fum_arena *arena = fum_arena_create();
    if (!exact || !arena) fitted_fail("a file");
    memcpy(exact, made.bytes, made.size);
    if (one_in(c, 2)) file.metadata = cJSON_Parse(settings);
    enum fum_result result =
        fum_loader_open_memory(&file.loader, exact, made.size, "fuzz.safetensors", &err);
    if (!result) result = fum_adapter_file_group(&file, arena, &err);
    fitted_expect(result, &err);
    for (size_t i = 0; i < file.count && !result; i++) {
        const struct fum_adapter_target *target =
            fum_adapter_targets_find(targets, file.groups[i].module);
        if (target) try_kinds(&file, &file.groups[i], target);
    }
    fum_adapter_file_close(&file);
    fum_arena_destroy(&arena);
    free(exact);
}

// ---- a folder ----

static void read_weights(const fum_adapters *set) {
    static float values[VALUES];
    struct fum_adapters_change change;
    struct fum_error err = {0};
    for (size_t i = 0; fum_adapters_get(set, i, &change); i++)
        if (fum_view_count(&change.view) <= VALUES)
            fitted_expect(fum_view_read_f32(&change.view, values, &err), &err);
}

static void try_folder(struct choices *c) {
    static const char settings[] = "{\"lora_alpha\": 5, \"use_rslora\": true, \"r\": 4, "
                                   "\"alpha_pattern\": {\"attn1.to_q\": 3, \"unet.x\": 2}}";
    const struct fum_adapter adapter = {fitted_folder(), 0.5f, 2};
    const struct fum_adapters_params params = {
        .list = &adapter, .count = 1, .beside = one_in(c, 2)};
    struct fum_error err = {0};
    fum_adapters *set = NULL;
    size_t bytes = 0;
    char *text = damage_json(settings, c, &bytes);
    damage_save("adapter_config.json", text, bytes);
    free(text);
    make_file(c);
    damage_save("adapter_model.safetensors", (const char *)made.bytes, made.size);
    enum fum_result result = fum_adapters_open(&set, model, &params, &err);
    fitted_expect(result, &err);
    if (!result) read_weights(set);
    fum_adapters_close(&set);
}

// Opens a model of two text encoders.
static void prepare(void) {
    const uint8_t two[] = {0, 2};
    struct choices c = {two, sizeof two, 0};
    struct fum_error err = {0};
    model = fitted_open(&c, &(struct fitted_params){.max_bytes = 1 << 30});
    if (!model || fum_adapter_targets_create(&targets, model, &err)) fitted_fail("a model");
    while (fum_adapter_targets_at(targets, num_targets)) num_targets++;
    fitted_counts = (struct fitted_counts){0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    if (!model) prepare();
    if (one_in(&c, 256))
        try_folder(&c);
    else if (one_in(&c, 4))
        try_memory(&c);
    else
        try_names(&c);
    return 0;
}
