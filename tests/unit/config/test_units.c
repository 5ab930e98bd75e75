/* Durations, sizes and numbers as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/units.h"

#define US 1000LL
#define MS (1000 * US)
#define S  (1000 * MS)
#define M  (60 * S)
#define H  (60 * M)

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"+0", 0},
        {"-0", 0},
        {"0s", 0},
        {"5s", 5 * S},
        {"+5s", 5 * S},
        {"-5s", -5 * S},
        {"1h30m", 90 * M},
        {"1m30s", 90 * S},
        {"1.5s", 1500 * MS},
        {".5s", 500 * MS},
        {"1.s", S},
        {"100us", 100 * US},
        {"100\xc2\xb5s", 100 * US},
        {"100\xce\xbcs", 100 * US},
        {"7ns", 7},
        {"-1.5h", -90 * M},
        {"3h2m1.5s", 3 * H + 2 * M + 1500 * MS},
        {"0.3333333333333333333h", 20 * M},
        {"0.9223372036854775807h", 3320413933267},
        {"9223372036854775807ns", INT64_MAX},
        {"-9223372036854775808ns", INT64_MIN},
        {"0.100000000000000000000h", 6 * M},
    };
    static const char *const bad[] = {
        "",         "5",    "-",     "s",        ".",
        "-.",       ".s",   "+.s",   "1d",       "1.5",
        "1 s",      " 1s",  "1s ",   "5S",       "1h30",
        "1.5.5s",   "1..s", "10sec", "1e3s",     "9223372036854775808ns",
        "3000000h", "- 5s", "--5s",  "2562048h", "9223372036854775.808us"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ns = -1;
        if (leat_parse_duration(good[i].text, &ns) != 0 || ns != good[i].ns)
            fail_msg("'%s': %lld, expected %lld", good[i].text, (long long)ns,
                     (long long)good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ns;
        if (leat_parse_duration(bad[i], &ns) == 0)
            fail_msg("'%s' was taken as %lld", bad[i], (long long)ns);
    }
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"1048576", 1048576},
        {"64KiB", 65536},
        {"64K", 65536},
        {"64k", 65536},
        {"64Ki", 65536},
        {"20MiB", 20971520},
        {"20 MiB", 20971520},
        {"2GB", 2000000000},
        {"1.5GiB", 1610612736},
        {"512B", 512},
        {"0.5K", 512},
        {"1T", UINT64_C(1) << 40},
        {"18446744073709551615", UINT64_MAX},
        {"16777215TiB", UINT64_C(16777215) << 40},
        {"16777215.999999TiB",
         (UINT64_C(16777215) << 40) + UINT64_C(999999) * (UINT64_C(1) << 40) / 1000000},
    };
    static const char *const bad[] = {
        "",          "-1",   "MiB",   "1.MiB",       ".5M",
        "1X",        "1 X",  "1KiBs", "1e3",         " 1",
        "0x10",      "1Kb ", "1iB",   "16777216TiB", "18446744073709551616",
        "1.1234567M"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t bytes = 1;
        if (leat_parse_size(good[i].text, &bytes) != 0 || bytes != good[i].bytes)
            fail_msg("'%s': %llu", good[i].text, (unsigned long long)bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t bytes;
        if (leat_parse_size(bad[i], &bytes) == 0)
            fail_msg("'%s' was taken", bad[i]);
    }
}

static void whole_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},           {"-0", 0},
        {"42", 42},         {"+42", 42},
        {"-42", -42},       {"0x1F", 31},
        {"0o17", 15},       {"0b101", 5},
        {"0750", 488},      {"1_000_000", 1000000},
        {"-0x10", -16},     {"9223372036854775807", INT64_MAX},
        {"0x7f_ff", 32767}, {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "1.0",
                                      "1e3",
                                      "089",
                                      "0x",
                                      "0xg",
                                      "0b2",
                                      "1_",
                                      "_1",
                                      "1__0",
                                      "a",
                                      "1 ",
                                      " 1",
                                      "--1",
                                      "0x_1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t v = 1;
        if (leat_parse_int(good[i].text, &v) != 0 || v != good[i].value)
            fail_msg("'%s': %lld", good[i].text, (long long)v);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t v;
        if (leat_parse_int(bad[i], &v) == 0)
            fail_msg("'%s' was taken as %lld", bad[i], (long long)v);
    }
}

static void floats_and_bools(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0.5", 0.5},  {"1e3", 1000}, {"-1.5E-1", -0.15}, {"7", 7},
                {".25", 0.25}, {"3.", 3},     {"0x10", 16},       {"1_000", 1000}};
    static const char *const bad[] = {"",      "inf",   ".inf", "nan", "1e",   "e3",
                                      "0x1p3", "1e999", "1 ",   ".",   "1.2.3"};
    double v;
    int b;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(leat_parse_float(good[i].text, &v), 0);
        assert_true(v == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (leat_parse_float(bad[i], &v) == 0)
            fail_msg("'%s' was taken as %g", bad[i], v);
    }
    assert_true(leat_parse_bool("True", &b) == 0 && b == 1);
    assert_true(leat_parse_bool("FALSE", &b) == 0 && b == 0);
    assert_int_equal(leat_parse_bool("yes", &b), -1);
    assert_int_equal(leat_parse_bool("tRUE", &b), -1);
    assert_int_equal(leat_parse_bool("", &b), -1);
}

static void back_to_words(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } durations_out[] = {{0, "0s"},
                         {5 * S, "5s"},
                         {90 * M, "1h30m"},
                         {90 * S, "1m30s"},
                         {1500 * MS, "1.5s"},
                         {200 * MS, "200ms"},
                         {1500 * US, "1.5ms"},
                         {-2 * MS, "-2ms"},
                         {7, "7ns"},
                         {H + 1, "1h0.000000001s"},
                         {INT64_MAX, "2562047h47m16.854775807s"},
                         {INT64_MIN, "-2562047h47m16.854775808s"}};
    char out[40];

    (void)state;
    for (size_t i = 0; i < sizeof durations_out / sizeof durations_out[0]; i++) {
        int64_t back = 1;
        assert_string_equal(leat_format_duration(durations_out[i].ns, out, sizeof out),
                            durations_out[i].text);
        assert_int_equal(leat_parse_duration(out, &back), 0);
        assert_true(back == durations_out[i].ns);
    }
    assert_string_equal(leat_format_duration(90 * M, out, 4), "1h3");
    assert_string_equal(leat_format_size(0, out, sizeof out), "0");
    assert_string_equal(leat_format_size(1000, out, sizeof out), "1000");
    assert_string_equal(leat_format_size(65536, out, sizeof out), "64KiB");
    assert_string_equal(leat_format_size(20971520, out, sizeof out), "20MiB");
    assert_string_equal(leat_format_size(UINT64_C(1) << 50, out, sizeof out), "1024TiB");
}

static void percentages(void **state)
{
    static const char *const wrong[] = {"",     "%",    "40",  "40 %",   " 5%",  "5%%",
                                        "0%",   "0.0%", "-1%", "100.1%", "1e1%", "0x10%",
                                        "inf%", "nan%", "+5%", "1.2.3%", ".%"};
    double v;

    (void)state;
    assert_int_equal(leat_parse_percent("40%", &v), 0);
    assert_true(v == 40);
    assert_int_equal(leat_parse_percent("12.5%", &v), 0);
    assert_true(v == 12.5);
    assert_int_equal(leat_parse_percent("100%", &v), 0);
    assert_true(v == 100);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (leat_parse_percent(wrong[i], &v) == 0)
            print_error("'%s' was taken as %g\n", wrong[i], v);
        assert_int_equal(leat_parse_percent(wrong[i], &v), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),     cmocka_unit_test(sizes),
        cmocka_unit_test(whole_numbers), cmocka_unit_test(floats_and_bools),
        cmocka_unit_test(back_to_words), cmocka_unit_test(percentages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
