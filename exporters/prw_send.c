/* Sends requests of remote write until each has its final answer. */
#include "exporters/prw_send.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/backoff.h"
#include "flow/sender.h"
#include "io/grpc.h"
#include "io/loop.h"
#include "proto/otlp_reply.h"

#define MAX_ANSWER      ((size_t)64 * 1024)
#define WHY_ANSWER      300             /* bytes of the destination's words that are passed on */
#define RETRY_AFTER_MAX (60 * LEAT_SEC) /* the longest that a destination may put us off */
#define WARN_EVERY      (10 * LEAT_SEC)

#define TYPE_V1 "application/x-protobuf"
#define TYPE_V2 "application/x-protobuf;proto=io.prometheus.write.v2.Request"

struct leat_prw_sending {
    char *id;
    struct leat_client *client;
    const struct leat_retry_conf *retry;
    int64_t timeout;
    struct leat_timer *timer;
    struct leat_backoff backoff;
    uint32_t on_wire;
    bool failing, stopped;
    int64_t warn_after;
    struct leat_counter *attempts, *retries;
};

/* --- ends */

static void end(struct leat_prw_request *r, const struct leat_prw_result *res)
{
    r->sending = NULL;
    r->done(r, res);
}

static void cancel(struct leat_prw_request *r)
{
    struct leat_prw_result res = {
        .verdict = LEAT_PRW_CANCELLED, .code = LEAT_GRPC_UNAVAILABLE, .why = "shutting down"};

    memcpy(res.missing, r->sent, sizeof res.missing);
    end(r, &res);
}

static struct leat_prw_request *request_of(struct leat_batch *wait)
{
    return LEAT_OWNER(wait, struct leat_prw_request, wait);
}

/* --- when */

static void arm_timer(struct leat_prw_sending *s)
{
    int64_t due = leat_backoff_next(&s->backoff, s->on_wire == 0), now = leat_clock_mono();

    if (due == INT64_MAX || s->stopped)
        leat_timer_stop(s->timer);
    else
        leat_timer_start(s->timer, due > now ? due - now : 0, 0);
}

static void attempt(struct leat_prw_sending *s, struct leat_prw_request *r)
{
    leat_count(s->attempts, 1);
    if (r->wait.tries++ > 0)
        leat_count(s->retries, 1);
    s->on_wire++;
    leat_client_send(s->client, &r->exchange);
}

static void on_timer(void *arg)
{
    struct leat_prw_sending *s = arg;
    int64_t now = leat_clock_mono();
    struct leat_batch *b;
    struct leat_link due;

    leat_list_init(&due);
    while ((b = leat_backoff_take(&s->backoff, now, s->on_wire == 0 && leat_list_empty(&due))) !=
           NULL)
        leat_list_append(&due, &b->link);
    while (!leat_list_empty(&due))
        attempt(s, request_of(LEAT_OWNER(leat_list_pop(&due), struct leat_batch, link)));
    arm_timer(s);
}

/* No longer than is sensible, and not beyond the last moment at which it may be tried: so that one
 * try more is made then, instead of none. */
static int64_t told_of(const struct leat_prw_sending *s, const struct leat_prw_request *r,
                       const struct leat_answer *a, int64_t now)
{
    int64_t told = a->has_retry_after ? a->retry_after_ms * LEAT_MS : 0;
    int64_t left = r->wait.since + s->retry->max_elapsed_time - now;

    if (told > RETRY_AFTER_MAX)
        told = RETRY_AFTER_MAX;
    if (s->retry->max_elapsed_time > 0 && told > left)
        told = left > 0 ? left : 0;
    return told;
}

static void say_it_waits(struct leat_prw_sending *s, const struct leat_prw_request *r,
                         int64_t delay, const char *why, bool probe)
{
    int64_t now = leat_clock_mono();

    if (probe || (s->failing && now < s->warn_after)) {
        leat_debug(s->id, "the destination still takes nothing, %u data points go on waiting: %s",
                   r->items, why);
        return;
    }
    s->failing = true;
    s->warn_after = now + WARN_EVERY;
    leat_warn(s->id,
              "sending %u data points failed, will try again in %.2g s at the latest, and say so "
              "again in 10 s: %s",
              r->items, (double)delay / LEAT_SEC, why);
}

