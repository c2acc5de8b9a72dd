// SPDX-License-Identifier: MIT
// The painter: jobs that go on from any picture with the same files, progress, previews,
// cancelling, models that change, and memory that is given back.
#include "open.h"

#include "cli/job/painter.h"
#include "cli/requests.h"

#include <fumarole/file.h>
#include <fumarole/metadata.h>

enum { MOST = 8, MAX_ARGUMENTS = 40 };

// What generate's reading of requests names in messages.
const struct cli_command cli_generate = {
    .name = "generate", .options = generate_option_table, .foreign = &cli_foreign_generate};

struct painted {
    struct painter_picture pictures[MOST];
    char *files[MOST];
    int count, steps, previews;
    int stop_after; // pictures; 0: never
    int stop_at;    // steps; 0: never
    struct painter_progress last;
    bool good;
};

static bool take_picture(void *user, const struct painter_picture *picture) {
    struct painted *p = user;
    char digest[FUM_SHA256_TEXT];
    fum_sha256_text(picture->png, picture->bytes, digest);
    assert_string_equal(digest, picture->sha256);
    assert_true(p->count < MOST && picture->seconds > 0);
    p->files[p->count] = malloc(picture->bytes);
    memcpy(p->files[p->count], picture->png, picture->bytes);
    p->pictures[p->count++] = *picture;
    return p->count != p->stop_after;
}

static void take_progress(void *user, const struct painter_progress *progress) {
    struct painted *p = user;
    p->last = *progress;
    p->steps++;
    assert_true(progress->step_seconds > 0 && progress->step >= 1 &&
                progress->step <= progress->steps && progress->picture < progress->pictures);
}

static void take_preview(void *user, int picture, int step, const void *png, size_t bytes) {
    struct painted *p = user;
    assert_true(picture == 0 && step >= 1 && bytes > 8 && memcmp(png, "\x89PNG", 4) == 0);
    p->previews++;
}

static bool is_cancelled(void *user) {
    const struct painted *p = user;
    return p->stop_at && p->steps >= p->stop_at;
}

// A job that was read from the words of a command line, and a painter.
struct fixture {
    struct generate_requests requests;
    struct job_spec job;
    struct painter *painter;
    struct painted painted;
    char text[400];
};

