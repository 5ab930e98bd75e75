/* One shard of remote write: the request that is being built, and the one under way. */
#include "exporters/prw_shard.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/origin.h"
#include "io/codec.h"

#define CHARGE_EVERY 16                  /* samples; small, as one may be large */
#define VALUES_MAX   ((size_t)64 * 1024) /* of headers that go out again */

/* The statuses whose losses are counted apart; all others are "other". */
static const uint32_t statuses[LEAT_PRW_STATUSES - 2] = {400, 401, 403, 404, 405, 409, 413,
                                                         415, 422, 429, 500, 502, 503, 504};

/* --- what they share */

static struct leat_counter *counter(const struct leat_prw_shared *h, const char *name,
                                    const char *help, const char *status)
{
    struct leat_metric id = {
        .name = name,
        .help = help,
        .labels = {{"exporter", h->id}, {status != NULL ? "status" : NULL, status}}};

    return leat_meter_counter(h->meter, &id);
}

static struct leat_counter *dropped_counter(const struct leat_prw_shared *h, const char *status)
{
    return counter(h, "leat_prometheus_remote_write_dropped_samples_total",
                   "Samples that the destination did not take, by its HTTP status.", status);
}

static void open_counters(struct leat_prw_shared *h)
{
    struct leat_metric busy = {.name = "leat_prometheus_remote_write_shards_busy",
                               .help = "Shards with a request under way.",
                               .labels = {{"exporter", h->id}}};
    char status[16];

    h->series = counter(h, "otelcol_exporter_prometheusremotewrite_translated_time_series",
                        "Time series in requests that were made.", NULL);
    h->samples = counter(h, "leat_prometheus_remote_write_sent_samples_total",
                         "Samples and histograms that the destination took.", NULL);
    h->exemplars = counter(h, "otelcol_exporter_prometheusremotewrite_written_exemplars",
                           "Exemplars that the destination says it wrote (2.0 messages).", NULL);
    for (unsigned i = 0; i < LEAT_PRW_STATUSES - 2; i++) {
        snprintf(status, sizeof status, "%u", statuses[i]);
        h->dropped[i] = dropped_counter(h, status);
    }
    h->dropped[LEAT_PRW_STATUSES - 2] = dropped_counter(h, "other");
    h->dropped[LEAT_PRW_STATUSES - 1] = dropped_counter(h, "no answer");
    h->busy = leat_meter_gauge(h->meter, &busy);
}

void leat_prw_shared_open(struct leat_prw_shared *h)
{
    h->encoded = 0;
    h->keys = leat_new_array(h->metadata_keys->count + 1, sizeof(char *));
    for (uint32_t i = 0; i < h->metadata_keys->count; i++) {
        h->keys[i] = leat_strdup(h->metadata_keys->items[i]);
        leat_lower(h->keys[i], strlen(h->keys[i]));
    }
    open_counters(h);
}

void leat_prw_shared_close(struct leat_prw_shared *h)
{
    for (uint32_t i = 0; i < h->metadata_keys->count; i++)
        leat_free(h->keys[i]);
    leat_free(h->keys);
}

static struct leat_counter *dropped_of(const struct leat_prw_shared *h, uint32_t status)
{
    for (unsigned i = 0; i < LEAT_PRW_STATUSES - 2; i++) {
        if (statuses[i] == status)
            return h->dropped[i];
    }
    return h->dropped[status == 0 ? LEAT_PRW_STATUSES - 1 : LEAT_PRW_STATUSES - 2];
}

/* --- memory */

static bool is_empty(const struct leat_prw_shard *s)
{
    return leat_prw_encoder_empty(s->shared->encoder, s->number);
}

static size_t memory_of(const struct leat_prw_shard *s)
{
    return leat_prw_encoder_memory(s->shared->encoder, s->number) +
           leat_prw_load_memory(&s->building) + leat_prw_load_memory(&s->sent);
}

/* Charges what the shard has grown by, or gives back. What is refused is there all the same: the
 * request is sealed then, so that it is one step of growth at most. */
static void charge(struct leat_prw_shard *s)
{
    struct leat_prw_shared *h = s->shared;
    size_t now = memory_of(s);

    if (now > s->charged && leat_budget_take(h->scratch, now - s->charged)) {
        h->encoded += now - s->charged;
        s->charged = now;
    } else if (now < s->charged) {
        leat_budget_give(h->scratch, s->charged - now);
        h->encoded -= s->charged - now;
        s->charged = now;
    }
    if ((now > s->charged || h->encoded > h->max_encoded) && !is_empty(s))
        s->sealed = true;
}

/* --- building */

