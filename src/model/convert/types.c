// SPDX-License-Identifier: MIT
// Chooses the types of a result's tensors.
#include "model/convert/convert.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/regex_config.h"
#include "base/text.h"
#include "io/gguf_write.h"

#include <string.h>
#include <strings.h>

#if FUM_HAS_REGEX
#include <regex.h>
#endif

enum fum_result fum_convert_no_memory(const struct fum_converter *c) {
    return fum_error_set(c->err, FUM_ERR_NOMEM, "no memory to convert %s", c->params->path);
}

static const enum fum_dtype element_types[] = {FUM_F32, FUM_F16, FUM_BF16};

const char *fum_convert_type_name(size_t index) {
    size_t elements = FUM_COUNT(element_types);
    if (index < elements) return fum_dtype_name(element_types[index]);
    return fum_block_name(index - elements);
}

static bool parse_type(const char *name, struct fum_convert_type *type) {
    *type = (struct fum_convert_type){.dtype = FUM_F32, .blocks = fum_block_find(name)};
    for (size_t i = 0; i < FUM_COUNT(element_types) && !type->blocks; i++) {
        if (strcasecmp(fum_dtype_name(element_types[i]), name)) continue;
        type->dtype = element_types[i];
        return true;
    }
    return type->blocks != NULL;
}

static enum fum_result read_type(const struct fum_converter *c, const char *name,
                                 struct fum_convert_type *type) {
    if (!parse_type(name, type))
        return fum_error_set(c->err, FUM_ERR_ARG, "there is no type \"%s\" of weights",
                             fum_text_show(name).text);
    if (!type->blocks || c->blocks) return FUM_OK;
    return fum_error_set(c->err, FUM_ERR_ARG,
                         "only .gguf files hold weights in %s: let %s end in .gguf", name,
                         fum_text_show(c->params->output).text);
}

// ---- rules ----

#if FUM_HAS_REGEX

struct rule {
    regex_t regex;
    struct fum_convert_type type;
};

struct fum_convert_rules {
    struct rule *items;
    size_t count, capacity;
};

void fum_convert_free_rules(struct fum_convert_rules **rules) {
    if (!*rules) return;
    for (size_t i = 0; i < (*rules)->count; i++) regfree(&(*rules)->items[i].regex);
    fum_free((*rules)->items);
    fum_free(*rules);
    *rules = NULL;
}

// Adds "regex=type".
static enum fum_result add_rule(struct fum_converter *c, char *text) {
    struct fum_convert_rules *rules = c->rules;
    struct rule rule;
    char *type = strrchr(text, '=');
    if (!type || type == text)
        return fum_error_set(c->err, FUM_ERR_ARG, "the rule \"%s\" is not regex=type",
                             fum_text_show(text).text);
    *type++ = 0;
    enum fum_result result = read_type(c, type, &rule.type);
    if (result) return result;
    int wrong = regcomp(&rule.regex, text, REG_EXTENDED | REG_NOSUB);
    if (wrong) {
        char why[96];
        regerror(wrong, &rule.regex, why, sizeof why);
        return fum_error_set(c->err, FUM_ERR_ARG, "the regular expression \"%s\": %s",
                             fum_text_show(text).text, why);
    }
    if (!fum_grow((void **)&rules->items, &rules->capacity, rules->count, sizeof rule)) {
        regfree(&rule.regex);
        return fum_convert_no_memory(c);
    }
    rules->items[rules->count++] = rule;
    return FUM_OK;
}

static enum fum_result read_rules(struct fum_converter *c, const char *text) {
    char *copy = fum_arena_strdup(c->arena, text);
    c->rules = fum_calloc(1, sizeof *c->rules);
    if (!copy || !c->rules) return fum_convert_no_memory(c);
    enum fum_result result = FUM_OK;
    while (copy && !result) {
        char *end = strchr(copy, ',');
        if (end) *end++ = 0;
        if (*copy) result = add_rule(c, copy);
        copy = end;
    }
    return result;
}

static const struct fum_convert_type *find_rule(const struct fum_converter *c, const char *name) {
    for (size_t i = 0; c->rules && i < c->rules->count; i++)
        if (!regexec(&c->rules->items[i].regex, name, 0, NULL, 0)) return &c->rules->items[i].type;
    return NULL;
}

#else

void fum_convert_free_rules(struct fum_convert_rules **rules) {
    (void)rules;
}

static enum fum_result read_rules(struct fum_converter *c, const char *text) {
    (void)text;
    return fum_error_set(c->err, FUM_ERR_UNSUPPORTED,
                         "this build has no regular expressions for rules of types");
}

static const struct fum_convert_type *find_rule(const struct fum_converter *c, const char *name) {
    (void)c, (void)name;
    return NULL;
}

#endif

