/* OTLP exporter over HTTP, protobuf or JSON.
 *
 * Source of keys, defaults and of what may be retried: collector exporter/otlphttpexporter, OTLP
 * specification
 * ("Failures"). */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "exporters/otlp_send.h"
#include "flow/sender.h"
#include "io/url.h"
#include "proto/otlp_json.h"
#include "proto/otlp_reply.h"

#define MAX_ANSWER ((size_t)64 * 1024)
#define MAX_JSON   ((size_t)512 * 1024 * 1024)

enum { ENCODING_PROTO, ENCODING_JSON };
static const char *const encodings[] = {"proto", "json", NULL};

struct otlp_http_conf {
    struct leat_client_conf client;
    const char *traces_endpoint, *metrics_endpoint, *logs_endpoint;
    int encoding;
    struct leat_sender_conf sender;
};

static const struct leat_field fields[] = {
    LEAT_INLINE(struct otlp_http_conf, client, leat_client_http_fields, struct leat_client_conf,
                "The HTTP client.", .def = "compression=gzip"),
    LEAT_STRING(struct otlp_http_conf, traces_endpoint, NULL,
                "URL for traces, used as it is; else endpoint with /v1/traces."),
    LEAT_STRING(struct otlp_http_conf, metrics_endpoint, NULL,
                "URL for metrics, used as it is; else endpoint with /v1/metrics."),
    LEAT_STRING(struct otlp_http_conf, logs_endpoint, NULL,
                "URL for logs, used as it is; else endpoint with /v1/logs."),
    LEAT_NO_EFFECT("profiles_endpoint", "Leat does not carry profiles yet"),
    LEAT_ENUM(struct otlp_http_conf, encoding, "proto", encodings, "How requests are encoded."),
    LEAT_INLINE(struct otlp_http_conf, sender, leat_sender_fields, struct leat_sender_conf,
                "Queue and retry.", .def = "timeout=30s"),
    LEAT_END,
};

static const char *own_endpoint(const struct otlp_http_conf *conf, enum leat_signal s)
{
    const char *urls[] = {conf->traces_endpoint, conf->metrics_endpoint, conf->logs_endpoint};

    return urls[s] != NULL && urls[s][0] != '\0' ? urls[s] : NULL;
}

static void check_url(const char *text, const char *key, struct leat_check *c)
{
    struct leat_url url = {.port = 0};
    struct leat_err err;

    if (leat_url_parse(text, &url, &err) != 0)
        leat_check_error(c, key, "%s", err.text);
    leat_url_done(&url);
}

/* A signal that a pipeline sends here needs somewhere to go. */
static void check_urls(const struct otlp_http_conf *conf, struct leat_check *c)
{
    const char *common = conf->client.endpoint;
    bool some = common != NULL && common[0] != '\0', any = some;
    char key[32];

    for (unsigned s = 0; s < LEAT_SIGNALS; s++)
        any = any || own_endpoint(conf, (enum leat_signal)s) != NULL;
    if (!any)
        leat_check_error(c, "endpoint", "is required, or an endpoint of each signal");
    for (unsigned s = 0; s < LEAT_SIGNALS && any; s++) {
        const char *name = leat_signal_name((enum leat_signal)s);
        const char *own = own_endpoint(conf, (enum leat_signal)s);
        snprintf(key, sizeof key, "%s_endpoint", name);
        if (own != NULL)
            check_url(own, key, c);
        else if (!some && (leat_check_signals(c) & 1u << s) != 0)
            leat_check_error(c, key, "%s are sent here: set 'endpoint' or '%s'", name, key);
    }
}

static void check(const void *conf_, struct leat_check *c)
{
    const struct otlp_http_conf *conf = conf_;

    check_urls(conf, c);
    leat_client_check(&conf->client, false, "", c);
}

static bool is_json(const struct leat_otlp_exporter *e)
{
    return ((const struct otlp_http_conf *)e->own)->encoding == ENCODING_JSON;
}

