// SPDX-License-Identifier: MIT
// Numbers and JSON do not depend on the locale of the program that uses the library.
#define _POSIX_C_SOURCE 200809L

#include "test.h"

#include <locale.h>
#include <math.h>
#include <unistd.h>

#include "base/json.h"
#include "base/number.h"
#include "io/image.h"
#include "text/prompt_tags.h"

static void numbers_have_decimal_points(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"2,5", "2.5"},
        {"2.5", "2.5"},
        {"-0,125", "-0.125"},
        {"1,5e-07", "1.5e-07"},
        {"1e+20", "1e+20"},
        {"12", "12"},
        {"", ""},
        {"inf", "inf"},
        {"-nan", "-nan"},
        {"2\xd9\xab"
         "5",
         "2.5"}, // the Arabic separator, of two bytes
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[FUM_NUMBER_BYTES];
        strcpy(text, cases[i][0]);
        fum_number_set_point(text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void check_parsed(void) {
    static const char *const none[] = {"",    "0,8", "0.8 ", " 1",   "1.2.3",
                                       "0x1", "nan", "inf",  "1e999"};
    double value = 0;
    assert_true(fum_number_parse("0.8", &value) && value == 0.8);
    assert_true(fum_number_parse("-1.5e-3", &value) && value == -1.5e-3);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(fum_number_parse(none[i], &value));
}

// An adapter's tag in a prompt states its weight with a decimal point.
static void check_tag(void) {
    struct fum_error err = {0};
    struct fum_prompt_tags tags;
    assert_int_equal(fum_prompt_tags_take(&tags, "a cat <lora:x:0.75>", &err), FUM_OK);
    assert_string_equal(tags.prompt, "a cat ");
    assert_int_equal(tags.count, 1);
    assert_true(tags.loras[0].unet_weight == 0.75f && tags.loras[0].text_weight == 0.75f);
    fum_prompt_tags_free(&tags);
}

static void check_all(void) {
    char text[FUM_NUMBER_BYTES];
    struct fum_error err;
    cJSON *json = NULL;
    check_parsed();
    check_tag();
    assert_string_equal(fum_number_format(text, 6, 2.5), "2.5");
    assert_string_equal(fum_number_format(text, 3, -1234.5), "-1.23e+03");
    assert_string_equal(fum_number_shorten(text, (double)7.1f), "7.1");
    assert_string_equal(fum_number_shorten(text, 1 / 3.0), "0.33333333");
    assert_true(fum_number_widen(0.7f) == 0.7 && fum_number_widen(-0.29f) == -0.29);
    assert_true(fum_number_widen(0.5f) == 0.5 && fum_number_widen(1e-30f) == 1e-30);
    const struct fum_image_parameters p = {
        .prompt = "a cat", .steps = 20, .cfg = 2.5, .denoising = 0.75};
    char *parameters = fum_image_format_parameters(&p);
    assert_non_null(strstr(parameters, "CFG scale: 2.5, "));
    assert_non_null(strstr(parameters, "Denoising strength: 0.75"));
    fum_free(parameters);
    assert_int_equal(fum_json_parse(&json, "{\"eps\": 0.25, \"beta\": 8.5e-4}", 29, "x", &err),
                     FUM_OK);
    assert_true(fum_json_number(json, "eps", 0) == 0.25 &&
                fabs(fum_json_number(json, "beta", 0) - 8.5e-4) < 1e-12);
    char *printed = cJSON_PrintUnformatted(json);
    assert_string_equal(printed, "{\"eps\":0.25,\"beta\":0.00085}");
    cJSON_free(printed);
    cJSON_Delete(json);
}

static void a_locale_of_its_own_changes_no_number(void **state) {
    (void)state;
    check_all();
}

// Sets a locale with a decimal comma: one of the system's, or one made for this test. False where
// neither can be had.
static bool set_comma_locale(void) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8",
                                        "de_DE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i])) return true;
    char folder[] = "/tmp/fumarole-locale-XXXXXX", command[200];
    if (!mkdtemp(folder)) return false;
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1",
             folder);
    bool made = system(command) == 0 && setenv("LOCPATH", folder, 1) == 0 &&
                setlocale(LC_ALL, "de_DE.UTF-8");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 && made;
}

static void a_locale_with_commas_changes_no_number(void **state) {
    (void)state;
    char text[8];
    if (!set_comma_locale()) {
        print_message("no locale with a decimal comma here; numbers_have_decimal_points covers the "
                      "conversion\n");
        return;
    }
    snprintf(text, sizeof text, "%.1f", 2.5);
    assert_string_equal(text, "2,5");
    check_all();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_have_decimal_points),
                                       cmocka_unit_test(a_locale_of_its_own_changes_no_number),
                                       cmocka_unit_test(a_locale_with_commas_changes_no_number)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
