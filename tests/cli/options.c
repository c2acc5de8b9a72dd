// SPDX-License-Identifier: MIT
// The option parser: suggestions, groups of letters, seeds; and that the table of other tools'
// options names what exists.
#include "test.h"

#include "cli/generate_options.h"

enum { MAX_ARGUMENTS = 8 };

struct values {
    struct generate_options options;
    struct cli_parse parse;
    int argc;
    char text[200], *argv[MAX_ARGUMENTS + 1];
};

// Parses a line of words as `generate` does. Returns what cli_options_parse returned.
static bool parse(struct values *v, const char *line) {
    *v = (struct values){
        .options = generate_options_default(),
        .parse = {.options = generate_option_table, .foreign = &cli_foreign_generate}};
    v->parse.values = &v->options;
    snprintf(v->text, sizeof v->text, "%s", line);
    for (char *word = strtok(v->text, " "); word && v->argc < MAX_ARGUMENTS;
         word = strtok(NULL, " "))
        v->argv[v->argc++] = word;
    return cli_options_parse(&v->parse, &v->argc, v->argv);
}

static void suggestions_mend_spelling_only(void **state) {
    (void)state;
    static const struct {
        const char *typed, *suggested;
    } cases[] = {
        {"--stesp", "--steps"},
        {"--setps", "--steps"},
        {"--step", "--steps"},
        {"--promt", "--prompt"},
        {"--pormpt", "--prompt"},
        {"--negativ-prompt", "--negative-prompt"},
        {"--negative_pormpt", "--negative-prompt"},
        {"--sampling-metod", "--sampling-method"},
        {"--cfg-scal", "--cfg-scale"},
        {"--sheduler", "--scheduler"},
        {"--heigth", "--height"},
        {"--memory-buget", "--memory-budget"},
        // Other meanings, however much of them is the same.
        {"--prompter", NULL},
        {"--seeding", NULL},
        {"--see", "--seed"},
        {"--weight", NULL},
        {"--stride", NULL},
        {"--guidance-start", NULL},
        {"--sampler-seed", NULL},
        {"--model-type", NULL},
        {"--no-verbose", NULL},
        {"--xx", NULL},
        {"---steps", "--steps"},
        {"-x", NULL},
        {"--", ""}, // no option at all
    };
    struct values v;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool parsed = parse(&v, cases[i].typed);
        const char *question = strstr(v.parse.message, "did you mean ");
        if (cases[i].suggested && !*cases[i].suggested) {
            assert_true(parsed);
            continue;
        }
        char expected[64];
        bool right = question == NULL;
        if (cases[i].suggested) {
            snprintf(expected, sizeof expected, "did you mean %s?", cases[i].suggested);
            right = question && strcmp(question, expected) == 0;
        }
        if (parsed || !right) fail_msg("%s: \"%s\"", cases[i].typed, v.parse.message);
    }
}

static void no_option_of_another_tool_is_taken_for_a_misspelling(void **state) {
    (void)state;
    struct values v;
    for (const struct cli_foreign_option *row = cli_foreign_generate.options; row->name; row++) {
        char line[80];
        snprintf(line, sizeof line, "--%s%s", row->name, row->takes_value ? " value" : "");
        bool parsed = parse(&v, line);
        if (strstr(v.parse.message, "did you mean")) fail_msg("%s: %s", line, v.parse.message);
        assert_int_equal(parsed, row->kind == CLI_NO_EFFECT);
        assert_int_equal(v.parse.notes[0] != 0, row->kind == CLI_NO_EFFECT);
        assert_int_equal(v.argc, parsed ? 0 : v.argc); // the value was taken
    }
}

