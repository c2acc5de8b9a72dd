// SPDX-License-Identifier: MIT
#include "pickle_made.h"

#include "io/torch_reader.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH = 4, ROOM = 1024 }; // of values in values; left for what ends a pickle

static const char *pick(struct choices *c, const char *const *words, uint32_t count) {
    return words[choose(c, count)];
}
#define PICK(c, words) pick(c, words, sizeof words / sizeof *words)

// ---- bytes ----

static void put_bytes(struct pickle *p, const void *bytes, size_t count) {
    if (count > PICKLE_MOST - p->size) return; // cut off
    memcpy(p->bytes + p->size, bytes, count);
    p->size += count;
}

static void put_byte(struct pickle *p, int byte) {
    put_bytes(p, &(uint8_t){(uint8_t)byte}, 1);
}

static void put_number(struct pickle *p, uint64_t number, int bytes) {
    for (int i = 0; i < bytes; i++) put_byte(p, (int)(number >> 8 * i & 0xff));
}

static void put_line(struct pickle *p, const char *text) {
    put_bytes(p, text, strlen(text));
    put_byte(p, '\n');
}

// ---- plain values ----

static void put_integer(struct pickle *p, struct choices *c, int64_t value) {
    char line[32];
    switch (choose(c, 7)) {
    case 0:
        put_byte(p, value >= 0 && value < 256 ? 'K' : 'J');
        put_number(p, (uint64_t)value, value >= 0 && value < 256 ? 1 : 4);
        break;
    case 1:
        put_byte(p, 'M');
        put_number(p, (uint64_t)value, 2);
        break;
    case 2:
        put_byte(p, 0x8a);
        put_byte(p, 8);
        put_number(p, (uint64_t)value, 8);
        break;
    case 3:
        put_byte(p, 0x8b);
        put_number(p, 8, 4);
        put_number(p, (uint64_t)value, 8);
        break;
    default:
        snprintf(line, sizeof line, one_in(c, 2) ? "I%lld" : "L%lldL", (long long)value);
        put_line(p, line);
    }
}

static void put_text(struct pickle *p, struct choices *c, const char *text) {
    static const struct {
        uint8_t operation;
        int bytes; // of the length; 0: a line
    } ways[] = {{'X', 4},  {0x8c, 1}, {'U', 1},  {'T', 4}, {'C', 1},
                {0x8d, 8}, {'B', 4},  {0x8e, 8}, {'V', 0}, {'S', 0}};
    uint32_t way = choose(c, sizeof ways / sizeof *ways);
    size_t length = strlen(text);
    put_byte(p, ways[way].operation);
    if (ways[way].bytes)
        put_number(p, one_in(c, 64) ? choose(c, 65536) : length, ways[way].bytes);
    else if (ways[way].operation == 'S')
        put_byte(p, '\'');
    put_bytes(p, text, length);
    if (ways[way].operation == 'S') put_byte(p, '\'');
    if (!ways[way].bytes) put_byte(p, '\n');
}

static void put_name(struct pickle *p, struct choices *c, const char *module, const char *name) {
    if (one_in(c, 3)) {
        put_text(p, c, module);
        put_text(p, c, name);
        put_byte(p, 0x93);
        return;
    }
    put_byte(p, 'c');
    put_line(p, module);
    put_line(p, name);
}

// Puts any of the names that files may mention, seldom another one.
static void put_any_name(struct pickle *p, struct choices *c) {
    static uint32_t count;
    while (fum_torch_globals[count].module) count++;
    uint32_t which = choose(c, count + 1);
    if (which < count)
        put_name(p, c, fum_torch_globals[which].module, fum_torch_globals[which].name);
    else
        put_name(p, c, "posix", "system");
}

// Puts the end of a tuple of `count` values, which begins with a mark if `marked`.
static void end_tuple(struct pickle *p, bool marked, uint32_t count) {
    int closed = count ? 0x84 + (int)count : ')';
    put_byte(p, marked ? 't' : closed);
}

static bool begin_tuple(struct pickle *p, struct choices *c, uint32_t count) {
    bool marked = count > 3 || one_in(c, 2);
    if (marked) put_byte(p, '(');
    return marked;
}

static int64_t choose_number(struct choices *c, int64_t plain) {
    static const int64_t numbers[] = {0, 1, 2, 3,         4,       5,         6,     8,
                                      9, 3, 7, INT32_MAX, 1 << 20, INT32_MIN, 65536, -1};
    return one_in(c, 3) ? numbers[choose(c, 16)] : plain;
}

static void put_numbers(struct pickle *p, struct choices *c, const int64_t *values,
                        uint32_t count) {
    if (one_in(c, 16)) count = choose(c, 8);
    bool marked = begin_tuple(p, c, count);
    for (uint32_t i = 0; i < count; i++) put_integer(p, c, choose_number(c, i < 3 ? values[i] : 1));
    end_tuple(p, marked, count);
}

// ---- tensors ----

