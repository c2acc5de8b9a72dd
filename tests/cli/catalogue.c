// SPDX-License-Identifier: MIT
// The files that a server offers: found in folders, named, and described.
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include "cli/job/catalogue.h"

#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/fumarole-catalogue-XXXXXX";

// Returns a path below the sources or the test's folder; the last four stay.
static const char *path_of(const char *dir, const char *name) {
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

// Links a file or folder of the sources into the test's folder.
static void link_source(const char *source, const char *name) {
    char target[1024];
    snprintf(target, sizeof target, "%s", path_of(getenv("FUM_SOURCE_ROOT"), source));
    assert_int_equal(symlink(target, path_of(root, name)), 0);
}

static void write_text(const char *name) {
    FILE *file = fopen(path_of(root, name), "w");
    assert_non_null(file);
    fputs("no model", file);
    fclose(file);
}

static int make_folders(void **state) {
    (void)state;
    static const char *const folders[] = {"models",     "models/notes", "models/run", "loras",
                                          "loras/peft", "embeddings",   "upscalers"};
    if (!mkdtemp(root)) return -1;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(path_of(root, folders[i]), 0700), 0);
    link_source("models/emoji", "models/Zebra");
    link_source("models/emoji", "models/apple");
    link_source("models/emoji", "models/run/model"); // as training leaves it
    link_source("tests/data/controls/net-b.safetensors", "models/edges.safetensors");
    write_text("models/.hidden.safetensors");
    write_text("models/broken.safetensors");
    write_text("models/notes/todo.txt");
    link_source("tests/data/adapters/lora.safetensors", "loras/Style.safetensors");
    write_text("loras/peft/adapter_model.safetensors");
    write_text("loras/readme.txt");
    write_text("embeddings/word.pt");
    link_source("tests/data/upscalers/rrdb_x4.pth", "upscalers/large.pth");
    write_text("upscalers/other.pth");
    return 0;
}

static int remove_folders(void **state) {
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static char lines[2000];
static void keep_line(void *user, enum fum_log_level level, const char *message) {
    (void)user, (void)level;
    size_t used = strlen(lines);
    snprintf(lines + used, sizeof lines - used, "%s\n", message);
}

// Lists everything, with models that -m names.
static struct catalogue *list(const struct cli_list *models) {
    static const struct fum_log log = {.fn = keep_line};
    static char folders[4][1024];
    static const char *const names[] = {"models", "loras", "embeddings", "upscalers"};
    struct catalogue *catalogue = NULL;
    for (int i = 0; i < 4; i++) snprintf(folders[i], sizeof folders[i], "%s/%s", root, names[i]);
    const struct catalogue_params params = {.models = models,
                                            .models_dir = folders[0],
                                            .lora_dir = folders[1],
                                            .embeddings_dir = folders[2],
                                            .upscalers_dir = folders[3],
                                            .log = &log};
    lines[0] = 0;
    assert_int_equal(catalogue_create(&catalogue, &params), 0);
    return catalogue;
}

// Compares the names of a kind with a list of them, separated by spaces.
static void check_names(const struct catalogue *catalogue, enum catalogue_kind kind,
                        const char *expected) {
    char names[300] = "";
    for (size_t i = 0; catalogue_at(catalogue, kind, i); i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? " " : "",
                 catalogue_at(catalogue, kind, i)->name);
    }
    assert_string_equal(names, expected);
}

static void folders_are_listed_by_kind_and_name(void **state) {
    (void)state;
    struct catalogue *catalogue = list(NULL);
    check_names(catalogue, CATALOGUE_MODEL, "apple run Zebra");
    check_names(catalogue, CATALOGUE_CONTROL, "edges");
    check_names(catalogue, CATALOGUE_LORA, "peft Style");
    check_names(catalogue, CATALOGUE_EMBEDDING, "word");
    check_names(catalogue, CATALOGUE_UPSCALER, "large");
    assert_int_equal(catalogue_at(catalogue, CATALOGUE_UPSCALER, 0)->scale, 4);
    assert_non_null(strstr(lines, "broken.safetensors"));
    assert_non_null(strstr(lines, "notes"));
    assert_non_null(strstr(lines, "other.pth"));
    assert_null(strstr(lines, ".hidden"));
    catalogue_destroy(&catalogue);
    assert_null(catalogue);
}

static void named_models_come_first(void **state) {
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/", path_of(root, "models/Zebra"));
    const struct cli_list models = {.at = {path, "emoji"}, .count = 2};
    struct catalogue *catalogue = list(&models);
    check_names(catalogue, CATALOGUE_MODEL, "Zebra apple emoji run");
    catalogue_destroy(&catalogue);
}

static void models_are_found_by_name_title_and_file(void **state) {
    (void)state;
    struct catalogue *catalogue = list(NULL);
    const struct catalogue_entry *model = catalogue_at(catalogue, CATALOGUE_MODEL, 2);
    char title[100];
    fum_model *opened = NULL;
    struct fum_error err = {0};
    assert_string_equal(model->sampler, "ddim");
    assert_string_equal(model->schedule, "discrete");
    assert_int_equal(model->width, 128);
    assert_true(model->takes_prompt);
    assert_int_equal(strlen(model->hash), 64);
    snprintf(title, sizeof title, "Zebra [%.10s]", model->hash);
    assert_string_equal(model->title, title);
    const struct fum_model_params params = {.path = model->path};
    ok(fum_model_open_hash(&opened, &params, model->hash, &err), &err);
    fum_model_destroy(&opened);
    assert_ptr_equal(catalogue_find(catalogue, CATALOGUE_MODEL, "zebra"), model);
    assert_ptr_equal(catalogue_find(catalogue, CATALOGUE_MODEL, title), model);
    assert_null(catalogue_find(catalogue, CATALOGUE_MODEL, "models/Zebra"));
    assert_null(catalogue_find(catalogue, CATALOGUE_MODEL, model->path));
    assert_null(catalogue_find(catalogue, CATALOGUE_MODEL, ""));
    assert_non_null(catalogue_find(catalogue, CATALOGUE_LORA, "style.safetensors"));
    catalogue_destroy(&catalogue);
}

static void what_cannot_be_listed_is_an_error(void **state) {
    (void)state;
    const char *missing = path_of(root, "nowhere");
    const struct cli_list models = {.at = {missing}, .count = 1};
    const struct catalogue_params wrong[] = {
        {.models = &models}, {.models_dir = missing}, {.lora_dir = missing}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct catalogue *catalogue = NULL;
        struct cli_failure failure;
        cli_collect_failures(&failure);
        int status = catalogue_create(&catalogue, &wrong[i]);
        cli_collect_failures(NULL);
        assert_int_not_equal(status, 0);
        assert_null(catalogue);
        assert_non_null(strstr(failure.text, "nowhere"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_listed_by_kind_and_name),
        cmocka_unit_test(named_models_come_first),
        cmocka_unit_test(models_are_found_by_name_title_and_file),
        cmocka_unit_test(what_cannot_be_listed_is_an_error),
    };
    setenv("FUMAROLE_MODELS", path_of(getenv("FUM_SOURCE_ROOT"), "models"), 1);
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
