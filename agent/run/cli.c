/* The command line: which command, which options. */
#include "run/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/manual.h"
#include "config/units.h"
#include "run/default_conf.h"
#include "run/plan.h"

#define LEAST_INTERVAL (100 * LEAT_MS)
#define MOST_INTERVAL  (3600 * LEAT_SEC)

struct command {
    const char *name;
    int (*run)(const struct leat_cli *cli);
    const char *help;
};

static const char run_help[] =
    "leat [run] [options]: takes telemetry, passes it on.\n"
    "\n"
    "  --config SOURCE   a file, file:PATH, env:NAME or yaml:TEXT; may be repeated: later ones "
    "are\n"
    "                    merged over earlier ones. Without it: OTLP on 4317 and 4318 of this\n"
    "                    machine, shown on the terminal\n"
    "  --set KEY=VALUE   sets one value, with dots between keys; after all files\n"
    "  --seconds N       ends by itself after N seconds, with exit code 0\n"
    "\n"
    "Example:\n"
    "  leat --config /etc/leat/leat.yaml --set exporters.otlp_grpc.endpoint=jaeger:4317\n";

static const char validate_help[] =
    "leat validate --config SOURCE …: checks everything a start would check, and starts nothing.\n"
    "\n"
    "  --config, --set   as for run\n"
    "  --output json     the findings as a JSON array\n"
    "\n"
    "Exit code 0: usable; 78: not.\n"
    "\n"
    "Example:\n"
    "  leat validate --config gateway.yaml\n";

static const char components_help[] = "leat components: lists the components this program has.\n"
                                      "\n"
                                      "  --output json     for machines\n"
                                      "\n"
                                      "Example:\n"
                                      "  leat components --output json\n";

static const char print_config_help[] =
    "leat print-config [--config SOURCE …]: the configuration as Leat understands it, with every\n"
    "default. Without --config: what runs without a file.\n"
    "\n"
    "  --config, --set           as for run\n"
    "  --mode unredacted         shows secrets too\n"
    "\n"
    "Example:\n"
    "  leat print-config > leat.yaml\n";

static const char manual_help[] =
    "leat manual [TYPE]: the settings of one component, or of all, as Markdown.\n"
    "\n"
    "  --schema          a JSON Schema of a whole configuration file instead\n"
    "\n"
    "Example:\n"
    "  leat manual otlp_grpc\n";

static const char demo_help[] =
    "leat demo: sends the traces, metrics and logs of a small imaginary shop.\n"
    "\n"
    "  --endpoint HOST:PORT   OTLP over gRPC; default localhost:4317\n"
    "  --seconds N            ends after N seconds; default: until interrupted\n"
    "\n"
    "Example:\n"
    "  leat --seconds 30 & leat demo --seconds 20\n";

static const char top_help[] =
    "leat top: what a running Leat on this machine is doing: a table that renews itself.\n"
    "\n"
    "  --pid PID         which one, when several run\n"
    "  --socket PATH     its admin socket, where leat.admin has put it\n"
    "  --sort COLUMN     kind (default), component, signal, in, out, bytes-in, bytes-out, "
    "refused,\n"
    "                    errors, held, queue\n"
    "  --interval TIME   how often it asks, and over which time rates are taken; default 1s\n"
    "  --once            prints one table and ends; with --interval 0: totals since the start\n"
    "  --output json     with --once: for machines\n"
    "\n"
    "Keys: q quits, left and right choose the column to sort by, r reverses, space pauses.\n"
    "\n"
    "Example:\n"
    "  leat top --sort queue\n"
    "  leat top --once --output json --interval 10s\n";

static const char status_help[] =
    "leat status: one table of what a running Leat is doing: leat top --once.\n"
    "\n"
    "  --pid, --socket, --sort, --interval, --output   as for top\n"
    "\n"
    "Example:\n"
    "  leat status --interval 0\n";

static const struct command commands[] = {
    {"run", leat_cmd_run, run_help},
    {"validate", leat_cmd_validate, validate_help},
    {"components", leat_cmd_components, components_help},
    {"print-config", leat_cmd_print_config, print_config_help},
    {"manual", leat_cmd_manual, manual_help},
    {"demo", leat_cmd_demo, demo_help},
    {"top", leat_cmd_top, top_help},
    {"status", leat_cmd_status, status_help},
};