static void put_storage(struct pickle *p, struct choices *c) {
    static const char *const types[] = {"FloatStorage", "HalfStorage",     "LongStorage",
                                        "ByteStorage",  "BFloat16Storage", "QInt8Storage"},
                             *const keys[] = {"0", "0", "1", "1", "2", ""};
    put_byte(p, '(');
    put_text(p, c, "storage");
    if (one_in(c, 16))
        put_any_name(p, c);
    else
        put_name(p, c, "torch", PICK(c, types));
    put_text(p, c, PICK(c, keys));
    put_text(p, c, "cpu");
    put_integer(p, c, 24);
    if (p->old && !one_in(c, 16)) put_byte(p, 'N');
    put_byte(p, 't');
    if (one_in(c, 64)) {
        put_byte(p, 'P');
        put_line(p, "0");
    } else {
        put_byte(p, 'Q');
    }
}

static void put_call(struct pickle *p, struct choices *c) {
    static const uint8_t calls[] = {'R', 'R', 'R', 0x81};
    put_byte(p, calls[choose(c, 4)]);
}

static void put_empty_dict(struct pickle *p, struct choices *c) {
    if (one_in(c, 2)) {
        put_byte(p, '}');
        return;
    }
    put_name(p, c, "collections", "OrderedDict");
    put_byte(p, ')');
    put_call(p, c);
}

static void put_tensor(struct pickle *p, struct choices *c) {
    static const char *const rebuilds[] = {"_rebuild_tensor_v2", "_rebuild_tensor",
                                           "_rebuild_tensor_v3", "_rebuild_tensor_v2"};
    static const int64_t sizes[] = {2, 3, 1}, strides[] = {3, 1, 1}, turned[] = {1, 2, 1};
    bool parameter = one_in(c, 8);
    uint32_t form = choose(c, 4), rank = choose(c, 4);
    if (parameter) {
        put_name(p, c, "torch._utils", "_rebuild_parameter");
        put_byte(p, '(');
    }
    put_name(p, c, "torch._utils", rebuilds[form]);
    put_byte(p, '(');
    put_storage(p, c);
    put_integer(p, c, choose_number(c, 0));
    put_numbers(p, c, sizes, rank);
    put_numbers(p, c, one_in(c, 4) ? turned : strides, rank);
    put_byte(p, 0x89);
    put_empty_dict(p, c);
    if (form == 2) put_any_name(p, c); // the type of its elements
    put_byte(p, 't');
    put_call(p, c);
    if (!parameter) return;
    put_byte(p, 0x88);
    put_empty_dict(p, c);
    put_byte(p, 't');
    put_call(p, c);
}

// ---- values of values ----

static void put_value(struct pickle *p, struct choices *c, int depth);

static void put_key(struct pickle *p, struct choices *c) {
    static const char *const names[] = {"weight",
                                        "model.diffusion_model.input_blocks.0.0.weight",
                                        "conv_in.weight",
                                        "decoder.conv_in.weight",
                                        "first_stage_model.decoder.conv_in.weight",
                                        "text_model.embeddings.token_embedding.weight",
                                        "decoder.layers.0.weight",
                                        "state_dict",
                                        "_parameters",
                                        "string_to_param",
                                        "*",
                                        "global_step",
                                        "\xc3\xa9\n"};
    if (one_in(c, 16))
        put_value(p, c, DEPTH);
    else
        put_text(p, c, PICK(c, names));
}

// Puts pairs into the dict below.
static void fill_dict(struct pickle *p, struct choices *c, int depth) {
    uint32_t count = choose(c, 5);
    bool single = one_in(c, 4);
    if (!single) put_byte(p, '(');
    for (uint32_t i = 0; i < count; i++) {
        put_key(p, c);
        put_value(p, c, depth + 1);
        if (single) put_byte(p, 's');
    }
    if (!single) put_byte(p, 'u');
}

static void put_dict(struct pickle *p, struct choices *c, int depth) {
    put_empty_dict(p, c);
    fill_dict(p, c, depth);
}

static void put_list(struct pickle *p, struct choices *c, int depth) {
    static const uint8_t begins[] = {']', 0x8f, ']', '('}, ends[] = {'e', 0x90, 'a', 'l'};
    uint32_t kind = choose(c, 4), count = choose(c, 4);
    put_byte(p, begins[kind]);
    if (kind < 2) put_byte(p, '(');
    for (uint32_t i = 0; i < count; i++) {
        put_value(p, c, depth + 1);
        if (kind == 2) put_byte(p, 'a');
    }
    if (kind != 2) put_byte(p, ends[kind]);
}

static void put_tuple(struct pickle *p, struct choices *c, int depth) {
    uint32_t count = choose(c, 5);
    bool marked = begin_tuple(p, c, count);
    for (uint32_t i = 0; i < count; i++) put_value(p, c, depth + 1);
    end_tuple(p, marked, count);
}

