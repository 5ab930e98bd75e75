/* The page over HTTP: whole, in pieces, and cut where it must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "exporters/prom_page.h"
#include "lib/io_server.h"
#include "lib/prom_help.h"

static struct scrape_rig rig;
static struct leat_loop *loop;
static struct leat_scrape_page *page;
static struct io_raw r;
static unsigned expired;

static const struct leat_server_conf server = {.endpoint = "127.0.0.1:0",
                                               .transport = "tcp",
                                               .keep_alives_enabled = true,
                                               .write_timeout = 3600 * LEAT_SEC};

static void expire(void *arg)
{
    (void)arg;
    expired++;
    leat_scrape_store_expire(rig.store);
}

static int setup(void **state)
{
    struct leat_scrape_page_conf conf = {
        .server = &server, .expire = expire, .every = 10 * LEAT_SEC};
    struct leat_server_env env = {.who = "page", .keep_headers = true};
    struct leat_err err = {""};
    unsigned port;

    (void)state;
    scrape_rig_init(&rig);
    rig.conf.max_series = 100000;
    rig.conf.expiration = 360 * LEAT_SEC;
    rig.conf.max_bytes = (size_t)60 << 20;
    scrape_rig_start(&rig);
    expired = 0;
    env.loop = loop = leat_loop_new(&err);
    page = leat_scrape_page_new(&conf, &env, rig.store, &err);
    assert_non_null(page);
    assert_int_equal(sscanf(leat_scrape_page_text(page), "127.0.0.1:%u", &port), 1);
    io_raw_open(&r, (uint16_t)port);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    io_raw_done(&r);
    leat_scrape_page_free(page);
    leat_loop_free(loop);
    scrape_rig_done(&rig);
    return 0;
}

#define UNTIL(cond)                                                                                \
    do {                                                                                           \
        while (leat_loop_turn(loop), io_raw_poll(&r), !(cond))                                     \
            ;                                                                                      \
    } while (0)

static void fill(unsigned n)
{
    char value[16];

    for (unsigned i = 0; i < n; i++) {
        snprintf(value, sizeof value, "%u", i);
        scrape_rig_gauge(&rig, i % 2 ? "odd" : "even", "n", value, 10, i);
    }
}

static void a_page(void **state)
{
    (void)state;
    fill(3);
    io_raw_text(&r, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(io_raw_has(&r, "\r\n0\r\n\r\n"));
    assert_int_equal(expired, 1);
    assert_int_equal(io_raw_count(&r, "\neven{"), 2);
    assert_int_equal(io_raw_count(&r, "\nodd{"), 1);
    assert_int_equal(io_raw_count(&r, "# TYPE "), 3);
    leat_text_clear(&r.in);
    io_raw_text(&r, "GET /metrics?match[]=odd HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(io_raw_has(&r, "\r\n0\r\n\r\n"));
    assert_int_equal(io_raw_count(&r, "# TYPE "), 1);
    leat_text_clear(&r.in);
    leat_clock_step(400 * LEAT_SEC); /* all has expired by the timer, or by the scrape */
    io_raw_text(&r, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(io_raw_has(&r, "\r\n0\r\n\r\n") || r.closed);
    assert_int_equal(io_raw_count(&r, "# TYPE "), 0);
    assert_int_equal(leat_scrape_store_series(rig.store), 0);
}

/* A selector that chooses little of much must look at all of it, in turns. */
static void a_needle(void **state)
{
    (void)state;
    fill(20000);
    io_raw_text(&r, "GET /metrics?match[]=%7Bn=~%22199.9%22%7D HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(io_raw_has(&r, "\r\n0\r\n\r\n"));
    assert_int_equal(io_raw_count(&r, "\nodd{"), 10);
    assert_int_equal(io_raw_count(&r, "# TYPE "), 1);
}

static void who_dawdles_loses_the_place(void **state)
{
    (void)state;
    fill(60000);
    io_raw_text(&r, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(r.in.len > 100000);
    assert_false(io_raw_has(&r, "\r\n0\r\n\r\n"));
    leat_clock_step(299 * LEAT_SEC);
    leat_loop_turn(loop);
    assert_false(r.closed);
    leat_clock_step(2 * LEAT_SEC);
    UNTIL(r.closed);
    assert_false(io_raw_has(&r, "\r\n0\r\n\r\n"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_page),
        T(a_needle),
        T(who_dawdles_loses_the_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
