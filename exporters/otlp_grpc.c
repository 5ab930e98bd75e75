/* OTLP exporter over gRPC.
 *
 * Source of keys, defaults and of what may be retried: collector exporter/otlpexporter, OTLP
 * specification
 * ("Failures"). */
#include <string.h>

#include "exporters/otlp_send.h"
#include "flow/sender.h"
#include "io/codec.h"
#include "io/grpc.h"
#include "proto/otlp_reply.h"

/* OTLP lets a client read up to 4 MiB, but that is for each of up to 250 calls on a connection: a
 * hostile destination could make a gigabyte of it. An answer is a count and a sentence. */
#define MAX_ANSWER ((size_t)64 * 1024)

struct otlp_grpc_conf {
    struct leat_client_conf client;
    struct leat_sender_conf sender;
};

static const struct leat_field fields[] = {
    LEAT_INLINE(struct otlp_grpc_conf, client, leat_client_grpc_fields, struct leat_client_conf,
                "The gRPC client.", .def = "compression=gzip write_buffer_size=524288"),
    LEAT_INLINE(struct otlp_grpc_conf, sender, leat_sender_fields, struct leat_sender_conf,
                "Queue and retry."),
    LEAT_END,
};

static void check(const void *conf_, struct leat_check *c)
{
    const struct otlp_grpc_conf *conf = conf_;

    leat_client_check(&conf->client, true, "", c);
}

static int prepare(struct leat_otlp_exporter *e, struct leat_exchange *x, struct leat_batch *b,
                   struct leat_buf **ret_body)
{
    static const char *const paths[] = {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    };

    (void)e;
    (void)ret_body;
    x->path = paths[b->signal];
    return 0;
}

/* Who we are or where we knocked is to blame, not what we sent. */
static bool is_about_caller(uint32_t code)
{
    return code == LEAT_GRPC_UNAUTHENTICATED || code == LEAT_GRPC_PERMISSION_DENIED ||
           code == LEAT_GRPC_UNIMPLEMENTED;
}

static struct leat_status judge(const struct leat_otlp_exporter *e, enum leat_signal signal,
                                const struct leat_answer *a)
{
    static _Thread_local char why[1200];
    struct leat_rpc_status details = {0};
    struct leat_status st;

    (void)e;
    if (a->grpc_status == LEAT_GRPC_OK)
        return leat_otlp_judge_response(signal, a->body, false);
    if (a->grpc_details.len != 0 && leat_rpc_status_read(a->grpc_details, false, &details) < 0)
        details.has_delay = false;
    if (a->has_grpc_status)
        snprintf(why, sizeof why, "%s: %.*s", leat_grpc_code_name(a->grpc_status),
                 LEAT_FMT(a->grpc_message));
    else /* a proxy's error page, or no gRPC server at all */
        snprintf(why, sizeof why, "%s: the answer is not gRPC (HTTP status %u)",
                 leat_grpc_code_name(a->grpc_status), a->status);
    if (leat_grpc_may_retry(a->grpc_status, details.has_delay))
        return leat_retry(a->grpc_status, details.delay_ms, why);
    st = leat_rejected(a->grpc_status, why);
    st.too_large = a->grpc_status == LEAT_GRPC_RESOURCE_EXHAUSTED;
    st.not_content = is_about_caller(a->grpc_status);
    return st;
}

static int otlp_grpc_open(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct leat_otlp_exporter *self = self_;
    const struct otlp_grpc_conf *conf = env->conf;
    /* "snappy" of gRPC is the framed format (collector configgrpc, go-grpc-compression). */
    enum leat_codec codec = (enum leat_codec)leat_otlp_codec(conf->client.compression);
    struct leat_client_env client_env = {.loop = env->loop,
                                         .auth = env->auth,
                                         .who = env->id,
                                         .grpc = true,
                                         .max_answer = MAX_ANSWER};

    *self = (struct leat_otlp_exporter){
        .env = env,
        .codec = codec == LEAT_CODEC_SNAPPY ? LEAT_CODEC_SNAPPY_FRAMED : codec,
        .encoding = leat_codec_name(codec),
        .level = LEAT_LEVEL_DEFAULT,
        .timeout = conf->sender.timeout,
        .prepare = prepare,
        .judge = judge,
        .own = conf,
    };
    self->clients[0] = leat_client_new(&conf->client, NULL, &client_env, err);
    for (unsigned s = 1; s < LEAT_SIGNALS; s++)
        self->clients[s] = self->clients[0];
    return self->clients[0] ? 0 : -1;
}

static const char *const aliases[] = {"otlp", NULL};

const struct leat_component leat_exporter_otlp_grpc = {
    .type = "otlp_grpc",
    .aliases = aliases,
    .kind = LEAT_EXPORTER,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Sends OTLP over gRPC.",
    .fields = fields,
    .conf_size = sizeof(struct otlp_grpc_conf),
    .self_size = sizeof(struct leat_otlp_exporter),
    .sender = LEAT_SENDER(struct otlp_grpc_conf, sender),
    .check = check,
    .open = otlp_grpc_open,
    .take = leat_otlp_take,
    .close = leat_otlp_close,
};