// Puts a call of any name, by any of the operations for it.
static void put_object(struct pickle *p, struct choices *c, int depth) {
    switch (choose(c, 4)) {
    case 0:
        put_any_name(p, c);
        put_tuple(p, c, depth);
        put_call(p, c);
        break;
    case 1:
        put_any_name(p, c);
        put_tuple(p, c, depth);
        put_dict(p, c, depth + 1);
        put_byte(p, 0x92);
        break;
    case 2:
        put_byte(p, '(');
        put_any_name(p, c);
        for (uint32_t n = choose(c, 3); n; n--) put_value(p, c, depth + 1);
        put_byte(p, 'o');
        break;
    default:
        put_byte(p, '(');
        put_value(p, c, depth + 1);
        put_bytes(p, "icollections\nOrderedDict\n", 25);
    }
}

// Puts a dict made of a list of pairs, or one that gets its items as attributes.
static void put_odd_dict(struct pickle *p, struct choices *c, int depth) {
    bool built = one_in(c, 2);
    put_name(p, c, "collections", "OrderedDict");
    put_bytes(p, built ? ")R}" : "]", built ? 3 : 1);
    if (built) put_text(p, c, "_parameters");
    if (built) put_dict(p, c, depth + 1);
    for (uint32_t n = built ? 0 : choose(c, 3); n; n--) {
        put_key(p, c);
        put_value(p, c, depth + 1);
        put_bytes(p,
                  "\x86"
                  "a",
                  2);
    }
    put_bytes(p, built ? "sb" : "\x85R", 2);
}

static void put_plain(struct pickle *p, struct choices *c) {
    static const char *const texts[] = {"", "a", "cpu", "\xff", "torch"};
    switch (choose(c, 8)) {
    case 0: put_integer(p, c, choose_number(c, 7)); break;
    case 1: put_text(p, c, PICK(c, texts)); break;
    case 2: put_byte(p, 0x88 + (int)choose(c, 2)); break;
    case 3: put_bytes(p, "G\x3f\xf0\0\0\0\0\0\0", 9); break;
    case 4: put_line(p, "F1e5"); break;
    case 5: put_any_name(p, c); break;
    case 6:
        put_byte(p, 0x8a);
        put_byte(p, (int)choose(c, 12));
        put_bytes(p, "\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\xff", choose(c, 12));
        break;
    default: put_byte(p, 'N');
    }
}

// Keeps the topmost value, or takes a kept one.
static void use_memo(struct pickle *p, struct choices *c) {
    static const char *const lines[] = {"p0", "p1", "p-1", "p99999999999", "g0", "g1", "gx"};
    uint32_t kept = p->kept ? choose(c, p->kept) : 0;
    switch (choose(c, 8)) {
    case 0:
    case 1: put_byte(p, 'q'), put_byte(p, (int)p->kept++); break;
    case 2: put_byte(p, 0x94), p->kept++; break;
    case 3: put_byte(p, 'r'), put_number(p, p->kept++, 4); break;
    case 4: put_line(p, PICK(c, lines)); break;
    case 5: put_byte(p, '0'), put_byte(p, 'j'), put_number(p, kept, 4); break;
    default: put_byte(p, '0'), put_byte(p, 'h'), put_byte(p, (int)kept); break;
    }
}

static void put_value(struct pickle *p, struct choices *c, int depth) {
    if (p->size > PICKLE_MOST - ROOM || depth > DEPTH) {
        put_plain(p, c);
        return;
    }
    switch (choose(c, 12)) {
    default: put_tensor(p, c); break;
    case 6: put_dict(p, c, depth); break;
    case 7: put_list(p, c, depth); break;
    case 8: put_tuple(p, c, depth); break;
    case 9: put_object(p, c, depth); break;
    case 10: put_odd_dict(p, c, depth); break;
    case 11: put_plain(p, c); break;
    }
    if (one_in(c, 4)) use_memo(p, c);
    if (one_in(c, 64)) put_byte(p, (int)choose(c, 256)); // any operation
    if (one_in(c, 64)) put_bytes(p, "2b", 1 + choose(c, 2));
}

void pickle_put_state(struct pickle *p, struct choices *c) {
    put_byte(p, 0x80);
    put_byte(p, 2 + (int)choose(c, 4));
    if (one_in(c, 8)) put_bytes(p, "\x95\0\0\0\0\0\0\0\0", 9);
    put_dict(p, c, 0);
    if (one_in(c, 16)) put_value(p, c, 0); // and not the dict
    put_byte(p, '.');
}

void pickle_put_old(struct pickle *p, struct choices *c) {
    static const char begin[] = "\x80\x02\x8a\nl\xfc\x9c"
                                "F\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00("
                                "X\x0d\0\0\0little_endianq\x01\x88u.";
    static const uint8_t storage[192] = {1, 2, 3};
    p->old = true;
    put_bytes(p, begin, sizeof begin - 1);
    pickle_put_state(p, c);
    put_bytes(p, "\x80\x02](", 4);
    put_text(p, c, "0");
    if (!one_in(c, 4)) put_text(p, c, "1");
    put_bytes(p, "e.", 2);
    for (int i = 0; i < 2; i++) {
        uint64_t count = one_in(c, 8) ? choose(c, 65536) : 24;
        put_number(p, count, 8);
        put_bytes(p, storage, sizeof storage - choose(c, 3) * 48);
    }
}
