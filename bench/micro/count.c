/* One piece of work of the data path, a fixed number of times, to be counted in instructions.
 *
 * count CASE BODIES: CASE as in the table below, BODIES the folder of the payload files. What is
 * counted runs inside work(), which callgrind is told to look at; bench/micro/count.py does that.
 * No case depends on time or on chance. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/text.h"
#include "flow/batch.h"
#include "io/codec.h"
#include "proto/otlp_cut.h"
#include "proto/otlp_edit.h"
#include "proto/otlp_json.h"
#include "proto/otlp_view.h"
#include "proto/prom_feed.h"
#include "proto/prom_write.h"

#include "framing.h"

#define JOINED 400 /* requests in one batch */

static struct {
    const char *bodies;
    struct leat_buf *body, *packed;
    struct leat_bytes request;
    struct leat_codecs *codecs;
    enum leat_codec codec;
    enum leat_signal signal;
    enum leat_prom_message message;
} at;

static struct leat_buf *read_file(const char *name)
{
    char path[4096];
    struct leat_buf *b;
    long len;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", at.bodies, name);
    f = fopen(path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0) {
        fprintf(stderr, "count: cannot read %s\n", path);
        exit(1);
    }
    rewind(f);
    b = leat_buf_new(NULL, (size_t)len);
    LEAT_CHECK(b != NULL && fread(b->data, 1, (size_t)len, f) == (size_t)len);
    b->len = (size_t)len;
    fclose(f);
    return b;
}

/* --- the cases */

static void check(void)
{
    struct leat_otlp_count count;
    const char *why;

    LEAT_CHECK(leat_otlp_check(at.signal, at.request, &count, &why) == LEAT_OTLP_OK);
    LEAT_CHECK(count.items == 1000 || count.items == 20);
}

static void cut(void)
{
    struct leat_buf *head, *tail;

    LEAT_CHECK(leat_otlp_cut(at.signal, at.request, 499, NULL, &head, &tail) == 0);
    leat_buf_unref(head);
    leat_buf_unref(tail);
}

static void told(struct leat_ack *ack)
{
    LEAT_CHECK(ack->worst.outcome == LEAT_DELIVERED);
}

static void join(void)
{
    static struct leat_ack acks[JOINED];
    static struct leat_bytes pieces[JOINED];
    struct leat_batch *all = NULL;

    for (size_t i = 0; i < JOINED; i++) {
        struct leat_batch *b;
        leat_ack_init(&acks[i], told);
        b = leat_batch_new(LEAT_LOGS, leat_buf_ref(at.body), at.request, 20, &acks[i]);
        if (all == NULL)
            all = b;
        else
            LEAT_CHECK(leat_batch_join(all, b) == 0);
    }
    leat_batch_pieces(all, pieces);
    leat_batch_done(all, leat_delivered());
}

static void insert(struct leat_edit *edit, void *context)
{
    (void)context;
    leat_edit_insert(edit, leat_bytes_str("deployment.environment"),
                     leat_otlp_string(leat_bytes_str("production")));
}

static void update(struct leat_edit *edit, void *context)
{
    (void)context;
    leat_edit_update(edit, leat_bytes_str("http.route"),
                     leat_otlp_string(leat_bytes_str("/other")));
}

static void edit(leat_edit_fn *fn, enum leat_edit_place place)
{
    struct leat_buf *changed;

    LEAT_CHECK(leat_otlp_edit(at.signal, at.request, place, fn, NULL, NULL, &changed) ==
               LEAT_EDIT_CHANGED);
    leat_buf_unref(changed);
}

static void edit_resource(void)
{
    edit(insert, LEAT_EDIT_RESOURCE);
}

static void edit_insert(void)
{
    edit(insert, LEAT_EDIT_RECORD);
}

static void edit_update(void)
{
    edit(update, LEAT_EDIT_RECORD);
}

static void json_in(void)
{
    struct leat_otlp_count count;
    struct leat_buf *b;

    LEAT_CHECK(leat_otlp_from_json(LEAT_LOGS, at.request, NULL, &b, &count, NULL) == LEAT_JSON_OK);
    leat_buf_unref(b);
}

static void json_out(void)
{
    struct leat_text out;

    leat_text_init(&out, 16 << 20);
    leat_otlp_to_json(LEAT_LOGS, &at.request, 1, &out);
    LEAT_CHECK(out.len > at.request.len);
    leat_text_done(&out);
}

static void deflate(void)
{
    struct leat_buf *b;

    LEAT_CHECK(leat_deflate(at.codecs, at.codec, LEAT_LEVEL_DEFAULT, &at.request, 1, NULL, &b,
                            NULL) == LEAT_CODEC_OK);
    leat_buf_unref(b);
}

static void inflate(void)
{
    struct leat_buf *b;

    LEAT_CHECK(leat_inflate(at.codecs, at.codec, leat_bytes(at.packed->data, at.packed->len),
                            at.request.len, NULL, &b, NULL) == LEAT_CODEC_OK);
    leat_buf_unref(b);
}

