// SPDX-License-Identifier: MIT
// fumarole serve: draws what clients request over HTTP.
#include "cli.h"

#include "serve/serve_options.h"

#define FIELD(name) offsetof(struct serve_options, name)

CLI_NAMES(log_format_name, "text", "json")

// clang-format off
static const struct cli_option options[] = {
    CLI_HEADING_ROW("Models"),
    {.name = "model", .letter = 'm', .kind = CLI_LIST, .offset = FIELD(models), .value = "MODEL",
     .help = "a model that clients may name; may be given several times, the first is the default "
             "(the shipped one)"},
    {.name = "models-dir", .kind = CLI_PATH, .offset = FIELD(models_dir), .value = "DIR",
     .help = "offer every model in this folder"},
    {.name = "lora-model-dir", .kind = CLI_PATH, .offset = FIELD(lora_dir), .value = "DIR",
     .help = "offer the LoRAs in this folder and those below"},
    {.name = "embd-dir", .kind = CLI_PATH, .offset = FIELD(embeddings_dir), .value = "DIR",
     .help = "offer the textual inversion embeddings in this folder and those below"},
    {.name = "upscalers-dir", .kind = CLI_PATH, .offset = FIELD(upscalers_dir), .value = "DIR",
     .help = "offer the networks in this folder that enlarge pictures"},
    CLI_HEADING_ROW("Connections"),
    {.name = "listen-ip", .kind = CLI_STRING, .offset = FIELD(listen_ip), .value = "ADDRESS",
     .help = "the address to listen on (127.0.0.1); others than this machine's need --api-key-file"},
    {.name = "listen-port", .kind = CLI_INT, .offset = FIELD(port), .value = "N", .min = 0,
     .max = 65535, .help = "the port (1234); 0: a free one, see the first line of the output"},
    {.name = "api-key-file", .kind = CLI_PATH, .offset = FIELD(api_key_file), .value = "FILE",
     .help = "serve only clients that send one of the keys in this file, one a line"},
    {.name = "cors", .kind = CLI_STRING, .offset = FIELD(cors), .value = "ORIGIN",
     .help = "pages of this origin, such as https://example.org, may call"},
    CLI_HEADING_ROW("Jobs"),
    {.name = "state", .kind = CLI_PATH, .offset = FIELD(state_dir), .value = "DIR",
     .help = "where jobs and pictures are kept ($XDG_STATE_HOME/fumarole)"},
    {.name = "device", .kind = CLI_LIST, .offset = FIELD(devices), .value = "WHICH",
     .help = "number, uuid or part of a name, see fumarole devices; several draw at the same time"},
    {.name = "max-queue", .kind = CLI_INT, .offset = FIELD(max_queue), .value = "N", .min = 1,
     .max = 1000000, .help = "jobs that may wait (1000)"},
    {.name = "max-pixels", .kind = CLI_INT, .offset = FIELD(max_pixels), .value = "N", .min = 64,
     .max = FUM_MAX_PIXELS, .help = "width times height of a picture at most (4194304)"},
    {.name = "idle-unload", .kind = CLI_INT, .offset = FIELD(idle_unload), .value = "SECONDS",
     .min = 0, .max = 1000000000,
     .help = "free the model's memory after so long without work (0: never)"},
    CLI_HEADING_ROW("Messages"),
    {.name = "log", .kind = CLI_ENUM, .offset = FIELD(log_format), .value = "FORMAT",
     .choice = log_format_name, .help = "the form of log lines on standard error (text):"},
    {.name = "verbose", .letter = 'v', .kind = CLI_FLAG, .offset = FIELD(verbose),
     .help = "log more"},
    {0},
};
// clang-format on

static int run(const struct cli_command *command, int argc, char **argv) {
    struct serve_options values = {
        .listen_ip = "127.0.0.1", .port = 1234, .max_queue = 1000, .max_pixels = 4 << 20};
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc > 0)
        return cli_misuse(command, "takes no argument such as \"%s\"", cli_show(argv[0]).text);
#if defined(FUM_SERVE)
    signal(SIGXFSZ, SIG_IGN); // a file that may not grow is a full disk, and no end of the server
    cli_catch_interrupt();
    return server_run(&values);
#else
    return cli_fail("this build cannot serve: it was made without libmicrohttpd or SQLite");
#endif
}

const struct cli_command cli_serve = {
    .name = "serve",
    .arguments = "[OPTIONS]",
    .summary = "draws what clients request over HTTP, and shows a page for browsers",
    .details = "The first line of standard output is \"listening on http://ADDRESS:PORT\". Clients "
               "of A1111 and OpenAI work, and browsers find a page there.\n"
               "SIGTERM and Ctrl-C end the server after the running step. Jobs are kept and go on "
               "at the next start.\n",
    .options = options,
    .run = run,
};
