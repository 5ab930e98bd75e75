/* The command line: exit codes, advice in what is said, and a run from start to end. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/cli.h"

#define MOST_WORDS 16

static char out[1 << 20], errors[1 << 16];

static void read_back(FILE *f, char *to, size_t size)
{
    size_t n;

    rewind(f);
    n = fread(to, 1, size - 1, f);
    to[n] = '\0';
    fclose(f);
}

/* Runs "leat WORDS…" with its outputs kept in `out` and `errors`. */
static int leat_(const char *const *words)
{
    char *argv[MOST_WORDS + 2] = {strdup("leat")};
    int argc = 1, code, saved[2] = {dup(1), dup(2)};
    FILE *files[2] = {tmpfile(), tmpfile()};

    for (; *words != NULL && argc <= MOST_WORDS; words++)
        argv[argc++] = strdup(*words);
    fflush(stdout);
    fflush(stderr);
    dup2(fileno(files[0]), 1);
    dup2(fileno(files[1]), 2);
    code = leat_cli_main(argc, argv);
    fflush(stdout);
    fflush(stderr);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(saved[0]);
    close(saved[1]);
    read_back(files[0], out, sizeof out);
    read_back(files[1], errors, sizeof errors);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return code;
}
#define LEAT(...) leat_((const char *const[]){__VA_ARGS__, NULL})

static void says(const char *where, const char *what)
{
    if (strstr(where, what) == NULL)
        print_error("no '%s' in:\n%s\n", what, where);
    assert_non_null(strstr(where, what));
}

#define GOOD                                                                                       \
    "yaml:receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}\nexporters: {nop: }\n" \
    "service: {telemetry: {metrics: {level: none}}, pipelines: {logs: {receivers: [otlp], "        \
    "exporters: [nop]}}}\nleat: {workers: 2}"

static void test_help_of_each_command_has_an_example(void **state)
{
    static const char *const commands[] = {"run",    "validate", "components", "print-config",
                                           "manual", "demo",     "top",        "status"};

    (void)state;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        assert_int_equal(LEAT(commands[i], "--help"), LEAT_EXIT_OK);
        says(out, "Example:\n  leat");
        says(out, commands[i]);
        assert_string_equal(errors, "");
    }
    assert_int_equal(LEAT("--help"), LEAT_EXIT_OK);
    says(out, "leat --config FILE");
    assert_int_equal(LEAT("help"), LEAT_EXIT_OK);
    says(out, "leat --config FILE");
    assert_int_equal(LEAT("version"), LEAT_EXIT_OK);
    assert_int_equal(strncmp(out, "leat ", 5), 0);
    assert_int_equal(LEAT("--version"), LEAT_EXIT_OK);
}

