/* An answer while it comes in, with every bound that a hostile peer meets. */
#include "io/client_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/grpc.h"
#include "io/http_date.h"

#define HEADER_BYTES_MAX                                                                           \
    ((size_t)64 * 1024)                     /* names, values and 32 bytes each, trailers included */
#define HEADER_COST      32                 /* as RFC 9113 section 6.5.2 counts */
#define MESSAGE_MAX      1024               /* grpc-message, decoded */
#define DETAILS_MAX      ((size_t)4 * 1024) /* grpc-status-details-bin, decoded */
#define DETAILS_TEXT_MAX ((DETAILS_MAX + 2) / 3 * 4)

void leat_incoming_init(struct leat_incoming *in, const char *peer, bool grpc, size_t max_body,
                        const char *const *keep)
{
    *in = (struct leat_incoming){.peer = peer, .grpc = grpc, .max_body = max_body, .keep = keep};
    leat_text_init(&in->body, max_body);
    leat_text_init(&in->grpc_message, MESSAGE_MAX);
    leat_text_init(&in->grpc_details, DETAILS_MAX);
}

void leat_incoming_done(struct leat_incoming *in)
{
    leat_text_done(&in->body);
    leat_text_done(&in->grpc_message);
    leat_text_done(&in->grpc_details);
    leat_buf_unref(in->inflated);
    in->inflated = NULL;
}

int leat_incoming_fail(struct leat_incoming *in, enum leat_net_result net, const char *fmt, ...)
{
    va_list ap;

    if (in->net != LEAT_NET_OK)
        return -1;
    in->net = net;
    va_start(ap, fmt);
    vsnprintf(in->why, sizeof in->why, fmt, ap);
    va_end(ap);
    return -1;
}

int leat_incoming_count(struct leat_incoming *in, size_t bytes)
{
    in->begun = true;
    if (bytes > HEADER_BYTES_MAX || in->header_bytes > HEADER_BYTES_MAX - bytes)
        return leat_incoming_fail(in, LEAT_NET_TOO_LARGE,
                                  "%s: the headers of the answer are larger than %zu bytes",
                                  in->peer, HEADER_BYTES_MAX);
    in->header_bytes += bytes;
    return 0;
}

int leat_incoming_status(struct leat_incoming *in, uint32_t status)
{
    struct leat_incoming fresh;
    size_t bytes = in->header_bytes;

    if (in->status >= 100 && in->status < 200 && in->net == LEAT_NET_OK) {
        leat_incoming_init(&fresh, in->peer, in->grpc, in->max_body, in->keep);
        leat_incoming_done(in);
        *in = fresh;
        in->header_bytes = bytes;
    }
    in->status = status;
    return leat_incoming_count(in, HEADER_COST);
}

/* --- headers */

static void keep(char *out, size_t size, struct leat_bytes value)
{
    size_t len = value.len < size ? value.len : size - 1;

    if (len != 0)
        memcpy(out, value.data, len);
    out[len] = '\0';
}

/* Digits only; over the top: UINT32_MAX. -1: no number. */
static int read_number(struct leat_bytes text, uint32_t *ret)
{
    uint64_t n = 0;

    if (text.len == 0)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        if (n <= UINT32_MAX)
            n = n * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    return 0;
}

