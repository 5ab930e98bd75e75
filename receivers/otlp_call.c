/* One OTLP request: from a call to a batch, and from its outcome to the answer.
 *
 * Source of the answers: OTLP specification (failures, retryable codes, partial success) and the
 * collector's tables (receiver/otlpreceiver/internal/errors, internal/statusutil). */
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/meter.h"
#include "base/share.h"
#include "base/text.h"
#include "io/grpc.h"
#include "proto/otlp_json.h"
#include "proto/otlp_reply.h"
#include "proto/otlp_view.h"
#include "receivers/otlp.h"

#define RETRY_MS    1000
#define REPLY_BYTES ((size_t)4 * 1024)

/* Lives inside the call. */
struct otlp_call {
    struct leat_ack ack;
    struct leat_otlp_receiver *receiver;
    enum leat_signal signal;
    uint32_t items;
    bool grpc, json;
};

size_t leat_otlp_call_size(void)
{
    return sizeof(struct otlp_call);
}

static bool is_json(const struct leat_call_info *info)
{
    return leat_bytes_is_nocase(info->content_type, "application/json");
}

/* --- answers */

static const char *content_type(bool json)
{
    return json ? "application/json" : "application/x-protobuf";
}

static void reply_ok(struct leat_call *call, enum leat_signal signal, bool json,
                     const struct leat_otlp_partial *partial)
{
    struct leat_reply reply = {.status = 200, .content_type = content_type(json)};
    struct leat_text body;

    leat_text_init(&body, REPLY_BYTES);
    if (json || partial != NULL)
        leat_otlp_response(signal, partial, json, &body);
    reply.body = leat_text_bytes(&body);
    leat_call_reply(call, &reply);
    leat_text_done(&body);
}

/* The same Status in the terms of the protocol: gRPC trailers, or an HTTP status with the Status as
 * body. */
static void reply_error(struct leat_call *call, bool json, uint32_t http,
                        const struct leat_rpc_status *st)
{
    struct leat_reply reply = {
        .status = http,
        .content_type = content_type(json),
        .grpc_status = st->code,
        .grpc_message = st->message,
    };
    struct leat_text body;

    leat_text_init(&body, REPLY_BYTES);
    leat_rpc_status_write(st, json, &body);
    if (leat_call_info(call)->grpc) {
        if (st->has_delay)
            reply.grpc_details = leat_text_bytes(&body);
    } else {
        reply.body = leat_text_bytes(&body);
        if (st->has_delay)
            reply.retry_after_s = (st->delay_ms + 999) / 1000;
    }
    leat_call_reply(call, &reply);
    leat_text_done(&body);
}

static void set_message(struct leat_rpc_status *st, const char *text)
{
    snprintf(st->message, sizeof st->message, "%.*s", (int)sizeof st->message - 1, text);
}

/* A client must be able to tell "again later" from "never": the code says so, whatever the
 * destination said. */
static struct leat_rpc_status status_of(const struct leat_status *outcome)
{
    struct leat_rpc_status st = {.code = outcome->code};

    if (outcome->outcome == LEAT_RETRY) {
        if (!leat_grpc_may_retry(st.code, true))
            st.code = LEAT_GRPC_UNAVAILABLE;
        st.has_delay = true;
        st.delay_ms = outcome->retry_after_ms ? outcome->retry_after_ms : RETRY_MS;
    } else if (st.code == LEAT_GRPC_OK || leat_grpc_may_retry(st.code, true)) {
        st.code = LEAT_GRPC_INTERNAL;
    }
    set_message(&st, outcome->why ? outcome->why : "the pipeline did not take the data");
    return st;
}

static struct leat_receiver_obs *obs_of(struct otlp_call *state)
{
    return &state->receiver->obs[state->grpc ? LEAT_OTLP_GRPC : LEAT_OTLP_HTTP];
}

static void outcome_told(struct leat_ack *ack)
{
    struct otlp_call *state = LEAT_OWNER(ack, struct otlp_call, ack);
    struct leat_call *call = leat_call_of_state(state);
    struct leat_rpc_status st;

    if (ack->worst.outcome == LEAT_DELIVERED) {
        struct leat_otlp_partial partial = {.rejected = ack->worst.rejected};
        leat_count(obs_of(state)->accepted[state->signal], state->items);
        if (ack->worst.why != NULL)
            snprintf(partial.message, sizeof partial.message, "%s", ack->worst.why);
        reply_ok(call, state->signal, state->json, partial.rejected ? &partial : NULL);
        return;
    }
    leat_count(obs_of(state)->refused[state->signal], state->items);
    st = status_of(&ack->worst);
    reply_error(call, state->json, leat_grpc_to_http(st.code), &st);
}

/* --- requests */