static void try_later(struct leat_prw_sending *s, struct leat_prw_request *r,
                      const struct leat_answer *a, struct leat_prw_result *res)
{
    int64_t now = leat_clock_mono(), told = told_of(s, r, a, now), delay = -1;
    bool probe = false;

    if (s->retry->enabled && !s->stopped)
        delay = leat_backoff_delay(s->retry, &r->wait, now, told, &probe);
    if (delay < 0) {
        leat_backoff_ended(&s->backoff, now);
        res->verdict = s->stopped ? LEAT_PRW_CANCELLED : LEAT_PRW_GIVEN_UP;
        end(r, res);
        return;
    }
    say_it_waits(s, r, delay, res->why, probe);
    leat_backoff_wait(&s->backoff, &r->wait, now, delay, told);
}

static void note_life(struct leat_prw_sending *s)
{
    if (s->failing)
        leat_info(s->id, "the destination answers again");
    s->failing = false;
    leat_backoff_wake(&s->backoff, leat_clock_mono());
}

/* --- answers */

/* A number of the answer's headers. false: it is none. */
static bool read_written(struct leat_bytes text, uint64_t *ret)
{
    uint64_t n = 0;

    text = leat_bytes_trim(text);
    if (text.len == 0 || text.len > 18)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret = n;
    return true;
}

/* Takes off `missing` what the destination says that it wrote. false: it does not say. */
static bool count_written(const struct leat_prw_request *r, const struct leat_answer *a,
                          struct leat_prw_result *res)
{
    uint64_t written[LEAT_PRW_KINDS];
    bool any = false;

    for (unsigned k = 0; k < LEAT_PRW_KINDS; k++) {
        bool said = r->v2 && read_written(a->kept[k], &written[k]);
        any = any || said;
        if (!said)
            written[k] = 0;
    }
    for (unsigned k = 0; k < LEAT_PRW_KINDS && any; k++)
        res->missing[k] = written[k] < r->sent[k] ? r->sent[k] - written[k] : 0;
    return any;
}

/* A success. A destination of 1.0 that does not look at the Content-Type finds nothing in a 2.0
 * message and says yes: it is told by the headers that are not there. */
static void judge_success(const struct leat_prw_request *r, const struct leat_answer *a,
                          struct leat_prw_result *res)
{
    res->verdict = LEAT_PRW_TAKEN;
    if (!r->v2)
        memset(res->missing, 0, sizeof res->missing);
    else if (!count_written(r, a, res) &&
             r->sent[LEAT_PRW_SAMPLES] + r->sent[LEAT_PRW_HISTOGRAMS] != 0)
        res->verdict = LEAT_PRW_UNKNOWN_MESSAGE;
    else
        res->why = "the destination says that it did not write all of them";
}

/* The first line of what the destination has to say. */
static const char *words_of(const struct leat_answer *a)
{
    static _Thread_local char why[WHY_ANSWER + 40];
    struct leat_bytes body = leat_bytes_trim(a->body);
    const uint8_t *line = body.len != 0 ? memchr(body.data, '\n', body.len) : NULL;

    if (line != NULL)
        body.len = (size_t)(line - body.data);
    if (body.len > WHY_ANSWER)
        body.len = WHY_ANSWER;
    snprintf(why, sizeof why, "HTTP status %u%s%.*s", a->status, body.len != 0 ? ": " : "",
             LEAT_FMT(body));
    return why;
}

static void judge(struct leat_prw_sending *s, struct leat_prw_request *r,
                  const struct leat_answer *a)
{
    struct leat_prw_result res = {.code = LEAT_GRPC_UNAVAILABLE, .status = a->status};

    memcpy(res.missing, r->sent, sizeof res.missing);
    if (a->net == LEAT_NET_CANCELLED) {
        cancel(r);
        return;
    }
    res.why = a->net == LEAT_NET_OK ? words_of(a) : a->why;
    if (a->net == LEAT_NET_OK)
        res.code = leat_http_to_grpc(a->status);
    if ((a->net != LEAT_NET_OK && a->net != LEAT_NET_TOO_LARGE) || a->status == 429 ||
        a->status >= 500) {
        try_later(s, r, a, &res);
        return;
    }
    if (a->net == LEAT_NET_OK && a->status >= 200 && a->status <= 299) {
        judge_success(r, a, &res);
        note_life(s);
    } else if (a->net == LEAT_NET_OK && a->status == 415 && r->v2) {
        res.verdict = LEAT_PRW_UNKNOWN_MESSAGE;
        leat_backoff_ended(&s->backoff, leat_clock_mono());
    } else {
        res.verdict = LEAT_PRW_REJECTED;
        count_written(r, a, &res);
        leat_backoff_ended(&s->backoff, leat_clock_mono());
    }
    end(r, &res);
}