// Returns the option of that name, or NULL.
static const struct cli_option *find_option(const char *name, size_t length) {
    for (const struct cli_option *option = generate_option_table; option->name; option++)
        if (option->kind != CLI_HEADING && strlen(option->name) == length &&
            strncmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

static void the_table_of_other_tools_names_what_exists(void **state) {
    (void)state;
    for (const struct cli_foreign_option *row = cli_foreign_generate.options; row->name; row++) {
        if (find_option(row->name, strlen(row->name)))
            fail_msg("--%s is an option of fumarole", row->name);
        for (const struct cli_foreign_option *other = row + 1; other->name; other++)
            if (strcmp(row->name, other->name) == 0) fail_msg("--%s is listed twice", row->name);
        if (row->kind == CLI_RENAMED && (strncmp(row->note, "--", 2) != 0 ||
                                         !find_option(row->note + 2, strcspn(row->note + 2, " ;"))))
            fail_msg("--%s: %s is no option", row->name, row->note);
    }
    for (const struct cli_foreign_value *row = cli_foreign_generate.values; row->option; row++) {
        const struct cli_option *option = find_option(row->option, strlen(row->option));
        bool is_choice = row->kind == CLI_UNSUPPORTED || !row->ours;
        assert_non_null(option);
        for (size_t i = 0; option->choice(i); i++) {
            if (strcmp(option->choice(i), row->value) == 0)
                fail_msg("--%s %s is a value", row->option, row->value);
            is_choice |= row->ours && strcmp(option->choice(i), row->ours) == 0;
        }
        for (size_t i = 0; option->label && option->label(i); i++)
            if (strcmp(option->label(i), row->value) == 0)
                fail_msg("--%s %s is a label", row->option, row->value);
        if (!is_choice) fail_msg("--%s has no %s", row->option, row->ours);
    }
}

static void letters_may_be_grouped(void **state) {
    (void)state;
    struct values v;
    assert_true(parse(&v, "-qvW64 -H 32 -vs7 cat"));
    assert_true(v.options.quiet && v.options.verbose);
    assert_int_equal(v.options.picture.width, 64);
    assert_int_equal(v.options.picture.height, 32);
    assert_int_equal(v.options.seed.value, 7);
    assert_int_equal(v.argc, 1);
    assert_string_equal(v.argv[0], "cat");
    assert_false(parse(&v, "-qz"));
    assert_string_equal(v.parse.message, "unknown option \"-z\" in \"-qz\"");
    assert_false(parse(&v, "-qW"));
    assert_string_equal(v.parse.message, "--width needs a value: PIXELS");
}

static void seeds_have_64_bits_and_any_negative_number_is_random(void **state) {
    (void)state;
    struct values v;
    assert_true(parse(&v, "-s 18446744073709551615"));
    assert_true(v.options.seed.value == UINT64_MAX && !v.options.seed.random);
    assert_true(parse(&v, "--seed=9223372036854775808"));
    assert_true(v.options.seed.value == UINT64_C(9223372036854775808) && !v.options.seed.random);
    static const char *const random[] = {"-s -1", "-s -2", "-s-1", "-s -99999999999999999999999"};
    for (size_t i = 0; i < sizeof random / sizeof *random; i++) {
        assert_true(parse(&v, random[i]));
        assert_true(v.options.seed.random);
    }
    static const char *const bad[] = {
        "-s 18446744073709551616", "-s 1e3", "-s 0x1", "-s=1", "-s --", "-s 1,2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(parse(&v, bad[i]));
}

static void samplers_have_the_names_of_other_tools_too(void **state) {
    (void)state;
    static const struct {
        const char *given, *sampler;
    } cases[] = {{"euler_a", "euler_a"},  {"Euler a", "euler_a"},     {"PLMS", "pndm"},
                 {"DPM++ 2M", "dpm++2m"}, {"k_euler_a", "euler_a"},   {"dpmpp_2m", "dpm++2m"},
                 {"HEUN", "heun"},        {"dpm++ 2s A", "dpm++2s_a"}};
    struct values v;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char option[] = "--sampler", value[32];
        parse(&v, "");
        snprintf(value, sizeof value, "%s", cases[i].given);
        v.argv[0] = option;
        v.argv[1] = value;
        v.argc = 2;
        if (!cli_options_parse(&v.parse, &v.argc, v.argv)) fail_msg("%s", v.parse.message);
        assert_string_equal(v.options.picture.sampler, cases[i].sampler);
    }
}

static void names_of_an_enum_are_stored_as_its_values(void **state) {
    (void)state;
    struct values v;
    assert_true(parse(&v, "--precision BF16 --rng cpu"));
    assert_int_equal(v.options.pipeline.precision, FUM_PRECISION_BF16);
    assert_int_equal(v.options.picture.rng, FUM_RNG_CPU);
    assert_true(parse(&v, "--precision fp16 --rng nv"));
    assert_int_equal(v.options.pipeline.precision, FUM_PRECISION_F16);
    assert_int_equal(v.options.picture.rng, FUM_RNG_CUDA);
}

static void help_is_found_as_an_option_and_not_as_a_value(void **state) {
    (void)state;
    static const struct cli_option help = {.name = "help", .letter = 'h'};
    static const struct {
        const char *line;
        bool present;
    } cases[] = {
        {"-h", true},
        {"cat -h", true},
        {"-p cat --help", true},
        {"-qh", true},
        {"-qvhx", true},
        {"--fa -h", true},
        {"--nonsense -h", true},
        {"--mmap --help", true},
        {"-p -h", false},
        {"-ph", false},
        {"--prompt -h", false},
        {"--backend -h", false},
        {"-- -h", false},
        {"cat -- --help", false},
        {"-qp -h", false},
        {"-i -h", false},
        {"--prompt=x -h", true},
        {"--negative_prompt -h", false},
    };
    struct values v;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parse(&v, "");
        snprintf(v.text, sizeof v.text, "%s", cases[i].line);
        for (char *word = strtok(v.text, " "); word; word = strtok(NULL, " "))
            v.argv[v.argc++] = word;
        if (cli_options_present(&v.parse, v.argc, v.argv, &help) != cases[i].present)
            fail_msg("'%s'", cases[i].line);
    }
}

// Returns the row of another tool's option, or NULL.
static const struct cli_foreign_option *find_row(const char *name) {
    const struct cli_foreign_option *row = cli_foreign_generate.options;
    while (row->name && strcmp(row->name, name) != 0) row++;
    return row->name ? row : NULL;
}

// Checks a row of docs/sd-cli.md against the tables.
static void check_row(const char *option, const char *kind, const char *note) {
    static const struct {
        const char *kind;
        enum cli_foreign_kind wanted;
    } kinds[] = {{"accepted", CLI_NO_EFFECT}, {"other name", CLI_RENAMED}, {"no", CLI_UNSUPPORTED}};
    char name[64];
    snprintf(name, sizeof name, "%s", option);
    for (char *c = name; *c; c++) *c = *c == '_' ? '-' : *c;
    bool own = cli_options_find(generate_option_table, name) || strcmp(name, "help") == 0 ||
               strcmp(name, "version") == 0;
    if (own != (strcmp(kind, "same") == 0)) fail_msg("--%s is not \"%s\"", name, kind);
    if (own) return;
    const struct cli_foreign_option *row = find_row(name);
    if (!row) fail_msg("--%s is in no table", name);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].kind, kind) == 0 && row->kind == kinds[i].wanted) {
            assert_string_equal(note, row->note);
            return;
        }
    fail_msg("--%s is not \"%s\"", name, kind);
}

