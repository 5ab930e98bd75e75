/* Any datagrams, into one table or another; merged, sent in chunks of any size: every chunk is a
 * request that passes the check, every sample that was taken is in a point or counted, and the two
 * ways of reading a line agree. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "proto/otlp_view.h"
#include "receivers/statsd_logs.h"
#include "receivers/statsd_settings.h"
#include "receivers/statsd_table.h"

#define FORMS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct leat_statsd_rules *rules[FORMS];
static struct leat_statsd_logs logs;
static struct leat_buf *out;

static void make_rules(void)
{
    static const char *bounds[] = {"0", "1", "10"};
    static struct leat_statsd_buckets_conf buckets = {"^[a-m]", {bounds, 3}};
    static struct leat_statsd_mapping_conf mapping[FORMS][3];

    for (int form = 0; form < FORMS; form++) {
        struct leat_statsd_conf conf = {
            .enable_metric_type = form & 1,
            .enable_simple_tags = form & 2,
            .counter_type = form % 3,
            .aggregation_cardinality_limit = form == 0 ? 3 : 100000,
            .has_timer_histogram_mapping = form != 1,
            .timer_histogram_mapping = {mapping[form], form == 3 ? 1 : 3},
        };
        for (int i = 0; i < 3; i++) {
            mapping[form][i] = (struct leat_statsd_mapping_conf){
                .statsd_type = i == 0 ? 0 : i + 1,
                .observer_type = (form + i) % 4,
                .histogram = {.max_size = form == 2 ? 2 : 160, .explicit_buckets = {&buckets, 1}},
            };
        }
        rules[form] = leat_statsd_rules_new(&conf, NULL);
        LEAT_CHECK(rules[form] != NULL);
    }
    out = leat_buf_new(NULL, LEAT_STATSD_CHUNK_MIN);
    leat_statsd_logs_init(&logs, 1 << 20, true);
}

static void take(void *arg, const struct leat_statsd_source *from,
                 const struct leat_statsd_notice *notice)
{
    struct leat_otlp_count count;
    struct leat_bytes request;
    const char *why;

    (void)arg;
    LEAT_CHECK(leat_statsd_logs_add(&logs, notice, from->now) == 0);
    request = leat_statsd_logs_end(&logs);
    LEAT_CHECK(leat_otlp_check(LEAT_LOGS, request, &count, &why) == LEAT_OTLP_OK);
    LEAT_CHECK(count.items == 1);
    leat_statsd_logs_clear(&logs);
}

/* A copy of its own size, so that a byte too many is seen. */
static void feed(struct leat_statsd_table *t, uint8_t client, const uint8_t *data, size_t len)
{
    struct leat_statsd_source from = {
        .client = {[3] = client}, .now = 1700000000000000000 + client, .notice = take};
    uint8_t *copy = malloc(len != 0 ? len : 1);

    if (len != 0)
        memcpy(copy, data, len);
    leat_statsd_table_feed(t, &from, leat_bytes(copy, len));
    free(copy);
}

static void pass(struct leat_statsd_table *t, uint32_t max)
{
    struct leat_statsd_chunk chunk;
    struct leat_otlp_count count;
    const char *why;

    leat_statsd_table_begin(t);
    for (;;) {
        out->len = 0;
        leat_statsd_table_encode(t, 1700000001000000000, max, out, &chunk);
        if (chunk.points == 0)
            return;
        LEAT_CHECK(leat_otlp_check(LEAT_METRICS, leat_bytes(out->data, out->len), &count, &why) ==
                   LEAT_OTLP_OK);
        LEAT_CHECK(count.items == chunk.points);
        LEAT_CHECK(max == 0 || chunk.points <= max);
    }
}

/* A line reads the same with much behind it, where it goes the short way, as without. */
static void both_ways(const uint8_t *data, size_t len)
{
    static struct leat_statsd_reader r;
    uint64_t faults[2][LEAT_STATSD_FAULTS] = {{0}};
    struct leat_statsd_line line[2];
    const uint8_t *feed_at = len != 0 ? memchr(data, '\n', len) : NULL;
    uint32_t n[2];
    uint8_t *copy;

    len = feed_at != NULL ? (size_t)(feed_at - data) : len;
    copy = malloc(len + 64);
    memcpy(copy, data, len);
    memset(copy + len, '\n', 64);
    for (int i = 0; i < 2; i++) {
        leat_statsd_begin(&r, leat_bytes(copy, i == 0 ? len + 64 : len), faults[i]);
        n[i] = leat_statsd_read(&r, &line[i], 1);
        LEAT_CHECK(n[i] == 0 || line[i].tail_len <= LEAT_STATSD_TAIL_MAX);
    }
    LEAT_CHECK(n[0] == n[1] && memcmp(faults[0], faults[1], sizeof faults[0]) == 0);
    if (n[0] == 1 && (line[0].flags & LEAT_STATSD_NOTICE) == 0) {
        LEAT_CHECK(line[0].type == line[1].type && line[0].name_len == line[1].name_len);
        LEAT_CHECK(line[0].values_end - line[0].values == line[1].values_end - line[1].values);
        LEAT_CHECK(line[0].tail_len == line[1].tail_len && line[0].weight == line[1].weight);
        if (line[0].type != LEAT_STATSD_SET)
            LEAT_CHECK(line[0].flags == line[1].flags &&
                       ((line[0].flags & LEAT_STATSD_SKIP) != 0 || line[0].value == line[1].value));
    }
    free(copy);
}

/* A byte that says what to do, then datagrams, each behind a byte for the client and the table. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leat_statsd_table *t[2];
    unsigned form, lines = 0;

    if (out == NULL)
        make_rules();
    if (size < 2)
        return 0;
    both_ways(data + 2, size - 2);
    form = data[0] % FORMS;
    for (int i = 0; i < 2; i++)
        t[i] = leat_statsd_table_new(rules[form], NULL, 1699999999000000000);
    for (size_t at = 1; at < size;) {
        uint8_t what = data[at++];
        const uint8_t *end = at < size ? memchr(data + at, 0, size - at) : NULL;
        size_t len = end != NULL ? (size_t)(end - data) - at : size - at;
        if (what % 16 == 3)
            leat_statsd_table_merge(t[0], t[1], 1700000000000000000 + (int64_t)lines);
        if (what % 16 == 5)
            pass(t[0], what / 16);
        feed(t[what & 1], what / 64, data + at, len);
        lines++;
        at += len + 1;
    }
    leat_statsd_table_merge(t[0], t[1], 1700000000000000000);
    for (int i = 0; i < 2; i++) {
        LEAT_CHECK(leat_statsd_table_series(t[i]) <= (form == 0 ? 3U : 100000U));
        LEAT_CHECK(leat_statsd_table_bytes(t[i]) <= leat_statsd_table_bound(t[i]));
    }
    LEAT_CHECK(leat_statsd_table_idle(t[1]));
    pass(t[0], data[0] / 16);
    for (int i = 0; i <= LEAT_STATSD_GAUGE_PASSES; i++) {
        leat_statsd_table_merge(t[0], t[1], 1700000000000000000); /* brings nothing */
        pass(t[0], 0);
    }
    LEAT_CHECK(leat_statsd_table_series(t[1]) == 0);
    LEAT_CHECK(leat_statsd_table_series(t[0]) == 0);
    leat_statsd_table_free(t[0]);
    leat_statsd_table_free(t[1]);
    return 0;
}
