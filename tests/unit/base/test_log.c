/* What the log writes, what it leaves out, and what it does not let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define WALL (INT64_C(1795273200) * LEAT_SEC + 42 * LEAT_MS) /* 2026-11-21T15:00:00.042Z */

static char path[64];
static char text[1 << 20];

static int setup(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    snprintf(path, sizeof path, "/tmp/leat-test-log-XXXXXX");
    close(mkstemp(path));
    leat_clock_fake(0, WALL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_log_close();
    leat_clock_real();
    unlink(path);
    return 0;
}

static void start(struct leat_log_conf conf)
{
    const char *const paths[] = {path};
    struct leat_err err;

    conf.paths = paths;
    conf.npaths = 1;
    assert_int_equal(leat_log_setup(&conf, &err), 0);
}

static const char *written(void)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);

    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void start_plain(enum leat_log_encoding encoding)
{
    start((struct leat_log_conf){.level = LEAT_LOG_DEBUG, .encoding = encoding});
}

static void console(void **state)
{
    (void)state;
    start_plain(LEAT_LOG_CONSOLE);
    leat_info("otlp/edge", "listening on %s", "localhost:4317");
    leat_error(NULL, "done");
    assert_string_equal(written(), "2026-11-21T15:00:00.042Z\tinfo\totlp/edge\tlistening on "
                                   "localhost:4317\n2026-11-21T15:00:00.042Z\terror\tleat\tdone\n");
}

static void json_and_fields(void **state)
{
    static const char *const fields[] = {"host", "a\"b", "zone", "x y"};

    (void)state;
    start((struct leat_log_conf){.encoding = LEAT_LOG_JSON, .fields = fields, .nfields = 2});
    leat_warn("kafka", "say \"hi\"\\\n");
    assert_string_equal(
        written(), "{\"ts\":\"2026-11-21T15:00:00.042Z\",\"level\":\"warn\",\"who\":\"kafka\","
                   "\"msg\":\"say \\\"hi\\\"\\\\\\n\",\"host\":\"a\\\"b\",\"zone\":\"x y\"}\n");
}

static void logfmt_and_fields(void **state)
{
    static const char *const fields[] = {"host", "ab", "the zone", "x y"};

    (void)state;
    start((struct leat_log_conf){.encoding = LEAT_LOG_LOGFMT, .fields = fields, .nfields = 2});
    leat_warn("kafka", "lost = %d", 3);
    assert_string_equal(written(), "ts=2026-11-21T15:00:00.042Z level=warn who=kafka "
                                   "msg=\"lost = 3\" host=ab the_zone=\"x y\"\n");
}

static void console_fields(void **state)
{
    static const char *const fields[] = {"host", "ab", "zone", "x"};

    (void)state;
    start((struct leat_log_conf){.fields = fields, .nfields = 2});
    leat_info("a", "b");
    assert_non_null(strstr(written(), "\tb\t{\"host\": \"ab\", \"zone\": \"x\"}\n"));
}

static void zones_are_said(void **state)
{
    (void)state;
    setenv("TZ", "XYZ-01:30", 1);
    tzset();
    start_plain(LEAT_LOG_CONSOLE);
    leat_info("a", "b");
    assert_non_null(strstr(written(), "2026-11-21T16:30:00.042+0130\tinfo"));
}

/* Whatever a peer sends, a message is one line of printable text. */
static void peers_cannot_forge_lines(void **state)
{
    static const char evil[] = "a\n2026-11-21T15:00:00.042Z\terror\tx\ty\r\033[2J\x01\x7f\xc2\x9b"
                               "31m\xff\xc3\xa9\xe2\x82";

    (void)state;
    for (int e = LEAT_LOG_CONSOLE; e <= LEAT_LOG_LOGFMT; e++) {
        size_t lines = 0;
        const char *p;
        start_plain((enum leat_log_encoding)e);
        leat_info(evil, "%s", evil);
        for (p = written(); *p; p++) {
            lines += *p == '\n';
            assert_true((unsigned char)*p >= ' ' || *p == '\n' || *p == '\t');
            assert_int_not_equal(*p, 0x7f);
        }
        assert_true(leat_bytes_utf8(leat_bytes_str(text)));
        assert_non_null(strstr(text, "\\u001b[2J\\u0001\\u007f\\u009b31m"));
        assert_non_null(strstr(text, "\xc3\xa9"));
        assert_int_equal(lines, (size_t)e + 1); /* outputs append */
    }
    assert_null(strstr(text, "15:00:00.042Z\terror"));
}

static void levels_are_kept(void **state)
{
    (void)state;
    start((struct leat_log_conf){.level = LEAT_LOG_WARN});
    assert_false(leat_log_enabled(LEAT_LOG_INFO));
    assert_true(leat_log_enabled(LEAT_LOG_WARN));
    leat_debug("a", "no");
    leat_info("a", "no");
    leat_warn("a", "yes");
    leat_error("a", "yes");
    assert_null(strstr(written(), "no"));
    assert_non_null(strstr(text, "warn\ta\tyes\n"));
    assert_non_null(strstr(text, "error\ta\tyes\n"));
    leat_log_close();
    assert_false(leat_log_enabled(LEAT_LOG_DEBUG));
    assert_true(leat_log_enabled(LEAT_LOG_INFO));
}