static void take_retry_after(struct leat_incoming *in, struct leat_bytes value)
{
    uint32_t seconds;
    int64_t date, ms;

    if (read_number(value, &seconds) == 0)
        ms = (int64_t)seconds * 1000;
    else if (leat_http_date_read(value, &date) == 0)
        ms = date * 1000 - leat_clock_wall() / LEAT_MS;
    else
        return;
    in->has_retry_after = true;
    in->retry_after_ms = ms < 0 ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* Cut where a group of four ends, so that what is left decodes. */
static void take_details(struct leat_incoming *in, struct leat_bytes value)
{
    uint8_t decoded[3 * (DETAILS_TEXT_MAX / 4) + 2];
    long len;

    if (value.len > DETAILS_TEXT_MAX)
        value.len = DETAILS_TEXT_MAX;
    for (int pad = 0; pad < 2 && value.len > 0 && value.data[value.len - 1] == '='; pad++)
        value.len--;
    leat_text_clear(&in->grpc_details);
    len = leat_base64_decode(value, decoded);
    if (len > 0)
        leat_text_add(&in->grpc_details, decoded,
                      (size_t)len > DETAILS_MAX ? DETAILS_MAX : (size_t)len);
}

static void take_grpc(struct leat_incoming *in, struct leat_bytes name, struct leat_bytes value)
{
    if (leat_bytes_is_nocase(name, "grpc-status")) {
        in->has_grpc_status = true;
        if (read_number(value, &in->grpc_status) != 0)
            in->grpc_status = LEAT_GRPC_UNKNOWN;
    } else if (leat_bytes_is_nocase(name, "grpc-message")) {
        leat_text_clear(&in->grpc_message);
        leat_grpc_message_read(value, &in->grpc_message);
    } else if (leat_bytes_is_nocase(name, "grpc-status-details-bin")) {
        take_details(in, value);
    } else if (leat_bytes_is_nocase(name, "grpc-encoding")) {
        keep(in->encoding, sizeof in->encoding, value);
    }
}

static void take_kept(struct leat_incoming *in, struct leat_bytes name, struct leat_bytes value)
{
    for (unsigned i = 0; i < LEAT_ANSWER_KEPT && in->keep[i] != NULL; i++) {
        if (!leat_bytes_is_nocase(name, in->keep[i]))
            continue;
        in->has_kept[i] = value.len <= LEAT_ANSWER_VALUE;
        if (in->has_kept[i])
            keep(in->kept[i], sizeof in->kept[i], value);
    }
}

int leat_incoming_header(struct leat_incoming *in, struct leat_bytes name, struct leat_bytes value)
{
    if (leat_incoming_count(in, name.len + value.len + HEADER_COST) != 0)
        return -1;
    take_kept(in, name, value);
    if (leat_bytes_is_nocase(name, "content-type"))
        keep(in->content_type, sizeof in->content_type, value);
    else if (leat_bytes_is_nocase(name, "retry-after"))
        take_retry_after(in, value);
    else if (in->grpc)
        take_grpc(in, name, value);
    else if (leat_bytes_is_nocase(name, "content-encoding"))
        keep(in->encoding, sizeof in->encoding, value);
    return 0;
}

/* --- body */

static int too_large(struct leat_incoming *in)
{
    return leat_incoming_fail(in, LEAT_NET_TOO_LARGE, "%s: the answer is larger than %zu bytes",
                              in->peer, in->max_body);
}

/* Takes the prefix off `data`. A gRPC message announces its length: what is over the bound is
 * refused before it comes. */
static int take_prefix(struct leat_incoming *in, struct leat_bytes *data)
{
    bool compressed;
    uint32_t len;

    while (in->nprefix < LEAT_GRPC_PREFIX && data->len > 0) {
        in->prefix[in->nprefix++] = *data->data++;
        data->len--;
    }
    if (in->nprefix < LEAT_GRPC_PREFIX)
        return 0;
    if (leat_grpc_prefix_read(in->prefix, &compressed, &len) != 0)
        return leat_incoming_fail(in, LEAT_NET_FAILED, "%s: the answer is not gRPC: bad prefix",
                                  in->peer);
    if (len > in->max_body)
        return too_large(in);
    if (data->len > len - in->body.len)
        return leat_incoming_fail(in, LEAT_NET_FAILED,
                                  "%s: the answer holds more than one gRPC message", in->peer);
    return 0;
}

/* The body of a gRPC answer that is no gRPC (a proxy's error page) tells nothing. */
static bool is_grpc_body(const struct leat_incoming *in)
{
    return in->status == 200 && strncmp(in->content_type, "application/grpc", 16) == 0;
}

int leat_incoming_body(struct leat_incoming *in, struct leat_bytes data)
{
    in->begun = true;
    if (in->net != LEAT_NET_OK)
        return -1;
    if (data.len == 0)
        return 0;
    if (in->grpc && !is_grpc_body(in)) {
        in->ignored += data.len;
        return in->ignored > in->max_body ? too_large(in) : 0;
    }
    if (in->grpc && take_prefix(in, &data) != 0)
        return -1;
    if (data.len == 0)
        return 0;
    if (data.len > in->body.max || in->body.len > in->body.max - data.len)
        return too_large(in);
    leat_text_add(&in->body, data.data, data.len);
    if (!leat_text_ok(&in->body))
        return leat_incoming_fail(in, LEAT_NET_FAILED, "%s: no memory for the answer", in->peer);
    return 0;
}

/* --- end */

static struct leat_bytes message_of(const struct leat_incoming *in)
{
    if (in->inflated != NULL)
        return leat_bytes(in->inflated->data, in->inflated->len);
    return leat_text_bytes(&in->body);
}

static enum leat_codec_result inflate(struct leat_incoming *in, struct leat_codecs **codecs,
                                      struct leat_err *err)
{
    int codec = leat_codec_find(leat_bytes_str(in->encoding));

    leat_fail(err, "unknown encoding \"%s\"", in->encoding);
    if (codec < 0)
        return LEAT_CODEC_BAD;
    if (codec == LEAT_CODEC_NONE)
        return LEAT_CODEC_OK;
    if (*codecs == NULL)
        *codecs = leat_codecs_new();
    return leat_inflate(*codecs, (enum leat_codec)codec, message_of(in), in->max_body, NULL,
                        &in->inflated, err);
}

static void end_grpc(struct leat_incoming *in, struct leat_codecs **codecs)
{
    bool compressed = false;
    uint32_t len = 0;
    struct leat_err err;
    enum leat_codec_result result;

    if (in->nprefix == 0)
        return;
    if (in->nprefix < LEAT_GRPC_PREFIX ||
        leat_grpc_prefix_read(in->prefix, &compressed, &len) != 0 || in->body.len != len) {
        leat_incoming_fail(in, LEAT_NET_FAILED, "%s: the gRPC message of the answer is cut off",
                           in->peer);
        return;
    }
    if (!compressed)
        return;
    result = in->encoding[0] ? inflate(in, codecs, &err) : LEAT_CODEC_BAD;
    if (result == LEAT_CODEC_TOO_LARGE)
        too_large(in);
    else if (result != LEAT_CODEC_OK)
        leat_incoming_fail(in, LEAT_NET_FAILED, "%s: the answer's compression (%s) cannot be read",
                           in->peer, in->encoding[0] ? in->encoding : "unnamed");
}

void leat_incoming_end(struct leat_incoming *in, struct leat_codecs **codecs)
{
    struct leat_err err;

    if (in->net != LEAT_NET_OK)
        return;
    if (in->grpc) {
        end_grpc(in, codecs);
        if (!in->has_grpc_status)
            in->grpc_status = leat_grpc_of_http(in->status);
    } else if (in->encoding[0] != '\0' && in->body.len != 0 &&
               inflate(in, codecs, &err) == LEAT_CODEC_TOO_LARGE) {
        /* A body that cannot be inflated is handed over as it is: the status says more. */
        too_large(in);
    }
}

struct leat_answer leat_incoming_answer(const struct leat_incoming *in)
{
    struct leat_answer a = {.net = in->net};

    if (in->net != LEAT_NET_OK) {
        a.why = in->why;
        return a;
    }
    a.status = in->status;
    a.content_type = leat_bytes_str(in->content_type);
    a.body = message_of(in);
    a.has_retry_after = in->has_retry_after;
    a.retry_after_ms = in->retry_after_ms;
    a.has_grpc_status = in->has_grpc_status;
    a.grpc_status = in->grpc_status;
    a.grpc_message = leat_text_bytes(&in->grpc_message);
    a.grpc_details = leat_text_bytes(&in->grpc_details);
    for (unsigned i = 0; i < LEAT_ANSWER_KEPT; i++) {
        if (in->has_kept[i])
            a.kept[i] = leat_bytes_str(in->kept[i]);
    }
    return a;
}