static void the_page_on_sd_cli_is_true(void **state) {
    (void)state;
    char path[1024], line[400], option[64], kind[32], note[200];
    int rows = 0;
    snprintf(path, sizeof path, "%s/docs/sd-cli.md", getenv("FUM_SOURCE_ROOT"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        note[0] = 0;
        if (sscanf(line, "| `--%63[^`]` | %31[^|]| %199[^|]", option, kind, note) < 2) continue;
        kind[strlen(kind) - 1] = 0; // the space before the next column
        if (note[0]) note[strlen(note) - 1] = 0;
        check_row(option, kind, note[0] == '|' ? "" : note);
        rows++;
    }
    fclose(file);
    assert_true(rows > 150);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_on_sd_cli_is_true),
        cmocka_unit_test(suggestions_mend_spelling_only),
        cmocka_unit_test(no_option_of_another_tool_is_taken_for_a_misspelling),
        cmocka_unit_test(the_table_of_other_tools_names_what_exists),
        cmocka_unit_test(letters_may_be_grouped),
        cmocka_unit_test(seeds_have_64_bits_and_any_negative_number_is_random),
        cmocka_unit_test(samplers_have_the_names_of_other_tools_too),
        cmocka_unit_test(names_of_an_enum_are_stored_as_its_values),
        cmocka_unit_test(help_is_found_as_an_option_and_not_as_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