static void long_messages_are_cut(void **state)
{
    static char big[20000];
    static const char *const fields[] = {"last", "field"};

    (void)state;
    for (size_t i = 0; i + 3 < sizeof big; i += 3)
        memcpy(big + i, "\xe2\x82\xac", 3);
    start((struct leat_log_conf){.encoding = LEAT_LOG_JSON, .fields = fields, .nfields = 1});
    leat_info("a", "x%s", big);
    leat_info("a", "xx%s", big);
    leat_info("a", "xxx%s", big);
    memset(big, 1, sizeof big - 1); /* six characters each when escaped */
    leat_info("a", "%s", big);
    assert_true(leat_bytes_utf8(leat_bytes_str(written())));
    assert_null(strstr(text, "ufffd"));
    assert_true(strlen(text) < 4 * 16384);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_non_null(strstr(line, "…\",\"last\":\"field\"}"));
        assert_true(strlen(line) < 16384);
    }
}

static size_t count(const char *needle)
{
    size_t n = 0;

    for (const char *p = written(); (p = strstr(p, needle)) != NULL; p++)
        n++;
    return n;
}

static void sampling(void **state)
{
    (void)state;
    start((struct leat_log_conf){
        .sampling = true, .tick = 10 * LEAT_SEC, .initial = 10, .thereafter = 100});
    for (int i = 1; i <= 450; i++)
        leat_warn("statsd", "bad line %d", i);
    leat_warn("statsd", "another format %d", 1);
    assert_int_equal(count("bad line"), 14);
    assert_int_equal(count("bad line 110\n"), 1);
    assert_int_equal(count("bad line 410\n"), 1);
    assert_int_equal(count("another"), 1);
    leat_clock_step(10 * LEAT_SEC - 1);
    leat_warn("statsd", "bad line %d", 451);
    assert_int_equal(count("more messages"), 0);
    leat_clock_step(1);
    leat_info("otlp", "the next tick");
    assert_int_equal(count("warn\tstatsd\t437 more messages like this one in 10 s: bad line 451\n"),
                     1);
    assert_true(strstr(text, "437 more") < strstr(text, "the next tick"));
    leat_warn("statsd", "bad line %d", 452); /* counted anew */
    assert_int_equal(count("bad line 452"), 1);
    leat_clock_step(60 * LEAT_SEC);
    leat_info("otlp", "quiet");
    assert_int_equal(count("more messages"), 1);
}

static void the_rest_is_told_at_the_end(void **state)
{
    (void)state;
    start((struct leat_log_conf){.sampling = true, .tick = LEAT_SEC / 2, .initial = 1});
    for (int i = 0; i < 3; i++)
        leat_info("a", "again %d", i);
    leat_log_close();
    assert_int_equal(count("2 more messages like this one in 500 ms: again 2\n"), 1);
}

/* More formats than there is room for share one slot, and the log goes on. */
static void many_formats(void **state)
{
    static char formats[3000][8];

    (void)state;
    start((struct leat_log_conf){.sampling = true, .tick = LEAT_SEC, .initial = 2});
    for (int i = 0; i < 3000; i++) {
        snprintf(formats[i], 8, "f%d", i);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        leat_info("a", formats[i]);
#pragma GCC diagnostic pop
    }
    assert_in_range(count("\tf"), 384, 512);
    leat_clock_step(LEAT_SEC);
    leat_info("a", "next");
    assert_int_equal(count("more messages like this one in 1 s: f2999\n"), 1);
}

static void outputs_that_cannot_be_opened(void **state)
{
    const char *const paths[] = {path, "/nonexistent/leat.log"};
    struct leat_log_conf conf = {.level = LEAT_LOG_ERROR, .paths = paths, .npaths = 2};
    struct leat_err err;

    (void)state;
    start_plain(LEAT_LOG_CONSOLE);
    assert_int_equal(leat_log_setup(&conf, &err), -1);
    assert_string_equal(err.text, "cannot open /nonexistent/leat.log for the log: No such file or "
                                  "directory");
    leat_debug("a", "as before");
    assert_int_equal(count("as before"), 1);
}

static void *write_many(void *arg)
{
    for (int i = 0; i < 500; i++)
        leat_info("thread", "%s %d", (const char *)arg, i);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    static char said[] = "a longer message so that";
    pthread_t threads[4];
    size_t lines = 0;

    (void)state;
    start_plain(LEAT_LOG_CONSOLE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, said), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    written();
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_memory_equal(line, "2026-11-21T15:00:00.042Z\tinfo\tthread\ta longer message so ",
                            57);
        lines++;
    }
    assert_int_equal(lines, 2000);
}

static void nothing_is_allocated(void **state)
{
    uint64_t before;

    (void)state;
    start((struct leat_log_conf){.sampling = true, .tick = LEAT_SEC, .initial = 1});
    before = leat_mem_tries();
    for (int i = 0; i < 10; i++)
        leat_info("a", "b %d", i);
    assert_int_equal(leat_mem_tries(), before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(console),
        TEST(json_and_fields),
        TEST(logfmt_and_fields),
        TEST(console_fields),
        TEST(zones_are_said),
        TEST(peers_cannot_forge_lines),
        TEST(levels_are_kept),
        TEST(long_messages_are_cut),
        TEST(sampling),
        TEST(the_rest_is_told_at_the_end),
        TEST(many_formats),
        TEST(outputs_that_cannot_be_opened),
        TEST(lines_of_threads_do_not_mix),
        TEST(nothing_is_allocated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