static void print_help(void)
{
    fputs("Leat " LEAT_VERSION
          ", a telemetry collector and agent. It reads OpenTelemetry Collector\n"
          "configuration.\n"
          "\n"
          "  leat --config FILE        runs it\n"
          "  leat                      OTLP on 4317 and 4318, shown on the terminal\n"
          "  leat demo                 sends something to look at\n"
          "  leat top                  what a running one is doing, live\n"
          "  leat status               the same, once\n"
          "  leat validate             checks a configuration\n"
          "  leat print-config         shows it with every default\n"
          "  leat components           lists receivers, processors, exporters …\n"
          "  leat manual [TYPE]        their settings\n"
          "  leat version\n"
          "\n"
          "'leat COMMAND --help' says more about each.\n",
          stdout);
}

__attribute__((format(printf, 1, 2))) static int usage(const char *fmt, ...)
{
    va_list ap;

    fputs("leat: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("; see 'leat --help'\n", stderr);
    return -1;
}

static int add(const char **list, unsigned *n, const char *what, const char *value)
{
    if (*n == LEAT_CLI_MAX)
        return usage("%s stands more than 100 times", what);
    list[(*n)++] = value;
    return 0;
}

static int take_pid(struct leat_cli *cli, const char *value)
{
    char *end;
    long pid = strtol(value, &end, 10);

    if (end == value || *end != '\0' || pid < 1 || pid > INT32_MAX)
        return usage("--pid wants the number of a process, not '%s'", value);
    cli->pid = (int32_t)pid;
    return 0;
}

static int take_interval(struct leat_cli *cli, const char *value)
{
    if (leat_parse_duration(value, &cli->interval) < 0 || cli->interval < 0 ||
        (cli->interval > 0 && cli->interval < LEAST_INTERVAL) || cli->interval > MOST_INTERVAL)
        return usage("--interval wants a time from 100ms to 1h, like 2s, not '%s'", value);
    return 0;
}

static int take_option(struct leat_cli *cli, const char *name, const char *value)
{
    char *end;

    if (strcmp(name, "--config") == 0)
        return add(cli->sources, &cli->nsources, name, value);
    if (strcmp(name, "--set") == 0)
        return add(cli->sets, &cli->nsets, name, value);
    if (strcmp(name, "--seconds") == 0) {
        cli->seconds = strtod(value, &end);
        if (end == value || *end != '\0' || !(cli->seconds > 0) || cli->seconds > 1e9)
            return usage("--seconds wants a number above 0, not '%s'", value);
    } else if (strcmp(name, "--output") == 0) {
        cli->output = value;
        if (strcmp(value, "table") == 0)
            cli->output = "text";
        else if (strcmp(value, "json") != 0 && strcmp(value, "text") != 0)
            return usage("--output is text or json, not '%s'", value);
    } else if (strcmp(name, "--mode") == 0) {
        cli->mode = value;
        if (strcmp(value, "redacted") != 0 && strcmp(value, "unredacted") != 0)
            return usage("--mode is redacted or unredacted, not '%s'", value);
    } else if (strcmp(name, "--endpoint") == 0) {
        cli->endpoint = value;
    } else if (strcmp(name, "--socket") == 0) {
        cli->socket = value;
    } else if (strcmp(name, "--sort") == 0) {
        cli->sort = value;
    } else if (strcmp(name, "--pid") == 0) {
        return take_pid(cli, value);
    } else if (strcmp(name, "--interval") == 0) {
        return take_interval(cli, value);
    } else if (strcmp(name, "--feature-gates") == 0) {
        fprintf(stderr, "leat: --feature-gates has no effect: Leat has no feature gates\n");
    } else {
        return usage("unknown option '%s'", name);
    }
    return 0;
}

/* "--name=value" or "--name value". *i moves over what was used. */
static int parse_option(struct leat_cli *cli, int argc, char **argv, int *i)
{
    char name[64];
    const char *arg = argv[*i], *equals = strchr(arg, '=');

    if (strcmp(arg, "--schema") == 0 || strcmp(arg, "--once") == 0) {
        *(arg[2] == 's' ? &cli->schema : &cli->once) = 1;
        return 0;
    }
    if (equals != NULL && (size_t)(equals - arg) < sizeof name) {
        snprintf(name, sizeof name, "%.*s", (int)(equals - arg), arg);
        return take_option(cli, name, equals + 1);
    }
    if (*i + 1 >= argc) {
        static const char *const known[] = {"--config", "--set",      "--seconds", "--output",
                                            "--mode",   "--endpoint", "--socket",  "--pid",
                                            "--sort",   "--interval", NULL};
        for (size_t k = 0; known[k] != NULL; k++) {
            if (strcmp(known[k], arg) == 0)
                return usage("%s wants a value", arg);
        }
        return usage("unknown option '%s'", arg);
    }
    (*i)++;
    return take_option(cli, arg, argv[*i]);
}

static int parse(struct leat_cli *cli, int argc, char **argv, int from)
{
    for (int i = from; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            if (parse_option(cli, argc, argv, &i) < 0)
                return -1;
        } else if (cli->nrest < sizeof cli->rest / sizeof *cli->rest) {
            cli->rest[cli->nrest++] = argv[i];
        }
    }
    return 0;
}

