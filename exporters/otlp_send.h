/* One attempt to send a batch over OTLP: what the gRPC and the HTTP exporter share. */
#ifndef LEAT_EXPORTERS_OTLP_SEND_H
#define LEAT_EXPORTERS_OTLP_SEND_H

#include "flow/component.h"
#include "io/client.h"
#include "io/codec.h"

struct leat_otlp_exporter {
    const struct leat_env *env;
    struct leat_client *clients[LEAT_SIGNALS]; /* may be the same one */
    enum leat_codec codec;
    const char *encoding; /* what the peer is told of it; "" for none */
    int level;
    int64_t timeout;
    /* Fills path, content type and pieces of an exchange: the protocol's own part. -1: no memory.
     */
    int (*prepare)(struct leat_otlp_exporter *e, struct leat_exchange *x, struct leat_batch *b,
                   struct leat_buf **ret_body);
    struct leat_status (*judge)(const struct leat_otlp_exporter *e, enum leat_signal signal,
                                const struct leat_answer *a);
    const void *own; /* the exporter's settings */
};

/* "compression" of the settings. -1: unknown, or not built in. */
int leat_otlp_codec(const char *name);
void leat_otlp_take(void *exporter, struct leat_batch *batch);
void leat_otlp_close(void *exporter);

/* What happened on the way, as an outcome; for answers without an HTTP status. */
struct leat_status leat_otlp_judge_net(const struct leat_answer *a);
/* The message of an accepted request: delivered, perhaps in part; rejected when it cannot be read.
 */
struct leat_status leat_otlp_judge_response(enum leat_signal signal, struct leat_bytes body,
                                            bool json);

#endif
