/* OTLP metrics in, messages of remote write out. */
#include "exporters/prw_encode.h"

#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "proto/prom_feed.h"

#define NAMES_MAX ((size_t)1024 * 1024) /* bytes of names of external labels */

_Static_assert(LEAT_PROM_DROPS <= LEAT_PRW_DROPS, "each reason has a counter");

struct leat_prw_encoder {
    struct leat_prom_feed_conf conf;
    struct leat_prom_feed *feed;
    struct leat_prom_item item;
    enum leat_prw_item_kind kind;
    uint32_t messages;
    size_t max_message;
    bool squeeze;
    struct leat_prom_write *write; /* one for each message */
    struct leat_prw_label *external_labels;
    uint32_t nexternal_labels;
    struct leat_prom_label *labels;
    struct leat_text names;
};

/* --- life */

/* "__name" stays as it is: what begins so is for those who know why. */
static bool label_name(struct leat_bytes key, bool utf8, struct leat_text *out)
{
    size_t len = out->len;

    if (utf8)
        return leat_prom_label_name(LEAT_PROM_LABEL_UTF8, key, out);
    if (key.len <= 2 || memcmp(key.data, "__", 2) != 0)
        return leat_prom_label_name(LEAT_PROM_LABEL_WRITE, key, out);
    leat_text_str(out, "__");
    if (leat_prom_label_name(LEAT_PROM_LABEL_PAGE, leat_bytes(key.data + 2, key.len - 2), out))
        return true;
    out->len = len;
    return false;
}

/* For the message that is written now. */
static int make_labels(struct leat_prw_encoder *e, struct leat_err *err)
{
    const struct leat_prw_label *given = e->external_labels;
    uint32_t count = e->nexternal_labels;
    size_t at = 0;

    leat_text_clear(&e->names);
    for (uint32_t i = 0; i < count; i++) {
        size_t before = e->names.len;
        if (!label_name(leat_bytes_str(given[i].name), e->conf.labels.utf8, &e->names))
            return leat_fail(err, "external_labels: no label can be called '%s'", given[i].name);
        e->labels[i].name.len = e->names.len - before;
        e->labels[i].value = leat_bytes_str(given[i].value);
    }
    for (uint32_t i = 0; i < count; at += e->labels[i++].name.len)
        e->labels[i].name.data = (const uint8_t *)leat_text_get(&e->names) + at;
    e->conf.labels.constants = e->labels;
    e->conf.labels.constant_count = count;
    return 0;
}

/* A message of 2.0 may have to become one of 1.0. */
static int check_labels(struct leat_prw_encoder *e, struct leat_err *err)
{
    bool utf8 = e->conf.labels.utf8;
    int rc;

    e->conf.labels.utf8 = false;
    rc = make_labels(e, err);
    e->conf.labels.utf8 = utf8;
    return rc;
}

static struct leat_prom_feed_conf feed_conf(const struct leat_prw_encode_conf *conf)
{
    enum leat_prom_strategy strategy = (enum leat_prom_strategy)conf->strategy;

    return (struct leat_prom_feed_conf){
        .message = conf->v2 ? LEAT_PROM_WRITE_2 : LEAT_PROM_WRITE_1,
        .naming = {.strategy = strategy, .namespace = leat_bytes_str(conf->namespace)},
        .labels = {.utf8 = leat_prom_strategy_is_utf8(strategy),
                   .no_scope = conf->no_scope,
                   .resource = conf->resource,
                   .exclude_service = conf->exclude_service},
        .map = {.custom_buckets = conf->custom_buckets, .keep_classic = conf->keep_classic},
        .target_info = conf->target_info,
        .metadata = conf->metadata || conf->v2,
        .cache_bytes = conf->cache_bytes,
    };
}

static void open_feed(struct leat_prw_encoder *e)
{
    e->feed = leat_prom_feed_new(&e->conf);
    for (uint32_t i = 0; i < e->messages; i++) {
        leat_prom_write_init(&e->write[i], leat_prom_feed_store(e->feed), e->max_message);
        if (e->squeeze && !leat_prw_encoder_is_v2(e))
            leat_prom_write_squeeze(&e->write[i]);
    }
}

static void close_feed(struct leat_prw_encoder *e)
{
    for (uint32_t i = 0; i < e->messages && e->feed != NULL; i++)
        leat_prom_write_done(&e->write[i]);
    leat_prom_feed_free(e->feed);
    e->feed = NULL;
}

struct leat_prw_encoder *leat_prw_encoder_new(const struct leat_prw_encode_conf *conf,
                                              struct leat_err *err)
{
    struct leat_prw_encoder *e = leat_new(sizeof *e);

    e->conf = feed_conf(conf);
    e->messages = conf->messages;
    e->max_message = conf->max_message;
    e->squeeze = conf->squeeze;
    leat_text_init(&e->names, NAMES_MAX);
    e->write = leat_new_array(e->messages, sizeof *e->write);
    e->nexternal_labels = conf->nexternal_labels;
    e->external_labels = leat_new_array(e->nexternal_labels + 1, sizeof *e->external_labels);
    for (uint32_t i = 0; i < e->nexternal_labels; i++)
        e->external_labels[i] = conf->external_labels[i];
    e->labels = leat_new_array(e->nexternal_labels + 1, sizeof *e->labels);
    if (check_labels(e, err) != 0 || make_labels(e, err) != 0) {
        leat_prw_encoder_free(e);
        return NULL;
    }
    open_feed(e);
    return e;
}

