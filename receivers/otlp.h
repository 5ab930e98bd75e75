/* The OTLP receiver's inside: one request's way from a call to a batch and back. */
#ifndef LEAT_RECEIVERS_OTLP_H
#define LEAT_RECEIVERS_OTLP_H

#include "flow/component.h"
#include "flow/selfobs.h"
#include "io/server.h"

enum leat_otlp_transport { LEAT_OTLP_GRPC, LEAT_OTLP_HTTP, LEAT_OTLP_TRANSPORTS };

struct leat_otlp_receiver {
    const struct leat_env *env;
    bool include_metadata[LEAT_OTLP_TRANSPORTS];
    struct leat_receiver_obs obs[LEAT_OTLP_TRANSPORTS];
    struct leat_server *servers[LEAT_OTLP_TRANSPORTS];
    struct leat_service services[LEAT_OTLP_TRANSPORTS];
    struct leat_route routes[LEAT_OTLP_TRANSPORTS][2 * LEAT_SIGNALS];
    char *paths[LEAT_SIGNALS]; /* of the HTTP port, each with its leading slash */
    uint32_t undrained;
    void (*drained)(void *house);
    void *house;
};

/* Keeps the request's headers and the peer with the batch. 0, or -1: no memory. */
int leat_otlp_keep_origin(struct leat_call *call, struct leat_batch *batch);
/* Bytes of the receiver's own state in each call. */
size_t leat_otlp_call_size(void);
/* struct leat_service's take and refuse; `self` is the receiver, a route's tag its signal. */
void leat_otlp_call_take(void *self, struct leat_call *call);
void leat_otlp_call_refuse(void *self, struct leat_call *call, const struct leat_refusal *why);

#endif
