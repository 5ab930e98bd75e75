/* Events and service checks as log records. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lib/statsd_help.h"
#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "proto/otlp_view.h"
#include "receivers/statsd_logs.h"

typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceRequest request;
typedef Opentelemetry__Proto__Logs__V1__LogRecord record;

static char text[65536];

static void put_record(const record *r)
{
    size_t at = strlen(text);

    at += (size_t)snprintf(
        text + at, sizeof text - at, "%" PRIu64 " %d%s%s [%s] %s", r->time_unix_nano / 1000000000,
        (int)r->severity_number, r->severity_text != NULL ? " " : "",
        r->severity_text != NULL ? r->severity_text : "", r->body->string_value, r->event_name);
    assert_int_equal(r->observed_time_unix_nano, STATSD_NOW);
    for (size_t i = 0; i < r->n_attributes; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, " %s=%s", r->attributes[i]->key,
                               r->attributes[i]->value->string_value);
    snprintf(text + at, sizeof text - at, "\n");
}

/* The request as text. */
static const char *show(struct leat_statsd_logs *l, uint32_t records)
{
    struct leat_bytes b = leat_statsd_logs_end(l);
    struct leat_otlp_count count;
    const char *why;
    request *req;

    assert_int_equal(leat_otlp_check(LEAT_LOGS, b, &count, &why), LEAT_OTLP_OK);
    assert_int_equal(count.items, records);
    assert_int_equal(l->records, records);
    req = opentelemetry__proto__collector__logs__v1__export_logs_service_request__unpack(
        NULL, b.len, b.data);
    assert_non_null(req);
    assert_string_equal(req->resource_logs[0]->scope_logs[0]->scope->name, LEAT_STATSD_SCOPE);
    text[0] = '\0';
    for (size_t i = 0; i < req->resource_logs[0]->scope_logs[0]->n_log_records; i++)
        put_record(req->resource_logs[0]->scope_logs[0]->log_records[i]);
    opentelemetry__proto__collector__logs__v1__export_logs_service_request__free_unpacked(req,
                                                                                          NULL);
    return text;
}

static void take(void *arg, const struct leat_statsd_source *from,
                 const struct leat_statsd_notice *notice)
{
    assert_int_equal(leat_statsd_logs_add(arg, notice, from->now), 0);
}

/* Through a table, as the receiver does it. */
static void test_records(void **state)
{
    struct statsd_rig r = {.now = 0};
    struct leat_statsd_logs l;
    struct leat_statsd_source from = {.now = STATSD_NOW, .notice = take, .arg = &l};

    (void)state;
    statsd_open(&r);
    leat_statsd_logs_init(&l, 65536, false);
    assert_int_equal(leat_statsd_logs_end(&l).len, 0);
    leat_statsd_table_feed(
        r.t, &from,
        leat_bytes_str("_e{5,11}:title|one\\ntwo\xff\\x|d:17|h:web|k:key|p:low|s:src|t:error|#b:2,"
                       "a:1,simple|c:id\na:1|c\n"
                       "_e{1,0}:t|\n_e{1,1}:a|b|t:warning|#container.id:x\n"
                       "_sc|disk|2|h:db|#a:1|m:it is full\\nindeed\n_sc|disk|0|d:18\n_sc|disk|3"));
    assert_string_equal(
        show(&l, 6),
        "17 17 ERROR [title] datadog.event event.name=datadog.event "
        "event.text=one\ntwo\xef\xbf\xbd\\x event.aggregation_key=key event.priority=low "
        "event.source_type=src event.alert_type=error host.name=web a=1 b=2 container.id=id\n"
        "1700000000 9 INFO [t] datadog.event event.name=datadog.event event.priority=normal "
        "event.alert_type=info\n"
        "1700000000 13 WARN [a] datadog.event event.name=datadog.event event.text=b "
        "event.priority=normal event.alert_type=warning container.id=x\n"
        "1700000000 17 ERROR [it is full\nindeed] datadog.service_check "
        "event.name=datadog.service_check service_check.name=disk "
        "service_check.status=critical host.name=db a=1\n"
        "18 9 INFO [disk] datadog.service_check event.name=datadog.service_check "
        "service_check.name=disk service_check.status=ok\n"
        "1700000000 0 [disk] datadog.service_check event.name=datadog.service_check "
        "service_check.name=disk service_check.status=unknown\n");
    assert_int_equal(leat_statsd_table_stats(r.t)->notices, 6);
    assert_int_equal(leat_statsd_table_stats(r.t)->drops[LEAT_STATSD_DROP_EVENT], 0);
    leat_statsd_logs_clear(&l);
    leat_statsd_table_feed(r.t, &from, leat_bytes_str("_sc|x|0"));
    assert_non_null(strstr(show(&l, 1), "[x]"));
    leat_statsd_logs_done(&l);
    statsd_done(&r);
}

/* A request that is full refuses a record and stays whole; so without memory. */
static void test_full(void **state)
{
    const struct leat_statsd_notice n = {.check = true, .name = leat_bytes_str("name")};
    struct leat_statsd_logs l;
    uint32_t records = 0;

    (void)state;
    leat_statsd_logs_init(&l, 2000, false);
    for (int round = 0; round < 3; round++) {
        records = 0;
        while (leat_statsd_logs_add(&l, &n, STATSD_NOW) == 0)
            records++;
        assert_in_range(records, 8, 20);
        show(&l, records);
        leat_statsd_logs_clear(&l);
    }
    leat_statsd_logs_done(&l);
    for (uint64_t nth = 1; nth < 8; nth++) {
        leat_statsd_logs_init(&l, 2000, false);
        leat_mem_fail_at(nth);
        records = 0;
        for (int i = 0; i < 5; i++)
            records += leat_statsd_logs_add(&l, &n, STATSD_NOW) == 0;
        leat_mem_fail_at(0);
        assert_in_range(records, 4, 5);
        show(&l, records);
        leat_statsd_logs_done(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