/* The whole batch as one JSON object. */
static int make_json(struct leat_otlp_exporter *e, struct leat_batch *b,
                     const struct leat_bytes *pieces, struct leat_buf **ret)
{
    struct leat_text text;
    int result = -1;

    leat_text_init(&text, MAX_JSON);
    leat_otlp_to_json(b->signal, pieces, b->nparts, &text);
    if (leat_text_ok(&text))
        *ret = leat_buf_new(e->env->scratch, text.len);
    if (leat_text_ok(&text) && *ret != NULL) {
        memcpy((*ret)->data, text.data, text.len);
        (*ret)->len = text.len;
        result = 0;
    }
    leat_text_done(&text);
    return result;
}

static int prepare(struct leat_otlp_exporter *e, struct leat_exchange *x, struct leat_batch *b,
                   struct leat_buf **ret_body)
{
    static const char *const paths[] = {"/v1/traces", "/v1/metrics", "/v1/logs"};

    x->path = own_endpoint(e->own, b->signal) ? NULL : paths[b->signal];
    x->content_type = is_json(e) ? "application/json" : "application/x-protobuf";
    return is_json(e) ? make_json(e, b, x->pieces, ret_body) : 0;
}

static bool is_json_type(struct leat_bytes type)
{
    return type.len >= 16 && leat_bytes_is_nocase(leat_bytes(type.data, 16), "application/json");
}

static struct leat_status judge(const struct leat_otlp_exporter *e, enum leat_signal signal,
                                const struct leat_answer *a)
{
    static _Thread_local char why[400];
    struct leat_rpc_status st = {0};
    bool json = is_json_type(a->content_type);
    struct leat_status outcome;

    (void)e;
    if (a->status >= 200 && a->status <= 299)
        return leat_otlp_judge_response(signal, a->body, json);
    if (a->body.len == 0 || leat_rpc_status_read(a->body, json, &st) < 0)
        st.message[0] = '\0';
    snprintf(why, sizeof why, "HTTP status %u%s%s", a->status, st.message[0] ? ": " : "",
             st.message);
    if (a->status == 429 || (a->status >= 502 && a->status <= 504))
        return leat_retry(leat_http_to_grpc(a->status), a->has_retry_after ? a->retry_after_ms : 0,
                          why);
    outcome = leat_rejected(leat_http_to_grpc(a->status), why);
    outcome.too_large = a->status == 413;
    outcome.not_content = a->status == 401 || a->status == 403 || a->status == 404 ||
                          a->status == 405 || (a->status >= 300 && a->status <= 399);
    return outcome;
}

static int otlp_http_open(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct leat_otlp_exporter *self = self_;
    const struct otlp_http_conf *conf = env->conf;
    enum leat_codec codec = (enum leat_codec)leat_otlp_codec(conf->client.compression);
    struct leat_client_env client_env = {
        .loop = env->loop, .auth = env->auth, .who = env->id, .max_answer = MAX_ANSWER};
    struct leat_client *common = NULL;

    *self = (struct leat_otlp_exporter){
        .env = env,
        .codec = codec,
        .encoding = leat_codec_name(codec),
        .level = conf->client.compression_params.level ? (int)conf->client.compression_params.level
                                                       : LEAT_LEVEL_DEFAULT,
        .timeout = conf->sender.timeout,
        .prepare = prepare,
        .judge = judge,
        .own = conf,
    };
    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        const char *url = own_endpoint(conf, (enum leat_signal)s);
        if (url == NULL && common == NULL && conf->client.endpoint != NULL)
            common = leat_client_new(&conf->client, NULL, &client_env, err);
        self->clients[s] = url ? leat_client_new(&conf->client, url, &client_env, err) : common;
        if (self->clients[s] == NULL && (url != NULL || conf->client.endpoint != NULL)) {
            leat_otlp_close(self);
            return -1;
        }
    }
    return 0;
}

static const char *const aliases[] = {"otlphttp", NULL};

const struct leat_component leat_exporter_otlp_http = {
    .type = "otlp_http",
    .aliases = aliases,
    .kind = LEAT_EXPORTER,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Sends OTLP over HTTP, protobuf or JSON.",
    .fields = fields,
    .conf_size = sizeof(struct otlp_http_conf),
    .self_size = sizeof(struct leat_otlp_exporter),
    .sender = LEAT_SENDER(struct otlp_http_conf, sender),
    .check = check,
    .open = otlp_http_open,
    .take = leat_otlp_take,
    .close = leat_otlp_close,
};