static const struct command *find_command(const char *word)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, word) == 0)
            return &commands[i];
    }
    return NULL;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int unknown_command(const char *word)
{
    static const char *const words[] = {"run",  "validate", "components", "print-config", "manual",
                                        "demo", "top",      "status",     "version",      NULL};
    const char *nearest = leat_nearest(word, words);

    fprintf(stderr, "leat: there is no command '%s'%s%s%s; see 'leat --help'\n", word,
            nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return LEAT_EXIT_USAGE;
}

int leat_cli_main(int argc, char **argv)
{
    struct leat_cli cli = {.output = "text", .mode = "redacted", .interval = -1};
    const struct command *command = &commands[0];
    unsigned words;
    int from = 1;

    if (argc > 1 && argv[1][0] != '-') {
        command = find_command(argv[1]);
        from = 2;
    }
    if (argc > 1 && (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0)) {
        puts("leat " LEAT_VERSION);
        return LEAT_EXIT_OK;
    }
    if (wants_help(argc, argv) || (argc > 1 && strcmp(argv[1], "help") == 0)) {
        if (from == 2 && command != NULL)
            fputs(command->help, stdout);
        else
            print_help();
        return LEAT_EXIT_OK;
    }
    if (command == NULL)
        return unknown_command(argv[1]);
    if (parse(&cli, argc, argv, from) < 0)
        return LEAT_EXIT_USAGE;
    words = command->run == leat_cmd_manual ? 1 : 0;
    if (cli.nrest > words) {
        usage(find_command(cli.rest[words]) != NULL ? "'%s' is a command: it must be the first word"
                                                    : "'%s' is one word too many",
              cli.rest[words]);
        return LEAT_EXIT_USAGE;
    }
    return command->run(&cli);
}

int leat_cli_colour(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");

    return isatty(fileno(out)) && (no_colour == NULL || no_colour[0] == '\0');
}

struct leat_plan *leat_cli_load(const struct leat_cli *cli, bool to_start)
{
    struct leat_diags *diags = leat_diags_new();
    char *fallback = cli->nsources == 0 ? leat_default_conf() : NULL;
    const char *source = fallback;
    struct leat_plan *plan =
        leat_plan_load(cli->nsources ? cli->sources : &source, cli->nsources ? cli->nsources : 1,
                       cli->sets, cli->nsets, diags);

    if (plan != NULL && to_start && leat_plan_try(plan, diags) < 0) {
        leat_plan_free(plan);
        plan = NULL;
    }
    if (strcmp(cli->output, "json") == 0)
        leat_diags_print_json(diags, stdout);
    else
        leat_diags_print(diags, stderr, leat_cli_colour(stderr));
    if (plan == NULL && strcmp(cli->output, "json") != 0)
        fprintf(stderr, "leat: %zu error%s in the configuration; nothing was started\n",
                leat_diags_errors(diags), leat_diags_errors(diags) == 1 ? "" : "s");
    leat_diags_free(diags);
    leat_default_conf_free(fallback);
    return plan;
}
