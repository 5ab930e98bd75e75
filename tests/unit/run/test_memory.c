/* How much telemetry may be held: leat.memory, memory_limiter, or a part of what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "config/diag.h"
#include "lib/path_program.h"
#include "lib/path_root.h"
#include "run/memory.h"
#include "run/plan.h"

#define MIB (UINT64_C(1) << 20)

static int memory_of(const char *own, const char *limiter, uint64_t *ret, const char **ret_source,
                     struct leat_err *err)
{
    char *yaml = leat_format(
        "receivers: {otlp: {protocols: {grpc: }}}\nprocessors:\n  batch:\n%s"
        "exporters: {nop: }\nservice: {pipelines: {logs: {receivers: [otlp], processors: [%s], "
        "exporters: [nop]}}}\n%s%s\n",
        limiter ? limiter : "", limiter ? "memory_limiter" : "", own ? "leat:\n  memory: " : "",
        own ? own : "");
    struct leat_plan *p = path_plan(yaml);
    int result = leat_memory_of(p, ret, ret_source, err);

    leat_plan_free(p);
    leat_free(yaml);
    return result;
}

static void expect(const char *own, const char *limiter, uint64_t wanted, const char *source)
{
    const char *said = "";
    struct leat_err err = {""};
    uint64_t got = 0;

    if (memory_of(own, limiter, &got, &said, &err) != 0)
        fail_msg("%s", err.text);
    if (got != wanted)
        print_error("%s: %llu, not %llu\n", own ? own : "-", (unsigned long long)got,
                    (unsigned long long)wanted);
    assert_true(got == wanted);
    assert_non_null(strstr(said, source));
}

/* What is no size is said at its place when the file is read; a share that is too little only here,
 * where one knows of what. */
static void refuse(const char *own)
{
    char *yaml = leat_format("yaml:receivers: {nop: }\nexporters: {nop: }\n"
                             "service: {pipelines: {logs: {receivers: [nop], exporters: [nop]}}}\n"
                             "leat:\n  memory: %s\n",
                             own);
    const char *source = yaml;
    struct leat_diags *diags = leat_diags_new();
    struct leat_plan *p = leat_plan_load(&source, 1, NULL, 0, diags);
    struct leat_err err = {""};
    uint64_t got;

    if (p == NULL) {
        assert_int_equal(leat_diags_errors(diags), 1);
        assert_string_equal(leat_diags_at(diags, 0)->path, "leat.memory");
        assert_non_null(strstr(leat_diags_at(diags, 0)->text, "4MiB"));
    } else {
        assert_int_equal(leat_memory_of(p, &got, &source, &err), -1);
        assert_non_null(strstr(err.text, "leat.memory"));
        assert_non_null(strstr(err.text, "4MiB"));
    }
    leat_plan_free(p);
    leat_diags_free(diags);
    leat_free(yaml);
}

static void cgroup(struct path_root *r, uint64_t mib)
{
    char text[32];

    snprintf(text, sizeof text, "%llu\n", (unsigned long long)(mib * MIB));
    path_root_write(r, "/proc/self/cgroup", "0::/\n");
    path_root_write(r, "/sys/fs/cgroup/memory.max", text);
}

static void test_sizes_and_percentages(void **state)
{
    cgroup(*state, 400);
    expect("200MiB", NULL, 200 * MIB, "leat.memory");
    expect("4MiB", NULL, 4 * MIB, "leat.memory");
    expect("1GiB", NULL, 1024 * MIB, "leat.memory");
    expect("40%", NULL, 160 * MIB, "leat.memory");
    expect("'12.5%'", NULL, 50 * MIB, "leat.memory");
    expect("100%", NULL, 400 * MIB, "leat.memory");
}

static void test_what_is_no_size(void **state)
{
    cgroup(*state, 400);
    refuse("3MiB"); /* too little to run with */
    refuse("'0.5%'");
    refuse("'0%'");
    refuse("'101%'");
    refuse("'-5%'");
    refuse("'nan%'");
    refuse("'40 percent'");
    refuse("lots");
    refuse("'%'");
}

static void test_memory_limiter(void **state)
{
    cgroup(*state, 1000);
    expect(NULL, "  memory_limiter: {check_interval: 1s, limit_mib: 500}\n", 400 * MIB,
           "memory_limiter");
    expect(NULL, "  memory_limiter: {check_interval: 1s, limit_mib: 500, spike_limit_mib: 200}\n",
           300 * MIB, "memory_limiter");
    expect(NULL,
           "  memory_limiter: {check_interval: 1s, limit_percentage: 50, spike_limit_percentage: "
           "30}\n",
           1000 * MIB / 100 * 50 - 1000 * MIB / 100 * 30, "memory_limiter");
    expect(NULL, "  memory_limiter: {check_interval: 1s, limit_mib: 2}\n", 4 * MIB,
           "memory_limiter");
    expect("100MiB", "  memory_limiter: {check_interval: 1s, limit_mib: 500}\n", 100 * MIB,
           "leat.memory"); /* what is ours wins */
}

static void test_when_nobody_said_anything(void **state)
{
    cgroup(*state, 256);
    expect(NULL, NULL, 128 * MIB, "cgroup");
    cgroup(*state, 1);
    expect(NULL, NULL, 4 * MIB, "cgroup");
}

int main(void)
{
#define AT(test) cmocka_unit_test_setup_teardown(test, path_root_setup, path_root_teardown)
    const struct CMUnitTest tests[] = {
        AT(test_sizes_and_percentages),
        AT(test_what_is_no_size),
        AT(test_memory_limiter),
        AT(test_when_nobody_said_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
