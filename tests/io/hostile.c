// SPDX-License-Identifier: MIT
// Pickles that would run code, or fill the memory, where Python reads them. Each is given as an old
// file and inside an archive: one line of error that names what it would call, and nothing is run.
#include "io.h"

#include "io/loader.h"
#include "io/zip.h"

#include <time.h>

// "touch evil-was-run" is what each of them would run.
#define TEXT(length, text) "X" length "\0\0\0" text
#define COMMAND            TEXT("\x12", "touch evil-was-run")
#define GLOBAL(module, name) \
    "\x80\x02"               \
    "c" module "\n" name "\n"
#define RUN(module, name) GLOBAL(module, name) COMMAND "\x85R."
#define ROW(pickle, says) \
    { pickle, sizeof(pickle) - 1, says }
#define RUN_ROW(module, name) ROW(RUN(module, name), module "." name)

static const struct {
    const char *pickle;
    size_t bytes;
    const char *says;
} cases[] = {
    RUN_ROW("posix", "system"),
    RUN_ROW("os", "system"),
    RUN_ROW("nt", "system"),
    RUN_ROW("os", "popen"),
    RUN_ROW("os", "execv"),
    RUN_ROW("subprocess", "Popen"),
    RUN_ROW("subprocess", "check_output"),
    RUN_ROW("builtins", "eval"),
    RUN_ROW("builtins", "exec"),
    RUN_ROW("__builtin__", "eval"),
    RUN_ROW("__builtin__", "apply"),
    RUN_ROW("builtins", "getattr"),
    RUN_ROW("builtins", "__import__"),
    RUN_ROW("builtins", "open"),
    RUN_ROW("builtins", "compile"),
    RUN_ROW("importlib", "import_module"),
    RUN_ROW("runpy", "_run_code"),
    RUN_ROW("pickle", "loads"),
    RUN_ROW("_pickle", "Unpickler"),
    RUN_ROW("torch", "load"),
    RUN_ROW("torch.hub", "load"),
    RUN_ROW("torch.storage", "_load_from_bytes"),
    RUN_ROW("torch.serialization", "load"),
    RUN_ROW("torch._utils", "_import_dotted_name"),
    RUN_ROW("numpy", "load"),
    RUN_ROW("numpy.testing._private.utils", "runstring"),
    RUN_ROW("functools", "partial"),
    RUN_ROW("operator", "attrgetter"),
    RUN_ROW("types", "FunctionType"),
    RUN_ROW("marshal", "loads"),
    RUN_ROW("ctypes", "CDLL"),
    RUN_ROW("socket", "create_connection"),
    RUN_ROW("shutil", "rmtree"),
    RUN_ROW("webbrowser", "open"),
    RUN_ROW("code", "interact"),
    RUN_ROW("collections", "OrderedDict.fromkeys.__class__"),
    RUN_ROW("pytorch_lightning.callbacks.model_checkpoint", "os.system"),
    ROW("cposix\nsystem\n(S'touch evil-was-run'\ntR.", "posix.system"),  // protocol 0
    ROW("(S'touch evil-was-run'\niposix\nsystem\n.", "posix.system"),    // INST
    ROW("\x80\x02(cposix\nsystem\n" COMMAND "o.", "posix.system"),       // OBJ
    ROW(GLOBAL("posix", "system") COMMAND "\x85\x81.", "posix.system"),  // NEWOBJ
    ROW(GLOBAL("posix", "system") COMMAND "\x85}\x92.", "posix.system"), // NEWOBJ_EX
    ROW("\x80\x04\x8c\x05posix\x8c\x06system\x93" COMMAND "\x85R.", "posix.system"),
    ROW("\x80\x04\x95\x40\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93)R.", "posix.system"),
    ROW("\x80\x02}" TEXT("\1", "a") "cposix\nsystem\n" COMMAND "\x85Rs.", "posix.system"),
    ROW("\x80\x02" COMMAND "cposix\nsystem\n\x85Q.", "posix.system"), // as a storage
    ROW("\x80\x02"
        "ccollections\nOrderedDict\n)R}" TEXT("\x09", "__class__") "cposix\nsystem\nsb.",
        "posix.system"),                                                    // as an attribute
    ROW("\x80\x02\x82\x01" COMMAND "\x85R.", "copyreg.extension 1"),        // EXT1
    ROW("\x80\x02\x84\xff\xff\xff\x7f)R.", "copyreg.extension 2147483647"), // EXT4
    ROW(GLOBAL("os\x1b[31m", "system\x7f") ")R.",
        "os\\x1b[31m.system\\x7f"), // a terminal's escapes
};

static enum fum_result open_raw(const char *pickle, size_t bytes, struct fum_error *err) {
    fum_loader *loader = NULL;
    enum fum_result result = fum_loader_open_memory(&loader, pickle, bytes, "evil.ckpt", err);
    assert_true(!result == (loader != NULL));
    fum_loader_close(&loader);
    return result;
}

static enum fum_result open_in_archive(const char *pickle, size_t bytes, struct fum_error *err) {
    static const float storage[4] = {1, 2, 3, 4};
    const char *path = scratch("evil.pt");
    const struct fum_zip_piece pieces[] = {{"a/data.pkl", pickle, bytes},
                                           {"a/data/0", storage, sizeof storage}};
    assert_ok(fum_zip_write(path, pieces, 2, err), *err);
    fum_loader *loader = NULL;
    enum fum_result result = fum_loader_open(&loader, path, err);
    assert_true(!result == (loader != NULL));
    fum_loader_close(&loader);
    return result;
}

static enum fum_result (*const ways[])(const char *, size_t,
                                       struct fum_error *) = {open_raw, open_in_archive};