static void test_usage_is_64(void **state)
{
    (void)state;
    assert_int_equal(LEAT("valdate"), LEAT_EXIT_USAGE);
    says(errors, "did you mean 'validate'?");
    assert_int_equal(LEAT("--config"), LEAT_EXIT_USAGE);
    says(errors, "--config wants a value");
    assert_int_equal(LEAT("--confg=x"), LEAT_EXIT_USAGE);
    says(errors, "unknown option '--confg'");
    assert_int_equal(LEAT("-x"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("--seconds", "soon"), LEAT_EXIT_USAGE);
    says(errors, "not 'soon'");
    assert_int_equal(LEAT("--seconds", "0"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("--seconds=nan"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("components", "--output", "xml"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("print-config", "--mode=naked"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("top", "--pid", "0"), LEAT_EXIT_USAGE);
    says(errors, "--pid wants the number of a process, not '0'");
    assert_int_equal(LEAT("top", "--pid=12x"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("top", "--pid=4294967297"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("top", "--interval", "99ms"), LEAT_EXIT_USAGE);
    says(errors, "--interval wants a time from 100ms to 1h");
    assert_int_equal(LEAT("top", "--interval", "1"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("top", "--interval", "61m"), LEAT_EXIT_USAGE);
    assert_int_equal(LEAT("top", "--once", "--sort", "size"), LEAT_EXIT_USAGE);
    says(errors, "--sort is one of kind, component");
    assert_int_equal(LEAT("validate", "file.yaml"), LEAT_EXIT_USAGE);
    says(errors, "one word too many");
    assert_int_equal(LEAT("manual", "otlp_grcp"), LEAT_EXIT_USAGE);
    says(errors, "otlp_grcp");
    assert_int_equal(LEAT("manual", "batch", "otlp"), LEAT_EXIT_USAGE);
    says(errors, "one word too many");
}

static void test_configuration_is_78(void **state)
{
    (void)state;
    assert_int_equal(LEAT("validate", "--config", "/nowhere/leat.yaml"), LEAT_EXIT_CONFIG);
    says(errors, "/nowhere/leat.yaml");
    assert_int_equal(LEAT("validate", "--config", "yaml:receivers: {otpl: }"), LEAT_EXIT_CONFIG);
    says(errors, "nothing was started");
    assert_int_equal(LEAT("--config", GOOD, "--set", "exporters.nop.x=1", "--seconds", "1"),
                     LEAT_EXIT_CONFIG);
    assert_int_equal(LEAT("validate", "--config", GOOD, "--set", "leat.memory=lots"),
                     LEAT_EXIT_CONFIG);
    says(errors, "leat.memory");
    assert_int_equal(LEAT("validate", "--output=json", "--config", "yaml:service: {}"),
                     LEAT_EXIT_CONFIG);
    assert_int_equal(out[0], '[');
    says(out, "\"severity\"");
}

static void test_validate_and_print(void **state)
{
    (void)state;
    assert_int_equal(LEAT("validate", "--config", GOOD), LEAT_EXIT_OK);
    says(out, "usable: 1 pipeline, 2 components");
    assert_int_equal(LEAT("print-config", "--config", GOOD, "--set", "leat.workers=3"),
                     LEAT_EXIT_OK);
    says(out, "workers: 3");
    says(out, "exporters: [nop]");
}

static void test_components_and_manual(void **state)
{
    (void)state;
    assert_int_equal(LEAT("components"), LEAT_EXIT_OK);
    says(out, "receivers:\n");
    says(out, "otlp_grpc");
    assert_int_equal(LEAT("components", "--output", "json"), LEAT_EXIT_OK);
    says(out, "\"type\": \"otlp_http\"");
    assert_int_equal(LEAT("manual", "batch"), LEAT_EXIT_OK);
    says(out, "send_batch_max_size");
    assert_int_equal(LEAT("manual", "otlphttp"), LEAT_EXIT_OK); /* the old name, too */
    says(out, "`otlp_http`");
    assert_int_equal(LEAT("manual", "--schema"), LEAT_EXIT_OK);
    says(out, "json-schema.org");
}

static void test_runs_and_ends(void **state)
{
    (void)state;
    assert_int_equal(LEAT("--config", GOOD, "--seconds", "0.2"), LEAT_EXIT_OK);
    says(errors, "ready: 1 pipeline");
    says(errors, "stopped");
    assert_int_equal(LEAT("run", "--config", GOOD, "--seconds=0.1"), LEAT_EXIT_OK);
}

static void test_port_in_use_is_1(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char set[96];

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    snprintf(set, sizeof set, "receivers.otlp.protocols.grpc.endpoint=127.0.0.1:%u",
             ntohs(a.sin_port));
    assert_int_equal(LEAT("--config", GOOD, "--set", set, "--seconds", "1"), LEAT_EXIT_FAILED);
    says(errors, "otlp");
    says(errors, "in use");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_of_each_command_has_an_example),
        cmocka_unit_test(test_usage_is_64),
        cmocka_unit_test(test_configuration_is_78),
        cmocka_unit_test(test_validate_and_print),
        cmocka_unit_test(test_components_and_manual),
        cmocka_unit_test(test_runs_and_ends),
        cmocka_unit_test(test_port_in_use_is_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