static void read_job(struct fixture *f, const char *words) {
    char *argv[MAX_ARGUMENTS], model[300];
    int argc = 0;
    snprintf(model, sizeof model, "%s/model-sd1", getenv("FUM_TEST_DATA"));
    snprintf(f->text, sizeof f->text, "-m %s -W 16 -H 16 --steps 2 -s 7 %s", model, words);
    for (char *word = strtok(f->text, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    f->requests =
        (struct generate_requests){.command = &cli_generate, .options = generate_options_default()};
    struct cli_parse parse = {.options = generate_option_table,
                              .foreign = &cli_foreign_generate,
                              .values = &f->requests.options};
    if (!cli_options_parse(&parse, &argc, argv)) fail_msg("%s", parse.message);
    assert_int_equal(generate_requests_make(&f->requests, argc, argv), -1);
    f->job = (struct job_spec){.request = f->requests.list[0]};
}

static void begin(struct fixture *f, const char *words) {
    struct fum_error err = {0};
    *f = (struct fixture){0};
    if (painter_create(&f->painter, &(struct painter_params){0}, &err)) end_without_device(&err);
    read_job(f, words);
}

static void free_painted(struct painted *p) {
    for (int i = 0; i < p->count; i++) free(p->files[i]);
    *p = (struct painted){0};
}

static void end(struct fixture *f) {
    free_painted(&f->painted);
    generate_requests_free(&f->requests);
    painter_destroy(&f->painter);
}

static enum fum_result draw(struct fixture *f, int first, struct fum_error *err) {
    const struct painter_events events = {.on_progress = take_progress,
                                          .on_preview = take_preview,
                                          .on_picture = take_picture,
                                          .cancelled = is_cancelled,
                                          .user = &f->painted};
    return painter_draw(f->painter, &f->job, first, &events, err);
}

// Draws a job from each of its pictures on, and compares the files with those of the whole run.
static void check_resumed(const char *words, int count, int batch) {
    struct fixture f;
    struct fum_error err = {0};
    begin(&f, words);
    f.job.request.options.picture.batch = batch;
    ok(draw(&f, 0, &err), &err);
    struct painted whole = f.painted;
    assert_int_equal(whole.count, count);
    for (int first = 1; first < count; first++) {
        f.painted = (struct painted){0};
        if (first == count - 1) painter_unload(f.painter); // as after a restart
        ok(draw(&f, first, &err), &err);
        assert_int_equal(f.painted.count, count - first);
        for (int i = 0; i < f.painted.count; i++) {
            const struct painter_picture *a = &whole.pictures[first + i],
                                         *b = &f.painted.pictures[i];
            assert_int_equal(b->index, first + i);
            assert_int_equal(a->seed, b->seed);
            assert_string_equal(a->sha256, b->sha256);
        }
        free_painted(&f.painted);
    }
    f.painted = whole;
    end(&f);
}

static void jobs_go_on_with_the_same_files(void **state) {
    (void)state;
    check_resumed("-b 5 cat", 5, 2);
    check_resumed("-b 3 --subseed 5 --subseed-strength 0.3 cat", 3, 1);
    check_resumed("-b 2 --hires --hires-scale 2 cat", 2, 1);
    check_resumed("-b 3 --sampling-method euler_a cat", 3, 2);
}

static void a_picture_carries_what_made_it(void **state) {
    (void)state;
    struct fixture f;
    struct fum_error err = {0};
    struct fum_metadata *m = NULL;
    begin(&f, "cat");
    ok(draw(&f, 0, &err), &err);
    const struct painter_picture *picture = &f.painted.pictures[0];
    ok(fum_metadata_decode(&m, f.painted.files[0], picture->bytes, "it", &err), &err);
    assert_string_equal(m->prompt, "cat");
    assert_string_equal(fum_metadata_find(m, "Seed"), "7");
    assert_non_null(strstr(m->request, "\"seed\":\"7\""));
    fum_metadata_destroy(&m);
    // A picture that was sent is in no text.
    struct painted first = f.painted;
    f.painted = (struct painted){0};
    f.job.request.options.picture.init_image =
        (struct fum_image_source){.data = first.files[0], .bytes = first.pictures[0].bytes};
    ok(draw(&f, 0, &err), &err);
    ok(fum_metadata_decode(&m, f.painted.files[0], f.painted.pictures[0].bytes, "it", &err), &err);
    assert_null(m->request);
    assert_string_equal(m->prompt, "cat");
    fum_metadata_destroy(&m);
    free_painted(&first);
    end(&f);
}

static void progress_and_previews_are_reported(void **state) {
    (void)state;
    struct fixture f;
    struct fum_error err = {0};
    begin(&f, "-b 2 --preview proj cat");
    f.painted.stop_after = 1;
    assert_int_equal(draw(&f, 0, &err), FUM_ERR_CANCELLED);
    assert_int_equal(f.painted.count, 1);
    assert_int_equal(f.painted.steps, 2);
    assert_int_equal(f.painted.previews, 2);
    assert_int_equal(f.painted.last.pictures, 2);
    assert_true(f.painted.last.seconds_left >= 0);
    end(&f);
}

static void a_job_is_cancelled_within_a_step(void **state) {
    (void)state;
    struct fixture f;
    struct fum_error err = {0};
    begin(&f, "-b 3 --steps 9 cat");
    f.painted.stop_at = 12;
    assert_int_equal(draw(&f, 0, &err), FUM_ERR_CANCELLED);
    assert_int_equal(f.painted.count, 1);
    assert_int_equal(f.painted.steps, 12);
    end(&f);
}

static void models_change_and_memory_is_given_back(void **state) {
    (void)state;
    struct fixture f;
    struct fum_error err = {0};
    struct painter_state before, loaded, after;
    begin(&f, "cat");
    painter_get_state(f.painter, &before);
    assert_true(before.name[0] && before.memory_total > 0);
    assert_int_equal(strlen(before.uuid), 36);
    assert_string_equal(before.model, "");
    ok(draw(&f, 0, &err), &err);
    painter_get_state(f.painter, &loaded);
    assert_non_null(strstr(loaded.model, "model-sd1"));
    assert_true(loaded.memory_used > before.memory_used);
    painter_unload(f.painter);
    painter_get_state(f.painter, &after);
    assert_string_equal(after.model, "");
    assert_int_equal(after.memory_used, before.memory_used);
    f.job.model = "no such model";
    assert_int_equal(draw(&f, 0, &err), FUM_ERR_IO);
    assert_non_null(strstr(err.text, "no such model"));
    f.job.model = NULL;
    f.job.request.options.picture.width = 15;
    assert_int_equal(draw(&f, 0, &err), FUM_ERR_ARG);
    assert_non_null(strstr(err.text, "width 15"));
    end(&f);
}

static void pictures_are_enlarged(void **state) {
    (void)state;
    struct fixture f;
    struct fum_error err = {0};
    char words[300];
    snprintf(words, sizeof words, "--upscale-model %s/upscalers/srvgg_x2.safetensors cat",
             getenv("FUM_TEST_DATA"));
    begin(&f, words);
    ok(draw(&f, 0, &err), &err);
    assert_int_equal(f.painted.pictures[0].width, 32);
    f.job.request.options.upscale_model = NULL;
    ok(draw(&f, 0, &err), &err);
    assert_int_equal(f.painted.pictures[1].width, 16);
    f.job.request.options.upscale_model = "nowhere.pth";
    assert_int_equal(draw(&f, 0, &err), FUM_ERR_IO);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_go_on_with_the_same_files),
        cmocka_unit_test(a_picture_carries_what_made_it),
        cmocka_unit_test(progress_and_previews_are_reported),
        cmocka_unit_test(a_job_is_cancelled_within_a_step),
        cmocka_unit_test(pictures_are_enlarged),
        cmocka_unit_test(models_change_and_memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
