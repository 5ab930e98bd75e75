/* The path of a file whose name a peer chooses: it stays below what stands before the '*'. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "exporters/file_path.h"

static void assert_path(const char *pattern, const char *value, const char *expected)
{
    struct leat_err err;
    char *path = leat_file_path(pattern, leat_bytes_str(value), &err);

    assert_non_null(path);
    if (strcmp(path, expected) != 0)
        fail_msg("%s with '%s': %s, not %s", pattern, value, path, expected);
    leat_free(path);
}

static void test_plain(void **state)
{
    (void)state;
    assert_path("/data/*.json", "shop", "/data/shop.json");
    assert_path("/data/*", "shop", "/data/shop");
    assert_path("/data/svc-*.json", "a", "/data/svc-a.json");
    assert_path("/data/*/traces.json", "a/b", "/data/a/b/traces.json");
    assert_path("/data/*.json", "", "/data/.json");
    assert_path("./*.json", "a", "a.json");
    assert_path("out/*.json", "a", "out/a.json");
    assert_path("../out/*.json", "a", "../out/a.json");
    assert_path("/data//x/./../*.json", "a//./b", "/data/a/b.json");
    assert_path("/*.json", "a", "/a.json");
    assert_path("/data/.*", "a", "/data/.a");
    assert_path("x*", "y", "xy");
}

static void test_a_value_that_leads_outside(void **state)
{
    (void)state;
    assert_path("/data/*.json", "../../x", "/data/x.json");
    assert_path("/data/*.json", "../x", "/data/x.json");
    assert_path("/data/*.json", "./x", "/data/x.json");
    assert_path("/data/*.json", "/etc/x", "/data/etc/x.json");
    assert_path("/data/*.json", "a/../../../etc/x", "/data/etc/x.json");
    assert_path("/data/*", "..", "/data");
    assert_path("/data/*", ".", "/data");
    assert_path("/data/*", "a/..", "/data");
    assert_path("/data/*/../../x", "a", "/data/x");
    assert_path("/data/svc-*.json", "/../../x", "/data/svc-/x.json");
    assert_path("/data/*.json", "../data2/x", "/data/data2/x.json");
    assert_path("/data*", "/../x", "/data/x");
    assert_path("./*.json", "/etc/x", "etc/x.json");
    assert_path("./*.json", "../../x", "x.json");
    assert_path("a/../*.json", "/etc/x", "etc/x.json");
    assert_path("out/*.json", "../../x", "out/x.json");
    assert_path("../*.json", "../../x", "../x.json");
    assert_path("../*.json", "a/../../x", "../x.json");
    assert_path("../../*.json", "../../../../x", "../../x.json");
    assert_path("/*.json", "../../x", "/x.json");
    assert_path("/data/.*", "./../../x", "/data/x");
}

/* Everything that can be made of these parts stays below the folder. */
static void test_every_mixture(void **state)
{
    static const char *const parts[] = {"", ".", "..", "/", "a", "..."};
    static const char *const patterns[] = {"/data/in/*", "/data/in/*.json", "/data/in/p*/../q",
                                           "/data/in/*/../../../q", "/data/in/.*"};
    const size_t n = sizeof parts / sizeof *parts;

    (void)state;
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        for (size_t i = 0; i < n * n * n * n * n * n; i++) {
            char value[64] = "";
            struct leat_err err;
            char *path;

            for (size_t k = 0, rest = i; k < 6; k++, rest /= n)
                strcat(value, parts[rest % n]);
            path = leat_file_path(patterns[p], leat_bytes_str(value), &err);
            assert_non_null(path);
            if (strncmp(path, "/data/in", 8) != 0 || (path[8] != '/' && path[8] != '\0') ||
                strstr(path, "/../") != NULL || strstr(path, "//") != NULL ||
                (strlen(path) > 2 && strcmp(path + strlen(path) - 3, "/..") == 0))
                fail_msg("%s with '%s' is %s", patterns[p], value, path);
            leat_free(path);
        }
    }
}

static void assert_impossible(struct leat_bytes value, const char *why)
{
    struct leat_err err;

    assert_null(leat_file_path("/data/*.json", value, &err));
    assert_non_null(strstr(err.text, why));
}

static void test_impossible(void **state)
{
    static char text[70000];

    (void)state;
    memset(text, 'a', sizeof text);
    assert_impossible(leat_bytes("a\0b", 3), "NUL");
    assert_impossible(leat_bytes(text, sizeof text), "File name too long");
    assert_impossible(leat_bytes(text, 4096), "File name too long");
    assert_impossible(leat_bytes(text, 251), "a name of 256 bytes");
    text[250] = '\0';
    assert_int_equal(strlen(text), 250);
    struct leat_err err;
    char *path = leat_file_path("/data/*.json", leat_bytes_str(text), &err);
    assert_non_null(path);
    leat_free(path);
}

static void test_no_memory_is_no_impossible_name(void **state)
{
    static const char *const values[] = {"a", "../../x", "/etc/y"};
    struct leat_err err;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (int n = 1;; n++) {
            leat_mem_fail_at((uint64_t)n);
            char *path = leat_file_path("/data/*.json", leat_bytes_str(values[i]), &err);
            leat_mem_fail_at(0);
            if (path != NULL) {
                assert_true(n > 3);
                leat_free(path);
                break;
            }
            assert_int_equal(errno, ENOMEM);
            assert_non_null(strstr(err.text, "no memory"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_a_value_that_leads_outside),
        cmocka_unit_test(test_every_mixture),
        cmocka_unit_test(test_impossible),
        cmocka_unit_test(test_no_memory_is_no_impossible_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