static void reply_bad(struct leat_call *call, bool json, const char *why)
{
    struct leat_rpc_status st = {.code = LEAT_GRPC_INVALID_ARGUMENT};

    set_message(&st, why);
    reply_error(call, json, 400, &st);
}

static void reply_overload(struct leat_call *call, bool json, const struct leat_budget *budget)
{
    char why[160];
    struct leat_rpc_status st = {
        .code = LEAT_GRPC_UNAVAILABLE, .has_delay = true, .delay_ms = RETRY_MS};

    if (!leat_budget_unfair(budget, why, sizeof why))
        snprintf(why, sizeof why, "no memory left for telemetry (leat.memory)");
    set_message(&st, why);
    reply_error(call, json, 503, &st);
}

/* The body as checked protobuf in *body, its items in *ret. false: it was answered. */
static bool decode(struct leat_call *call, struct otlp_call *state, struct leat_buf **body,
                   struct leat_otlp_count *ret)
{
    struct leat_bytes bytes = leat_bytes((*body)->data, (*body)->len);
    struct leat_buf *converted;
    struct leat_err err;
    const char *why;

    if (!state->json) {
        if (leat_otlp_check(state->signal, bytes, ret, &why) == LEAT_OTLP_OK)
            return true;
        reply_bad(call, false, why);
        return false;
    }
    switch (leat_otlp_from_json(state->signal, bytes, (*body)->budget, &converted, ret, &err)) {
    case LEAT_JSON_OK:
        leat_buf_unref(*body);
        *body = converted;
        return true;
    case LEAT_JSON_BAD:
        reply_bad(call, true, err.text);
        return false;
    default:
        reply_overload(call, true, (*body)->budget);
        return false;
    }
}

static void pass_on(struct leat_call *call, struct otlp_call *state, struct leat_buf *body)
{
    struct leat_otlp_receiver *r = state->receiver;
    enum leat_otlp_transport t = state->grpc ? LEAT_OTLP_GRPC : LEAT_OTLP_HTTP;
    struct leat_batch *batch = leat_batch_new(
        state->signal, body, leat_bytes(body->data, body->len), state->items, &state->ack);

    if (batch == NULL) {
        leat_buf_unref(body);
        reply_overload(call, state->json, NULL);
        return;
    }
    leat_ack_init(&state->ack, outcome_told);
    batch->deadline = leat_call_info(call)->deadline;
    if (r->include_metadata[t] && leat_otlp_keep_origin(call, batch) < 0) {
        leat_batch_done(batch, leat_retry(LEAT_GRPC_UNAVAILABLE, RETRY_MS, "out of memory"));
        return;
    }
    leat_send(&r->env->next[state->signal], batch);
}

void leat_otlp_call_take(void *self, struct leat_call *call)
{
    struct otlp_call *state = leat_call_state(call);
    const struct leat_call_info *info = leat_call_info(call);
    struct leat_otlp_count count = {0};
    struct leat_buf *body;

    state->receiver = self;
    state->signal = (enum leat_signal)info->route->tag;
    state->grpc = info->grpc;
    state->json = !info->grpc && is_json(info);
    if (!info->grpc && !state->json &&
        !leat_bytes_is_nocase(info->content_type, "application/x-protobuf")) {
        struct leat_rpc_status st = {.code = LEAT_GRPC_INVALID_ARGUMENT};
        set_message(&st, "content-type must be application/x-protobuf or application/json");
        reply_error(call, false, 415, &st);
        return;
    }
    body = leat_call_take_body(call);
    if (body != NULL && !decode(call, state, &body, &count)) {
        leat_buf_unref(body);
        return;
    }
    state->items = count.items;
    if (body == NULL || count.items == 0) {
        leat_buf_unref(body);
        reply_ok(call, state->signal, state->json, NULL);
        return;
    }
    pass_on(call, state, body);
}

static void reply_text(struct leat_call *call, const struct leat_refusal *why)
{
    struct leat_reply reply = {
        .status = why->http_status,
        .content_type = "text/plain",
        .body = leat_bytes_str(why->text),
        .grpc_status = why->grpc_status,
        .grpc_message = why->text,
    };

    leat_call_reply(call, &reply);
}

void leat_otlp_call_refuse(void *self, struct leat_call *call, const struct leat_refusal *why)
{
    struct leat_rpc_status st = {
        .code = why->grpc_status,
        .has_delay = why->retry_after_ms != 0,
        .delay_ms = why->retry_after_ms,
    };
    bool json = !leat_call_info(call)->grpc && is_json(leat_call_info(call));

    (void)self;
    if (why->reason == LEAT_REFUSED_METHOD) { /* no OTLP client: a person with a browser */
        reply_text(call, why);
        return;
    }
    set_message(&st, why->text);
    reply_error(call, json, why->http_status, &st);
}