/* Room for what comes, in a request of its own if its headers differ. */
static enum leat_prw_add prepare(struct leat_prw_shard *s, const struct leat_prw_job *job)
{
    if (s->building.n > 0 && s->building.entries[s->building.n - 1].job != job &&
        !leat_prw_job_same_key(s->building.entries[0].job, job))
        s->sealed = true;
    if (s->sealed)
        return LEAT_PRW_FULL;
    if (leat_prw_load_reserve(&s->building))
        return LEAT_PRW_ADDED;
    s->sealed = !is_empty(s);
    return s->sealed ? LEAT_PRW_FULL : LEAT_PRW_NO_MEMORY;
}

enum leat_prw_add leat_prw_shard_add(struct leat_prw_shard *s, struct leat_prw_job *job,
                                     uint32_t point)
{
    enum leat_prw_add r = prepare(s, job);

    if (r == LEAT_PRW_ADDED)
        r = leat_prw_encoder_add(s->shared->encoder, s->number);
    if (r == LEAT_PRW_FULL)
        s->sealed = true;
    if (r != LEAT_PRW_ADDED)
        return r;
    leat_prw_load_add(&s->building, job, point);
    if (++s->added % CHARGE_EVERY == 0 && memory_of(s) != s->charged)
        charge(s);
    return r;
}

/* --- the answer */

/* Points that are lost when samples are: all or, when some were taken, as many as their share. */
static uint64_t lost_points(const struct leat_prw_shard *s, uint64_t missing, uint64_t sent)
{
    uint64_t points = s->sent.npoints;

    if (missing >= sent || sent == 0)
        return missing == 0 ? 0 : points;
    return (missing * points + sent - 1) / sent;
}

static void settle(struct leat_prw_shard *s, const struct leat_prw_result *res)
{
    struct leat_prw_shared *h = s->shared;
    const uint64_t *sent = s->request.sent;
    uint64_t missing = res->missing[LEAT_PRW_SAMPLES] + res->missing[LEAT_PRW_HISTOGRAMS];
    uint64_t all = sent[LEAT_PRW_SAMPLES] + sent[LEAT_PRW_HISTOGRAMS];
    bool given_up = res->verdict == LEAT_PRW_GIVEN_UP;

    leat_count(h->samples, all - missing);
    leat_count(dropped_of(h, res->status), missing);
    if (s->request.v2 && res->verdict == LEAT_PRW_TAKEN)
        leat_count(h->exemplars, sent[LEAT_PRW_EXEMPLARS] - res->missing[LEAT_PRW_EXEMPLARS]);
    leat_prw_load_settle(&s->sent, lost_points(s, missing, all), given_up, res->code, res->why,
                         h->job_ended, h->arg);
}

static void request_done(struct leat_prw_request *r, const struct leat_prw_result *res)
{
    struct leat_prw_shard *s = LEAT_OWNER(r, struct leat_prw_shard, request);
    struct leat_prw_shared *h = s->shared;

    h->encoded -= r->body->cap;
    leat_buf_unref(r->body);
    r->body = NULL;
    s->busy = false;
    leat_gauge_add(h->busy, -1);
    if (res->verdict == LEAT_PRW_UNKNOWN_MESSAGE || res->verdict == LEAT_PRW_CANCELLED)
        leat_prw_load_release(&s->sent);
    else
        settle(s, res);
    h->request_ended(h->arg, res->verdict);
}

/* --- sending */

/* All values of a header in one, as RFC 9110 section 5.3 allows. false: there is none. */
static bool add_values(struct leat_prw_shard *s, const struct leat_origin *origin, const char *key)
{
    struct leat_bytes value;
    struct leat_err err;
    size_t n = 0;

    for (; leat_origin_get(origin, key, n, &value); n++) {
        if (leat_client_header_check(leat_bytes_str(key), value, &err) != 0)
            continue;
        leat_text_str(&s->values, n > 0 ? "," : "");
        leat_text_add(&s->values, value.data, value.len);
    }
    leat_text_char(&s->values, '\0');
    return n > 0;
}

/* false: no memory. */
static bool make_headers(struct leat_prw_shard *s)
{
    const struct leat_prw_shared *h = s->shared;
    uint32_t count = h->metadata_keys->count, n = 0;
    const struct leat_origin *origin = s->building.entries[0].job->batch->origin;
    const char *at;

    leat_text_clear(&s->values);
    s->headers[n++] = (struct leat_pair){"x-prometheus-remote-write-version",
                                         leat_prw_encoder_is_v2(h->encoder) ? "2.0.0" : "0.1.0"};
    for (uint32_t i = 0; i < count; i++) {
        if (add_values(s, origin, h->keys[i]))
            s->headers[n++].key = h->keys[i];
        else if (s->values.len > 0 && leat_text_ok(&s->values))
            s->values.len--; /* the end of no value */
    }
    if (!leat_text_ok(&s->values))
        return false;
    at = leat_text_get(&s->values);
    for (uint32_t i = 1; i < n; i++) {
        s->headers[i].value = at;
        at += strlen(at) + 1;
    }
    s->request.headers = s->headers;
    s->request.nheaders = n;
    return true;
}

