/* Why the server itself refuses a request, and the answer it gives then. */
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/meter.h"
#include "io/grpc.h"
#include "io/server_internal.h"

/* What a caller is told to wait when the budget is spent. */
#define RETRY_MS 1000

static const struct reason {
    uint32_t http, grpc;
    const char *label;
} reasons[] = {
    [LEAT_REFUSED_NOT_FOUND] = {404, LEAT_GRPC_UNIMPLEMENTED, "not_found"},
    [LEAT_REFUSED_METHOD] = {405, LEAT_GRPC_UNIMPLEMENTED, "method"},
    [LEAT_REFUSED_CONTENT_TYPE] = {415, LEAT_GRPC_INTERNAL, "content_type"},
    [LEAT_REFUSED_ENCODING] = {400, LEAT_GRPC_UNIMPLEMENTED, "encoding"},
    [LEAT_REFUSED_TOO_LARGE] = {413, LEAT_GRPC_RESOURCE_EXHAUSTED, "too_large"},
    [LEAT_REFUSED_MALFORMED] = {400, LEAT_GRPC_INVALID_ARGUMENT, "malformed"},
    [LEAT_REFUSED_OVERLOAD] = {503, LEAT_GRPC_UNAVAILABLE, "overload"},
    [LEAT_REFUSED_SHARE] = {503, LEAT_GRPC_UNAVAILABLE, "client_share"},
    [LEAT_REFUSED_AUTH] = {401, LEAT_GRPC_UNAUTHENTICATED, "auth"},
    [LEAT_REFUSED_TIMEOUT] = {408, LEAT_GRPC_DEADLINE_EXCEEDED, "timeout"},
    [LEAT_REFUSED_SHUTDOWN] = {503, LEAT_GRPC_UNAVAILABLE, "shutdown"},
};

const char *leat_refusal_label(enum leat_refusal_reason reason)
{
    return reasons[reason].label;
}

static void plain_refusal(struct leat_call *c, const struct leat_refusal *why)
{
    struct leat_reply r = {.status = why->http_status,
                           .content_type = "text/plain; charset=utf-8",
                           .body = leat_bytes_str(why->text),
                           .grpc_status = why->grpc_status,
                           .grpc_message = why->text,
                           .retry_after_s = (why->retry_after_ms + 999) / 1000};

    leat_call_reply(c, &r);
}

void leat_call_refuse(struct leat_call *c, enum leat_refusal_reason reason, uint32_t status,
                      const char *fmt, ...)
{
    struct leat_server *s = c->peer->server;
    char text[256];
    struct leat_refusal why = {.reason = reason,
                               .http_status = status ? status : reasons[reason].http,
                               .grpc_status = reasons[reason].grpc,
                               .text = text};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (reason == LEAT_REFUSED_OVERLOAD || reason == LEAT_REFUSED_SHARE ||
        reason == LEAT_REFUSED_SHUTDOWN)
        why.retry_after_ms = RETRY_MS;
    leat_head_abandon(c);
    leat_buf_unref(c->body);
    c->body = NULL;
    leat_call_discharge(c);
    c->refused_status = why.http_status;
    c->phase = LEAT_CALL_SERVICE;
    if (s->refused[reason] != NULL)
        leat_count(s->refused[reason], 1);
    if (s->service.refuse != NULL)
        s->service.refuse(s->service.self, c, &why);
    else
        plain_refusal(c, &why);
}
