/* Nanoseconds per log record for OTLP/JSON in and out: 1000 records of 8 attributes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/otlp_json.h"
#include "proto/otlp_view.h"

#include <time.h>

#define LOGS   1000
#define ROUNDS 300

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make_log(struct leat_text *t, int i)
{
    leat_text_printf(t,
                     "{\"timeUnixNano\":\"17000000001%08d\",\"observedTimeUnixNano\":"
                     "\"17000000001%08d\",\"severityNumber\":9,\"severityText\":\"INFO\","
                     "\"body\":{\"stringValue\":\"GET /api/v1/orders/%d answered in %d ms\"},"
                     "\"attributes\":[",
                     i, i + 7, 100000 + i, i % 100);
    leat_text_printf(t,
                     "{\"key\":\"http.request.method\",\"value\":{\"stringValue\":\"GET\"}},"
                     "{\"key\":\"url.path\",\"value\":{\"stringValue\":\"/api/v1/orders/%d\"}},"
                     "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"200\"}},"
                     "{\"key\":\"thread.id\",\"value\":{\"intValue\":\"%d\"}},",
                     100000 + i, i % 64);
    leat_text_printf(t,
                     "{\"key\":\"duration\",\"value\":{\"doubleValue\":%d.25}},"
                     "{\"key\":\"cache.hit\",\"value\":{\"boolValue\":true}},"
                     "{\"key\":\"user.id\",\"value\":{\"stringValue\":\"u-%08d\"}},"
                     "{\"key\":\"region\",\"value\":{\"stringValue\":\"eu-west-1\"}}],"
                     "\"traceId\":\"5b8efff798038103d269b633813fc60c\","
                     "\"spanId\":\"eee19b7ec3c1b174\"}",
                     i % 100, i * 7);
}

static void make_request(struct leat_text *t)
{
    leat_text_str(t, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
                     "\"value\":{\"stringValue\":\"shop\"}}]},\"scopeLogs\":[{\"scope\":{\"name\":"
                     "\"bench\"},\"logRecords\":[");
    for (int i = 0; i < LOGS; i++) {
        if (i > 0)
            leat_text_char(t, ',');
        make_log(t, i);
    }
    leat_text_str(t, "]}]}]}");
}

static double from_json(struct leat_bytes json, struct leat_buf **ret)
{
    struct leat_otlp_count count;
    struct leat_err err;
    double best = 1e18;

    *ret = NULL;
    for (int i = 0; i < ROUNDS; i++) {
        double start = cpu_now();
        leat_buf_unref(*ret);
        if (leat_otlp_from_json(LEAT_LOGS, json, NULL, ret, &count, &err) != LEAT_JSON_OK ||
            count.items != LOGS) {
            fprintf(stderr, "bench_json: %s\n", err.text);
            exit(1);
        }
        start = cpu_now() - start;
        best = start < best ? start : best;
    }
    return best / LOGS;
}

static double to_json(struct leat_bytes request, struct leat_text *out)
{
    double best = 1e18;

    for (int i = 0; i < ROUNDS; i++) {
        double start = cpu_now();
        leat_text_clear(out);
        leat_otlp_to_json(LEAT_LOGS, &request, 1, out);
        start = cpu_now() - start;
        best = start < best ? start : best;
    }
    return best / LOGS;
}

int main(void)
{
    struct leat_text json, out;
    struct leat_buf *buf;
    double in_ns, out_ns;

    leat_text_init(&json, 16 << 20);
    leat_text_init(&out, 16 << 20);
    make_request(&json);
    in_ns = from_json(leat_text_bytes(&json), &buf);
    out_ns = to_json(leat_bytes(buf->data, buf->len), &out);
    printf("from_json: %.0f ns per log (%zu bytes of JSON, %zu of protobuf)\n", in_ns,
           json.len / LOGS, buf->len / LOGS);
    printf("to_json:   %.0f ns per log (%zu bytes of JSON)\n", out_ns, out.len / LOGS);
    leat_buf_unref(buf);
    leat_text_done(&json);
    leat_text_done(&out);
    return 0;
}