/* The message as it goes out: compressed, if it is not yet. */
static struct leat_buf *pack(const struct leat_prw_shared *h, struct leat_bytes message,
                             bool squeezed, struct leat_budget *budget)
{
    struct leat_buf *body;
    struct leat_err err;

    if (!squeezed)
        return leat_deflate(h->codecs, (enum leat_codec)h->codec, h->level, &message, 1, budget,
                            &body, &err) == LEAT_CODEC_OK
                   ? body
                   : NULL;
    body = leat_buf_new(budget, message.len);
    if (body != NULL) {
        memcpy(body->data, message.data, message.len);
        body->len = message.len;
    }
    return body;
}

/* Where even one request cannot be charged, it is made all the same: otherwise those that fill the
 * budget would wait for each other. */
static bool make_body(struct leat_prw_shard *s, struct leat_prw_written *ret_what)
{
    struct leat_prw_shared *h = s->shared;
    struct leat_bytes message;
    bool alone = leat_prw_sending_busy(h->sending) == 0;

    if (!leat_prw_encoder_finish(h->encoder, s->number, &message, ret_what))
        return false;
    s->request.body = pack(h, message, ret_what->squeezed, h->scratch);
    if (s->request.body == NULL && alone)
        s->request.body = pack(h, message, ret_what->squeezed, NULL);
    return s->request.body != NULL;
}

bool leat_prw_shard_send(struct leat_prw_shard *s)
{
    struct leat_prw_shared *h = s->shared;
    struct leat_prw_load load = s->sent;
    struct leat_prw_written what;

    if (s->busy || is_empty(s))
        return true;
    if (!make_headers(s) || !make_body(s, &what))
        return false;
    s->request.v2 = leat_prw_encoder_is_v2(h->encoder);
    s->request.items = s->building.npoints;
    s->request.sent[LEAT_PRW_SAMPLES] = what.samples;
    s->request.sent[LEAT_PRW_HISTOGRAMS] = what.histograms;
    s->request.sent[LEAT_PRW_EXEMPLARS] = what.exemplars;
    leat_count(h->series, what.series);
    s->sent = s->building;
    s->building = load;
    leat_prw_encoder_clear(h->encoder, s->number, true);
    h->encoded += s->request.body->cap;
    s->sealed = false;
    s->busy = true;
    leat_gauge_add(h->busy, 1);
    charge(s);
    leat_prw_send(h->sending, &s->request, leat_codec_name((enum leat_codec)h->codec));
    return true;
}

/* --- life */

void leat_prw_shard_open(struct leat_prw_shard *s, struct leat_prw_shared *shared, uint32_t number)
{
    s->shared = shared;
    s->number = number;
    leat_prw_load_init(&s->building);
    leat_prw_load_init(&s->sent);
    s->headers = leat_new_array(shared->metadata_keys->count + 1, sizeof *s->headers);
    leat_text_init(&s->values, VALUES_MAX);
    s->request.done = request_done;
    s->request.exchange.room = leat_new(leat_client_room(1));
}

void leat_prw_shard_rest(struct leat_prw_shard *s)
{
    if (!is_empty(s) || s->charged == 0)
        return;
    leat_prw_encoder_clear(s->shared->encoder, s->number, false);
    leat_prw_load_done(&s->building);
    if (!s->busy)
        leat_prw_load_done(&s->sent);
    charge(s);
}

void leat_prw_shard_restart(struct leat_prw_shard *s)
{
    LEAT_CHECK(!s->busy);
    leat_prw_load_release(&s->building);
    leat_prw_encoder_clear(s->shared->encoder, s->number, false);
    s->sealed = false;
    charge(s);
}

void leat_prw_shard_close(struct leat_prw_shard *s)
{
    LEAT_CHECK(!s->busy);
    leat_prw_load_release(&s->building);
    leat_prw_load_done(&s->building);
    leat_prw_load_done(&s->sent);
    leat_prw_encoder_clear(s->shared->encoder, s->number, false);
    charge(s);
    leat_text_done(&s->values);
    leat_free(s->headers);
    leat_free(s->request.exchange.room);
}
