/* One attempt to send a batch over OTLP. */
#include "exporters/otlp_send.h"

#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/grpc.h"
#include "proto/otlp_reply.h"

#define MEMORY_RETRY_MS 200
/* The most that is sent in one request, before compression (OTLP: "OTLP/HTTP request", "gRPC"
 * limits recommend it); larger ones are halved by the sender. */
#define MAX_REQUEST ((uint64_t)64 * 1024 * 1024)

/* In one piece of memory with the pieces behind it, and the client's part behind those. */
struct attempt {
    struct leat_exchange exchange;
    struct leat_otlp_exporter *exporter;
    struct leat_batch *batch;
    struct leat_buf *body; /* compressed or converted; NULL: the batch's own bytes go out */
    struct leat_bytes pieces[];
};

int leat_otlp_codec(const char *name)
{
    if (name == NULL || strcmp(name, "none") == 0)
        return LEAT_CODEC_NONE;
    return leat_codec_find(leat_bytes_str(name));
}

struct leat_status leat_otlp_judge_net(const struct leat_answer *a)
{
    switch (a->net) {
    case LEAT_NET_TIMEOUT:
        return leat_retry(LEAT_GRPC_DEADLINE_EXCEEDED, 0, a->why);
    case LEAT_NET_TOO_LARGE:
        return leat_rejected(LEAT_GRPC_INTERNAL, a->why);
    case LEAT_NET_CANCELLED:
        return leat_retry(LEAT_GRPC_CANCELLED, 0, "cancelled");
    default:
        return leat_retry(LEAT_GRPC_UNAVAILABLE, 0, a->why);
    }
}

struct leat_status leat_otlp_judge_response(enum leat_signal signal, struct leat_bytes body,
                                            bool json)
{
    static _Thread_local struct leat_otlp_partial
        partial; /* outlives the call: `why` points here */
    struct leat_status st = leat_delivered();

    if (leat_otlp_response_read(signal, body, json, &partial) < 0)
        return leat_rejected(LEAT_GRPC_INTERNAL,
                             "the destination said yes in an answer that cannot be read");
    st.rejected = partial.rejected > UINT32_MAX ? UINT32_MAX : (uint32_t)partial.rejected;
    if (partial.message[0] != '\0')
        st.why = partial.message; /* with nothing rejected: a warning */
    return st;
}

static void attempt_done(struct leat_exchange *x, const struct leat_answer *a)
{
    struct attempt *at = LEAT_OWNER(x, struct attempt, exchange);
    struct leat_otlp_exporter *e = at->exporter;
    struct leat_batch *batch = at->batch;
    struct leat_status st =
        a->net == LEAT_NET_OK ? e->judge(e, batch->signal, a) : leat_otlp_judge_net(a);

    leat_buf_unref(at->body);
    leat_free(at);
    leat_batch_done(batch, st);
}

/* What goes out is what at->body holds. */
static void send_body(struct attempt *at)
{
    at->pieces[0] = leat_bytes(at->body->data, at->body->len);
    at->exchange.npieces = 1;
}

/* Compresses what `pieces` name into at->body. */
static int compress(struct leat_otlp_exporter *e, struct attempt *at)
{
    struct leat_buf *out;
    struct leat_err err;

    if (leat_deflate(e->env->codecs, e->codec, e->level, at->exchange.pieces, at->exchange.npieces,
                     e->env->scratch, &out, &err) != LEAT_CODEC_OK)
        return -1;
    leat_buf_unref(at->body);
    at->body = out;
    send_body(at);
    at->exchange.content_encoding = e->encoding;
    return 0;
}

static size_t room_after(size_t size)
{
    size_t align = _Alignof(max_align_t);

    return (size + align - 1) / align * align;
}

/* NULL and *ret: it cannot be sent so. */
static struct attempt *attempt_new(struct leat_otlp_exporter *e, struct leat_batch *batch,
                                   struct leat_status *ret)
{
    size_t own = room_after(sizeof(struct attempt) + batch->nparts * sizeof(struct leat_bytes));
    struct attempt *at = leat_try(own + leat_client_room(batch->nparts));

    *ret = leat_retry(LEAT_GRPC_UNAVAILABLE, MEMORY_RETRY_MS, "no memory to send with");
    if (at == NULL)
        return NULL;
    memset(at, 0, sizeof *at);
    at->exchange.room = (uint8_t *)at + own;
    at->exporter = e;
    at->batch = batch;
    leat_batch_pieces(batch, at->pieces);
    at->exchange.pieces = at->pieces;
    at->exchange.npieces = batch->nparts;
    at->exchange.timeout = e->timeout;
    at->exchange.done = attempt_done;
    if (e->prepare(e, &at->exchange, batch, &at->body) < 0)
        goto fail;
    if (at->body != NULL)
        send_body(at);
    if ((at->body != NULL ? at->body->len : batch->bytes) > MAX_REQUEST) {
        *ret = leat_rejected(LEAT_GRPC_RESOURCE_EXHAUSTED,
                             "larger than 64 MiB, the most that OTLP sends in one request");
        ret->too_large = true;
        goto fail;
    }
    if (e->codec != LEAT_CODEC_NONE && compress(e, at) < 0)
        goto fail;
    return at;

fail:
    leat_buf_unref(at->body);
    leat_free(at);
    return NULL;
}

void leat_otlp_take(void *exporter, struct leat_batch *batch)
{
    struct leat_otlp_exporter *e = exporter;
    struct leat_status st;
    struct attempt *at = attempt_new(e, batch, &st);

    if (at == NULL)
        leat_batch_done(batch, st);
    else
        leat_client_send(e->clients[batch->signal], &at->exchange);
}

void leat_otlp_close(void *exporter)
{
    struct leat_otlp_exporter *e = exporter;

    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        struct leat_client *c = e->clients[s];
        for (unsigned k = s; k < LEAT_SIGNALS; k++) {
            if (e->clients[k] == c)
                e->clients[k] = NULL;
        }
        leat_client_free(c);
    }
}
