/* An answer while it comes in, with every bound that a hostile peer meets. Bytes in, values out:
 * knows no connection. For io only. */
#ifndef LEAT_IO_CLIENT_ANSWER_H
#define LEAT_IO_CLIENT_ANSWER_H

#include "base/text.h"
#include "io/client.h"
#include "io/codec.h"
#include "io/grpc.h"

struct leat_incoming {
    const char *peer;         /* "host:port", for sentences */
    bool grpc, begun;         /* begun: something of the answer came */
    enum leat_net_result net; /* OK until something is wrong; the first one stays */
    char why[256];
    uint32_t status;
    size_t max_body, header_bytes, ignored; /* ignored: body bytes that are no gRPC */
    char content_type[128], encoding[32];
    bool has_retry_after, has_grpc_status;
    uint32_t retry_after_ms, grpc_status;
    uint8_t nprefix; /* bytes of the gRPC prefix that came */
    uint8_t prefix[LEAT_GRPC_PREFIX];
    struct leat_text body; /* as received; gRPC: the message without its prefix */
    struct leat_text grpc_message, grpc_details;
    struct leat_buf *inflated; /* the body without its compression; NULL: none */
    const char *const *keep;   /* LEAT_ANSWER_KEPT names of headers, as leat_client_env has them */
    bool has_kept[LEAT_ANSWER_KEPT];
    char kept[LEAT_ANSWER_KEPT][LEAT_ANSWER_VALUE + 1];
};

/* Zeroed but for what is given; allocates nothing. `keep`: LEAT_ANSWER_KEPT names. */
void leat_incoming_init(struct leat_incoming *in, const char *peer, bool grpc, size_t max_body,
                        const char *const *keep);
void leat_incoming_done(struct leat_incoming *in);
/* Notes what went wrong, unless something was noted before. Returns -1. */
int leat_incoming_fail(struct leat_incoming *in, enum leat_net_result net, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A status line or :status. An interim answer (1xx) is forgotten when the next one comes; its bytes
 * count. */
int leat_incoming_status(struct leat_incoming *in, uint32_t status);
/* Counts towards the bound on header bytes only. */
int leat_incoming_count(struct leat_incoming *in, size_t bytes);
/* One header or trailer; `name` in any case. -1: too many bytes of them, or no memory. */
int leat_incoming_header(struct leat_incoming *in, struct leat_bytes name, struct leat_bytes value);
int leat_incoming_body(struct leat_incoming *in, struct leat_bytes data);
/* The answer is complete: inflates it, and takes a gRPC message apart. *codecs is made when it is
 * needed. What is wrong now is noted as by leat_incoming_fail(). */
void leat_incoming_end(struct leat_incoming *in, struct leat_codecs **codecs);
/* What the exchange's caller gets to see; valid until leat_incoming_done(). */
struct leat_answer leat_incoming_answer(const struct leat_incoming *in);

#endif