enum fum_result fum_convert_read_types(struct fum_converter *c) {
    const struct fum_convert_params *params = c->params;
    enum fum_result result = FUM_OK;
    c->typed = params->type != NULL;
    if (params->type) result = read_type(c, params->type, &c->type);
    if (!result && params->type_rules) result = read_rules(c, params->type_rules);
    return result;
}

// ---- choosing ----

static bool is_floating(enum fum_dtype dtype) {
    return dtype == FUM_F32 || dtype == FUM_F16 || dtype == FUM_BF16 || dtype == FUM_F64 ||
           dtype == FUM_F8_E4M3 || dtype == FUM_F8_E5M2;
}

// True if the tensor is a matrix of the UNet's attention and feed-forward layers, in either layout.
static bool is_product(const struct fum_convert_tensor *t) {
    return t->view.rank == 2 && (strstr(t->name, "transformer_blocks.") ||
                                 strstr(t->name, ".proj_in.") || strstr(t->name, ".proj_out."));
}

static struct fum_convert_type dense_type(const struct fum_convert_tensor *t) {
    return (struct fum_convert_type){.dtype = t->view.rank >= 2 ? FUM_F16 : FUM_F32};
}

// Returns the type, or what stands in for blocks that do not fit the tensor.
static struct fum_convert_type fit_type(const struct fum_convert_type *type,
                                        const struct fum_convert_tensor *t) {
    struct fum_convert_type fits = *type;
    int64_t row = t->view.rank ? t->view.dim[t->view.rank - 1] : 1;
    if (fits.blocks && fits.blocks->values > fum_block_q8_0.values && row % fits.blocks->values)
        fits.blocks = &fum_block_q8_0;
    if (!fits.blocks || (t->view.rank == 2 && row % fits.blocks->values == 0)) return fits;
    return dense_type(t);
}

// Returns the type of a tensor that nothing else is requested for. Values with factors are
// computed.
static struct fum_convert_type kept_type(const struct fum_converter *c,
                                         const struct fum_convert_tensor *t) {
    struct fum_convert_type kept = {.dtype = t->view.dtype, .blocks = t->view.blocks};
    if (is_floating(kept.dtype) && (t->view.scales || t->view.computed))
        kept.dtype = fum_dtype_computed(kept.dtype);
    if (!c->blocks) {
        kept.blocks = NULL;
        return kept;
    }
    kept = fit_type(&kept, t); // whose shape may have been restored
    if (kept.blocks || fum_gguf_has_type(kept.dtype)) return kept;
    kept.dtype = is_floating(kept.dtype) ? FUM_F16 : FUM_I32;
    return kept;
}

struct fum_convert_type fum_convert_type_of(const struct fum_converter *c,
                                            const struct fum_convert_tensor *t) {
    const struct fum_convert_type *rule = find_rule(c, t->name);
    if (!is_floating(t->view.dtype) || (!rule && !c->typed)) return kept_type(c, t);
    if (rule) return fit_type(rule, t);
    if (c->type.blocks && !is_product(t)) return dense_type(t);
    return fit_type(&c->type, t);
}

// The values of a tensor that gets another type of elements.
struct reading {
    struct fum_computed computed;
    struct fum_view view;
};

static enum fum_result read_values(const void *user, float *values, struct fum_error *err) {
    const struct reading *reading = user;
    return fum_view_read_f32(&reading->view, values, err);
}

static enum fum_result set_elements(struct fum_converter *c, struct fum_convert_tensor *t,
                                    enum fum_dtype dtype) {
    bool stored = !t->view.computed;
    if (stored && t->view.dtype == dtype && !t->view.scales) return FUM_OK;
    if (stored) {
        struct reading *reading = fum_arena_alloc(c->arena, 1, sizeof *reading);
        if (!reading) return fum_convert_no_memory(c);
        *reading = (struct reading){{read_values, reading}, t->view};
        t->view.computed = &reading->computed;
        t->view.blocks = NULL;
        t->view.data = NULL;
        t->view.scales = NULL;
    }
    t->view.dtype = dtype;
    return FUM_OK;
}

enum fum_result fum_convert_choose_types(struct fum_converter *c, struct fum_convert_file *file) {
    enum fum_result result = FUM_OK;
    for (size_t i = 0; i < file->count && !result; i++) {
        struct fum_convert_tensor *t = &file->tensors[i];
        const struct fum_convert_type type = fum_convert_type_of(c, t);
        if (t->view.dtype == FUM_DTYPE_UNKNOWN)
            return fum_error_set(c->err, FUM_ERR_UNSUPPORTED,
                                 "tensor %s is stored in a type that fumarole does not read",
                                 fum_text_show(t->name).text);
        t->blocks = type.blocks;
        if (!type.blocks) result = set_elements(c, t, type.dtype);
    }
    return result;
}