enum { WAYS = sizeof ways / sizeof *ways };

static void names_what_it_does_not_run(void **state) {
    (void)state;
    assert_true(sizeof cases / sizeof *cases >= 40);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int w = 0; w < WAYS; w++) {
            struct fum_error err = {0};
            enum fum_result result = ways[w](cases[i].pickle, cases[i].bytes, &err);
            if (!result) fail_msg("%s is read", cases[i].says);
            assert_contains(err.text, cases[i].says);
            assert_contains(err.text, "nothing is run");
            assert_null(strchr(err.text, '\n'));
        }
    assert_false(fum_path_may_exist("evil-was-run"));
}

// ---- bombs ----

struct bomb {
    char *bytes;
    size_t size, capacity;
};

static void put(struct bomb *bomb, const char *bytes, size_t size) {
    if (bomb->capacity - bomb->size < size) {
        bomb->capacity = 2 * bomb->capacity + size;
        bomb->bytes = realloc(bomb->bytes, bomb->capacity);
        assert_non_null(bomb->bytes);
    }
    memcpy(bomb->bytes + bomb->size, bytes, size);
    bomb->size += size;
}
#define PUT(bomb, literal) put(bomb, literal, sizeof(literal) - 1)

// A million lists in each other.
static void nest_deeply(struct bomb *b) {
    for (int i = 0; i < 1000000; i++) PUT(b, "]");
    for (int i = 1; i < 1000000; i++) PUT(b, "a");
}

// A dict that holds itself.
static void hold_itself(struct bomb *b) {
    PUT(b, "}q\0");
    for (int i = 0; i < 40; i++) PUT(b, TEXT("\1", "a") "h\0s");
}

// Tuples of ten of the tuple before: 10^60 values to one that walks them.
static void multiply_tuples(struct bomb *b) {
    PUT(b, "}" TEXT("\1", "a") "N");
    for (int i = 0; i < 60; i++) PUT(b, "q\1(h\1h\1h\1h\1h\1h\1h\1h\1h\1h\1t");
    PUT(b, "s");
}

// The same with dicts, which the reader walks.
static void multiply_dicts(struct bomb *b) {
    PUT(b, "}" TEXT("\1", "a") "N");
    for (int i = 0; i < 60; i++) {
        PUT(b, "q\1}(");
        for (char key = 'a'; key < 'k'; key++) {
            PUT(b, "X\1\0\0\0");
            put(b, &key, 1);
            PUT(b, "h\1");
        }
        PUT(b, "u");
    }
    PUT(b, "s");
}

// A dict of a long list, again and again.
static void repeat_pairs(struct bomb *b) {
    PUT(b, "(](");
    for (int i = 0; i < 100000; i++) PUT(b, "NN\x86");
    PUT(b, "e\x85q\1");
    for (int i = 0; i < 100000; i++) PUT(b, "ccollections\nOrderedDict\nh\1R0");
    PUT(b, "t");
}

// Texts and numbers that claim to be long, and a place of the memo far away.
static void claim_text(struct bomb *b) {
    PUT(b, "X\xff\xff\xff\x7f");
}
static void claim_long_text(struct bomb *b) {
    PUT(b, "\x8d\xff\xff\xff\xff\xff\xff\xff\x7f");
}
static void claim_number(struct bomb *b) {
    PUT(b, "\x8b\xff\xff\xff\x7f");
}
static void claim_memo(struct bomb *b) {
    PUT(b, "Nr\xff\xff\xff\xff");
}

#define STORAGE \
    "(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT("\1", "0") TEXT("\3", "cpu") "K\4tQ"

// Tensors of more elements than their storage, which strides of 0 would repeat.
static void repeat_elements(struct bomb *b) {
    PUT(b, "}" TEXT("\1", "a") "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE
                               "K\0J\xff\xff\xff\x7f\x85K\0\x85\x89Nt"
                               "Rs");
}

// Many transposed tensors of one storage: each would be copied.
static void transpose_often(struct bomb *b) {
    PUT(b, "}(");
    for (int i = 0; i < 200000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%07d", i);
        PUT(b, "X\7\0\0\0");
        put(b, key, 7);
        if (!i)
            PUT(b, "ctorch._utils\n_rebuild_tensor_v2\nq\2(" STORAGE
                   "K\0K\2K\2\x86K\1K\2\x86\x89Ntq\1R");
        else
            PUT(b, "h\2h\1R");
    }
    PUT(b, "u");
}

// One long name at a hundred thousand tensors.
static void repeat_names(struct bomb *b) {
    char name[401];
    memset(name, 'n', sizeof name - 1);
    PUT(b, "}X\x90\1\0\0");
    put(b, name, 400);
    PUT(b, "q\2}(");
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%03d", i);
        PUT(b, "X\3\0\0\0");
        put(b, key, 3);
        PUT(b, "}q\1");
    }
    PUT(b, "us");
}

static void bombs_end_soon(void **state) {
    (void)state;
    static void (*const makers[])(struct bomb *) = {
        nest_deeply,  hold_itself, multiply_tuples, multiply_dicts,  repeat_pairs,    claim_text,
        claim_number, claim_memo,  claim_long_text, repeat_elements, transpose_often, repeat_names,
    };
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        struct bomb b = {0};
        PUT(&b, "\x80\x02");
        makers[i](&b);
        PUT(&b, ".");
        for (int w = 0; w < WAYS; w++) {
            struct fum_error err = {0};
            clock_t begin = clock();
            ways[w](b.bytes, b.size, &err);
            assert_null(strchr(err.text, '\n'));
            assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
        }
        free(b.bytes);
    }
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(names_what_it_does_not_run),
        cmocka_unit_test(bombs_end_soon),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
