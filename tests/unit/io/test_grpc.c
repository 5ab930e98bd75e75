/* gRPC framing: prefix, timeout, message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "io/grpc.h"

static void prefix_round_trip(void **state)
{
    static const uint32_t lengths[] = {0, 1, 255, 256, 65536, 16777216, UINT32_MAX};
    uint8_t at[LEAT_GRPC_PREFIX];
    bool compressed;
    uint32_t len;

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        leat_grpc_prefix_write(at, i % 2, lengths[i]);
        assert_int_equal(leat_grpc_prefix_read(at, &compressed, &len), 0);
        assert_int_equal(compressed, i % 2);
        assert_true(len == lengths[i]);
    }
    at[0] = 2;
    assert_int_equal(leat_grpc_prefix_read(at, &compressed, &len), -1);
    at[0] = 0x80;
    assert_int_equal(leat_grpc_prefix_read(at, &compressed, &len), -1);
}

static void timeout_reads(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1n", 1},          {"20u", 20000},          {"100m", 100000000},
        {"5S", 5000000000}, {"2M", 120000000000},    {"1H", 3600000000000},
        {"0S", 0},          {"99999999n", 99999999}, {"99999999H", INT64_MAX},
    };
    static const char *bad[] = {"",    "S",    "5",          "5s",  "-1S",
                                "+1S", "1.5S", "123456789S", " 1S", "1SS"};
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(leat_grpc_timeout_read(leat_bytes_str(good[i].text), &ns), 0);
        assert_true(ns == good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(leat_grpc_timeout_read(leat_bytes_str(bad[i]), &ns), -1);
}

static void timeout_is_never_shorter_when_written(void **state)
{
    static const int64_t values[] = {0,          1,           99999999,     100000000,
                                     5000000000, 99999999999, 100000000001, INT64_MAX / 2};
    char out[16];
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        leat_grpc_timeout_write(values[i], out);
        assert_int_equal(leat_grpc_timeout_read(leat_bytes_str(out), &ns), 0);
        assert_true(ns >= values[i]);
        assert_true(ns - values[i] <= values[i] / 100000 + 1);
    }
    assert_string_equal(leat_grpc_timeout_write(-5, out), "0n");
    assert_string_equal(leat_grpc_timeout_write(5000000000, out), "5000000u");
    leat_grpc_timeout_write(INT64_MAX, out);
    assert_int_equal(leat_grpc_timeout_read(leat_bytes_str(out), &ns), 0);
}

static void message_round_trip(void **state)
{
    struct leat_text wire, back;

    (void)state;
    leat_text_init(&wire, 4096);
    leat_text_init(&back, 4096);
    leat_grpc_message_write("100% broken\r\n\xc3\xa4 ~", &wire);
    assert_string_equal(leat_text_get(&wire), "100%25 broken%0D%0A%C3%A4 ~");
    leat_grpc_message_read(leat_text_bytes(&wire), &back);
    assert_string_equal(leat_text_get(&back), "100% broken\r\n\xc3\xa4 ~");
    leat_text_clear(&back);
    leat_grpc_message_read(leat_bytes_str("50%, %zz %4"), &back);
    assert_string_equal(leat_text_get(&back), "50%, %zz %4");
    leat_text_done(&wire);
    leat_text_done(&back);
}

static void http_status_means(void **state)
{
    (void)state;
    assert_int_equal(leat_grpc_of_http(400), LEAT_GRPC_INTERNAL);
    assert_int_equal(leat_grpc_of_http(401), LEAT_GRPC_UNAUTHENTICATED);
    assert_int_equal(leat_grpc_of_http(404), LEAT_GRPC_UNIMPLEMENTED);
    assert_int_equal(leat_grpc_of_http(503), LEAT_GRPC_UNAVAILABLE);
    assert_int_equal(leat_grpc_of_http(500), LEAT_GRPC_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_round_trip),
        cmocka_unit_test(timeout_reads),
        cmocka_unit_test(timeout_is_never_shorter_when_written),
        cmocka_unit_test(message_round_trip),
        cmocka_unit_test(http_status_means),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