/* Points to remote write; the first run has made all series known. */
static void prom(void)
{
    static struct leat_prom_feed_conf conf = {.target_info = true, .cache_bytes = 64 << 20};
    static struct leat_prom_feed *feeds[2];
    static struct leat_prom_write writers[2];
    struct leat_prom_write *w = &writers[at.message];
    struct leat_prom_item item;
    struct leat_bytes request;
    bool squeezed;

    if (feeds[at.message] == NULL) {
        conf.message = at.message;
        feeds[at.message] = leat_prom_feed_new(&conf);
        leat_prom_write_init(w, leat_prom_feed_store(feeds[at.message]), 64 << 20);
        if (at.message == LEAT_PROM_WRITE_1)
            leat_prom_write_squeeze(w);
    }
    leat_prom_feed_begin(feeds[at.message], at.request, 0);
    while (leat_prom_feed_next(feeds[at.message], &item) == LEAT_PROM_FEED_SAMPLE)
        LEAT_CHECK(leat_prom_write_add(w, item.series, &item.sample, &item.family) ==
                   LEAT_PROM_WRITE_OK);
    LEAT_CHECK(leat_prom_write_finish(w, &request, &squeezed) && w->series >= 1000);
    leat_prom_write_clear(w, true);
}

static void prom_1(void)
{
    at.message = LEAT_PROM_WRITE_1;
    prom();
}

static void prom_2(void)
{
    at.message = LEAT_PROM_WRITE_2;
    prom();
}

static const struct bench_case {
    const char *name, *file;
    enum leat_signal signal;
    enum leat_codec codec;
    void (*run)(void);
    unsigned times;
} cases[] = {
    {"view-logs", "logs-varied-1000.pb", LEAT_LOGS, 0, check, 10},
    {"view-spans", "spans-varied-1000.pb", LEAT_TRACES, 0, check, 10},
    {"view-points", "points-varied-1000.pb", LEAT_METRICS, 0, check, 10},
    {"view-logs-20", "logs-varied-20.pb", LEAT_LOGS, 0, check, 100},
    {"join", "logs-varied-20.pb", LEAT_LOGS, 0, join, 10},
    {"cut", "logs-varied-1000.pb", LEAT_LOGS, 0, cut, 10},
    {"edit-resource", "logs-varied-1000.pb", LEAT_LOGS, 0, edit_resource, 5},
    {"edit-insert", "logs-varied-1000.pb", LEAT_LOGS, 0, edit_insert, 5},
    {"edit-update", "logs-varied-1000.pb", LEAT_LOGS, 0, edit_update, 5},
    {"prom-1", "points-varied-1000.pb", LEAT_METRICS, 0, prom_1, 10},
    {"prom-2", "points-varied-1000.pb", LEAT_METRICS, 0, prom_2, 10},
    {"json-in", "logs-varied-1000.json", LEAT_LOGS, 0, json_in, 5},
    {"json-out", "logs-varied-1000.pb", LEAT_LOGS, 0, json_out, 5},
    {"gzip-in", "logs-varied-1000.pb", LEAT_LOGS, LEAT_CODEC_GZIP, inflate, 5},
    {"gzip-out", "logs-varied-1000.pb", LEAT_LOGS, LEAT_CODEC_GZIP, deflate, 5},
    {"zstd-in", "logs-varied-1000.pb", LEAT_LOGS, LEAT_CODEC_ZSTD, inflate, 5},
    {"zstd-out", "logs-varied-1000.pb", LEAT_LOGS, LEAT_CODEC_ZSTD, deflate, 5},
    {"snappy-out", "logs-varied-1000.pb", LEAT_LOGS, LEAT_CODEC_SNAPPY, deflate, 5},
    {"framing-grpc-20", "logs-varied-20.pb", LEAT_LOGS, 0, framing_run, 1},
    {"framing-http-20", "logs-varied-20.pb", LEAT_LOGS, 0, framing_run, 1},
};

/* Callgrind counts what happens in here. */
__attribute__((noinline)) void work(void (*run)(void), unsigned times);
__attribute__((noinline)) void work(void (*run)(void), unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        run();
}

static void run(const struct bench_case *c)
{
    bool framing = c->run == framing_run;

    at.signal = c->signal;
    at.codec = c->codec;
    at.body = read_file(c->file);
    at.request = leat_bytes(at.body->data, at.body->len);
    at.codecs = leat_codecs_new();
    if (c->codec != LEAT_CODEC_NONE && leat_codec_built(c->codec))
        LEAT_CHECK(leat_deflate(at.codecs, c->codec, LEAT_LEVEL_DEFAULT, &at.request, 1, NULL,
                                &at.packed, NULL) == LEAT_CODEC_OK);
    if (framing)
        framing_begin(strstr(c->name, "grpc") != NULL, at.request);
    else
        c->run(); /* contexts are made here, caches of the allocator filled */
    work(c->run, c->times);
    if (framing)
        framing_end();
    leat_buf_unref(at.packed);
    leat_buf_unref(at.body);
    leat_codecs_free(at.codecs);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            printf("%s %u\n", cases[i].name, cases[i].times);
        return argc == 1 ? 0 : 64;
    }
    at.bodies = argv[2];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, argv[1]) != 0)
            continue;
        run(&cases[i]);
        return 0;
    }
    fprintf(stderr, "count: no case %s\n", argv[1]);
    return 64;
}