void leat_prw_encoder_free(struct leat_prw_encoder *e)
{
    if (e == NULL)
        return;
    close_feed(e);
    leat_text_done(&e->names);
    leat_free(e->labels);
    leat_free(e->external_labels);
    leat_free(e->write);
    leat_free(e);
}

bool leat_prw_encoder_is_v2(const struct leat_prw_encoder *e)
{
    return e->conf.message == LEAT_PROM_WRITE_2;
}

/* 1.0 has neither UTF-8 in names nor custom buckets. */
void leat_prw_encoder_fall(struct leat_prw_encoder *e)
{
    struct leat_prom_feed_conf *c = &e->conf;

    close_feed(e);
    c->message = LEAT_PROM_WRITE_1;
    c->map.custom_buckets = false;
    c->labels.utf8 = false;
    if (leat_prom_strategy_is_utf8(c->naming.strategy))
        c->naming.strategy =
            c->naming.strategy == LEAT_PROM_UTF8 ? LEAT_PROM_ESCAPE : LEAT_PROM_ESCAPE_SUFFIXES;
    make_labels(e, NULL); /* looked at when it was made */
    open_feed(e);
}

/* --- reading */

void leat_prw_encoder_begin(struct leat_prw_encoder *e, struct leat_bytes request, int64_t now)
{
    leat_prom_feed_begin(e->feed, request, now);
}

void leat_prw_encoder_next(struct leat_prw_encoder *e, struct leat_prw_item *ret)
{
    struct leat_prom_item *i = &e->item;

    switch (leat_prom_feed_next(e->feed, i)) {
    case LEAT_PROM_FEED_SAMPLE:
        *ret = (struct leat_prw_item){.kind = LEAT_PRW_ITEM_SAMPLE,
                                      .hash = i->series->hash,
                                      .of_point = i->metric.len != 0,
                                      .last = i->last,
                                      .metric = i->metric};
        break;
    case LEAT_PROM_FEED_FAMILY:
        *ret = (struct leat_prw_item){.kind = LEAT_PRW_ITEM_FAMILY,
                                      .hash = (uint32_t)leat_hash(i->family.name)};
        break;
    case LEAT_PROM_FEED_DROPPED:
        *ret = (struct leat_prw_item){
            .kind = LEAT_PRW_ITEM_DROPPED, .drop = i->drop, .metric = i->metric};
        break;
    case LEAT_PROM_FEED_END:
        *ret = (struct leat_prw_item){.kind = LEAT_PRW_ITEM_END};
        break;
    case LEAT_PROM_FEED_NO_MEMORY:
        *ret = (struct leat_prw_item){.kind = LEAT_PRW_ITEM_NO_MEMORY};
        break;
    }
    e->kind = ret->kind;
}

const char *leat_prw_drop_text(unsigned drop)
{
    return drop > LEAT_PROM_KEPT && drop < LEAT_PROM_DROPS
               ? leat_prom_drop_text((enum leat_prom_drop)drop)
               : NULL;
}

const char *leat_prw_drop_advice(unsigned drop)
{
    return drop == LEAT_PROM_DROP_TEMPORALITY
               ? " (delta; put the processor deltatocumulative before this exporter)"
               : "";
}

/* --- writing */

enum leat_prw_add leat_prw_encoder_add(struct leat_prw_encoder *e, uint32_t message)
{
    struct leat_prom_write *w = &e->write[message];
    struct leat_prom_item *i = &e->item;
    enum leat_prom_write_result r =
        e->kind == LEAT_PRW_ITEM_FAMILY
            ? leat_prom_write_family(w, &i->family)
            : leat_prom_write_add(w, i->series, &i->sample,
                                  leat_prw_encoder_is_v2(e) ? &i->family : NULL);

    switch (r) {
    case LEAT_PROM_WRITE_FULL:
        return LEAT_PRW_FULL;
    case LEAT_PROM_WRITE_NO_MEMORY:
        return LEAT_PRW_NO_MEMORY;
    default:
        return LEAT_PRW_ADDED;
    }
}

bool leat_prw_encoder_empty(const struct leat_prw_encoder *e, uint32_t message)
{
    return leat_prom_write_empty(&e->write[message]);
}

size_t leat_prw_encoder_memory(const struct leat_prw_encoder *e, uint32_t message)
{
    return leat_prom_write_memory(&e->write[message]);
}

bool leat_prw_encoder_finish(struct leat_prw_encoder *e, uint32_t message, struct leat_bytes *ret,
                             struct leat_prw_written *ret_what)
{
    const struct leat_prom_write *w = &e->write[message];

    *ret_what = (struct leat_prw_written){.series = w->series,
                                          .samples = w->samples,
                                          .histograms = w->histograms,
                                          .exemplars = w->exemplars};
    return leat_prom_write_finish(&e->write[message], ret, &ret_what->squeezed);
}

void leat_prw_encoder_clear(struct leat_prw_encoder *e, uint32_t message, bool keep)
{
    leat_prom_write_clear(&e->write[message], keep);
}

void leat_prw_encoder_cache(const struct leat_prw_encoder *e, size_t *ret_series, size_t *ret_bytes)
{
    struct leat_prom_store_stats st = leat_prom_store_stats(leat_prom_feed_store(e->feed));

    *ret_series = st.series;
    *ret_bytes = st.bytes;
}