static void exchange_done(struct leat_exchange *x, const struct leat_answer *a)
{
    struct leat_prw_request *r = LEAT_OWNER(x, struct leat_prw_request, exchange);
    struct leat_prw_sending *s = r->sending;

    s->on_wire--;
    judge(s, r, a);
    arm_timer(s);
}

void leat_prw_send(struct leat_prw_sending *s, struct leat_prw_request *r, const char *encoding)
{
    LEAT_CHECK(r->sending == NULL && !s->stopped);
    r->sending = s;
    r->piece = leat_bytes(r->body->data, r->body->len);
    r->exchange = (struct leat_exchange){
        .pieces = &r->piece,
        .npieces = 1,
        .content_type = r->v2 ? TYPE_V2 : TYPE_V1,
        .content_encoding = encoding,
        .headers = r->headers,
        .nheaders = r->nheaders,
        .timeout = s->timeout,
        .done = exchange_done,
        .room = r->exchange.room,
    };
    leat_list_init(&r->wait.link);
    leat_backoff_start(&r->wait, leat_clock_mono());
    attempt(s, r);
    arm_timer(s);
}

void leat_prw_sending_recall(struct leat_prw_sending *s)
{
    struct leat_batch *b;

    while ((b = leat_backoff_pop(&s->backoff)) != NULL)
        cancel(request_of(b));
    arm_timer(s);
}

uint32_t leat_prw_sending_busy(const struct leat_prw_sending *s)
{
    return s->on_wire + s->backoff.waiting;
}

/* --- life */

static struct leat_counter *counter(const struct leat_prw_sending_env *env, const char *name,
                                    const char *help)
{
    struct leat_metric id = {.name = name, .help = help, .labels = {{"exporter", env->id}}};

    return leat_meter_counter(env->meter, &id);
}

struct leat_prw_sending *leat_prw_sending_new(const struct leat_prw_sending_env *env,
                                              struct leat_err *err)
{
    struct leat_prw_sending *s;
    struct leat_client_env client_env = env->client;
    struct leat_client *client;

    client_env.max_answer = MAX_ANSWER;
    client_env.keep[LEAT_PRW_SAMPLES] = "x-prometheus-remote-write-samples-written";
    client_env.keep[LEAT_PRW_HISTOGRAMS] = "x-prometheus-remote-write-histograms-written";
    client_env.keep[LEAT_PRW_EXEMPLARS] = "x-prometheus-remote-write-exemplars-written";
    client = leat_client_new(env->conf, NULL, &client_env, err);
    if (client == NULL)
        return NULL;
    s = leat_new(sizeof *s);
    s->id = leat_strdup(env->id);
    s->client = client;
    s->retry = env->retry;
    s->timeout = env->timeout;
    s->timer = leat_timer_new(env->client.loop, on_timer, s);
    leat_backoff_init(&s->backoff);
    s->attempts = counter(env, "otelcol_exporter_prometheusremotewrite_sent_batches",
                          "Requests sent to the destination, whatever became of them.");
    s->retries = counter(env, "leat_prometheus_remote_write_retries_total",
                         "Requests that were sent once more.");
    return s;
}

void leat_prw_sending_stop(struct leat_prw_sending *s)
{
    s->stopped = true;
    leat_prw_sending_recall(s);
    leat_client_free(s->client);
    s->client = NULL;
}

void leat_prw_sending_free(struct leat_prw_sending *s)
{
    if (s == NULL)
        return;
    if (!s->stopped)
        leat_prw_sending_stop(s);
    leat_timer_free(s->timer);
    leat_free(s->id);
    leat_free(s);
}
