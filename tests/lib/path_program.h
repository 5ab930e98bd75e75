/* A whole program of one worker inside a test: its plan from YAML, its graph on the test's loop. */
#ifndef LEAT_TESTS_PATH_PROGRAM_H
#define LEAT_TESTS_PATH_PROGRAM_H

#include "base/budget.h"
#include "io/loop.h"
#include "lib/client_peer.h"
#include "receivers/otlp.h"
#include "run/graph.h"

struct path_program {
    struct leat_plan *plan;
    struct leat_loop *loop;
    struct leat_mailbox *mailbox;
    struct leat_budget budget, scratch;
    struct leat_codecs *codecs;
    struct leat_meter *meter;
    struct leat_graph *graph;
    volatile uint32_t drained;
    bool closed; /* the graph is, by hand */
};

/* No log lines: tests provoke many. */
void path_quiet(void);

/* A plan from YAML; mistakes end the test. */
struct leat_plan *path_plan(const char *yaml);

void path_program_open(struct path_program *p, struct leat_loop *loop, const char *yaml);
/* The same, but it may fail: -1 and `err`. To be closed in any case. */
int path_program_try(struct path_program *p, struct leat_loop *loop, const char *yaml,
                     struct leat_err *err);
/* The port of an otlp receiver. */
uint16_t path_program_port(const struct path_program *p, const char *id,
                           enum leat_otlp_transport t);
void path_program_drain(struct path_program *p); /* to its end */
/* Also checks that the books balance and no byte is held. */
void path_program_close(struct path_program *p);
/* The sum of a counter over all its labels. */
double path_program_metric(const struct path_program *p, const char *name);

/* Turns the loop until it holds; after 30 s the test ends with the condition's text. */
void path_wait(struct leat_loop *loop, int64_t *begin, const char *what);
#define PATH_UNTIL(loop, cond)                                                                     \
    do {                                                                                           \
        int64_t begin_ = 0;                                                                        \
        while (!(cond))                                                                            \
            path_wait(loop, &begin_, #cond);                                                       \
    } while (0)

/* A client of ours, in the clear. */
struct path_client {
    struct leat_client_conf conf;
    struct leat_client *client;
    char url[64];
    bool grpc;
};
void path_client_open(struct path_client *c, struct leat_loop *loop, bool grpc, uint16_t port);
void path_client_close(struct path_client *c);
/* Sends a request of this signal; `body` must stay. `s` is initialised here. */
void path_client_send(struct path_client *c, struct client_sent *s, enum leat_signal signal,
                      struct leat_bytes body);

#endif
