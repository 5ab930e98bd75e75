/* Sinks, a program that sends to them, and clients that send to it, all on one loop. For cmocka's
 * tests. */
#ifndef LEAT_TESTS_PATH_WORLD_H
#define LEAT_TESTS_PATH_WORLD_H

#include "io/grpc.h"
#include "lib/path_program.h"
#include "lib/path_sink.h"
#include "proto/otlp_reply.h"

#define PATH_SINKS 2

/* Sinks, then a program whose YAML names their ports, then a client of each protocol. */
struct path_world {
    struct leat_loop *loop;
    struct path_sink sinks[PATH_SINKS];
    struct path_program program;
    struct path_client grpc, http;
    struct leat_text body;
    bool drained;
};

#define PATH_RECEIVER                                                                              \
    "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: "            \
    "'127.0.0.1:0'}}}}\n"
#define PATH_ALL_TO(processors, exporters)                                                         \
    "service:\n  telemetry: {metrics: {level: none}}\n  pipelines:\n"                              \
    "    traces: {receivers: [otlp], processors: [" processors "], exporters: [" exporters "]}\n"  \
    "    metrics: {receivers: [otlp], processors: [" processors "], exporters: [" exporters "]}\n" \
    "    logs: {receivers: [otlp], processors: [" processors "], exporters: [" exporters "]}\n"

/* Clients are told what the destination said. */
#define PATH_CONFIRMED                                                                             \
    PATH_RECEIVER "exporters: {otlp_http: {endpoint: $H, retry_on_failure: {enabled: false}, "     \
                  "sending_queue: {wait_for_result: true}}}\n" PATH_ALL_TO("", "otlp_http")

#define PATH_CONFIRMED_GRPC                                                                        \
    PATH_RECEIVER                                                                                  \
    "exporters: {otlp_grpc: {endpoint: $G, tls: {insecure: true}, retry_on_failure: "              \
    "{enabled: false}, sending_queue: {wait_for_result: true}}}\n" PATH_ALL_TO("", "otlp_grpc")

/* `$H` and `$G` in the YAML become the first sink's address for HTTP and gRPC, `$I` the second's
 * for HTTP. */
void path_world_open(struct path_world *w, const char *yaml);
void path_world_drain(struct path_world *w);
void path_world_close(struct path_world *w); /* drains, unless that was done */
/* In w->body, until the next one. */
struct leat_bytes path_world_request(struct path_world *w, enum leat_signal signal,
                                     const char *name, uint32_t items);
/* Sends one and waits for its answer. */
void path_world_ask(struct path_world *w, struct path_client *c, struct client_sent *s,
                    enum leat_signal signal, struct leat_bytes body);
/* The same with an exchange that was made by hand. */
void path_world_ask_by_hand(struct path_world *w, struct path_client *c, struct client_sent *s);
/* The google.rpc.Status of an answer: gRPC's details, or the body. */
void path_read_status(const struct client_sent *s, bool grpc, bool json,
                      struct leat_rpc_status *ret);

#endif
