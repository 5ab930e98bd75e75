/* What a receiver, processor, exporter, connector or extension is. Read this file first.
 *
 * 1. `take` always takes ownership and returns nothing: the data path has no error return.
 * 2. Whoever ends a batch calls leat_batch_done() once; passing it on passes that duty on.
 * 3. An outcome may arrive before the call that passed the batch on returns; touch nothing of it
 * after.
 * 4. Everything happens on the worker's own thread. */
#ifndef LEAT_FLOW_COMPONENT_H
#define LEAT_FLOW_COMPONENT_H

#include "config/schema.h"
#include "flow/batch.h"

struct leat_loop;
struct leat_codecs;
struct leat_auth_finder;
struct leat_authenticator;
struct leat_house;
struct leat_ledger;
struct leat_mailbox;
struct leat_meter;

/* The one way on: hands `batch` over; the caller must not touch it again. */
struct leat_outlet {
    void (*take)(void *self, struct leat_batch *batch);
    void *self;
};
static inline void leat_send(const struct leat_outlet *to, struct leat_batch *batch)
{
    to->take(to->self, batch);
}

/* When a pipeline's caller is answered: the weakest of its exporters' promises, known when the
 * graph is wired. */
enum leat_promise {
    LEAT_PROMISE_HELD,      /* the bytes are in memory */
    LEAT_PROMISE_STORED,    /* on disk */
    LEAT_PROMISE_DELIVERED, /* the destination has confirmed */
};

/* All that a component instance gets from the house. Everything outlives the instance. */
struct leat_env {
    const char *id;       /* "otlp/edge" */
    const char *pipeline; /* processors: "traces/edge"; others "" */
    const void *conf;     /* its own struct, filled and checked */
    /* Receivers, processors, connectors: where batches of each signal go; take is NULL where no
     * pipeline wants them. */
    struct leat_outlet next[LEAT_SIGNALS];
    enum leat_promise promise; /* of what is behind `next` */
    struct leat_loop *loop;
    struct leat_budget *budget; /* bodies that come in; what is made of a part: its buf->budget (a
                                   single one: the same client's share of this one, base/share.h) */
    struct leat_budget
        *scratch; /* what an exporter makes while sending: compressed bodies and the like */
    struct leat_codecs *codecs;
    struct leat_meter *meter;
    struct leat_ledger *ledger; /* NULL: extensions */
    const struct leat_auth_finder *auth;
    const struct leat_house *house; /* extensions: what there is to tell about the house */
    unsigned worker, workers;
    /* For what the instances of one component have to say to each other (io/mailbox.h). All are
     * opened before any worker's thread starts, worker 0's first. */
    struct leat_mailbox *mailbox; /* this worker's */
    void *first;                  /* worker 0's instance; NULL: this is it */
    /* Mails of this instance that must come back to it: it counts them, and until there are none
     * it and all others stay in memory, closed or not. */
    uint32_t *under_way;
};

/* Kinds of metrics with delta temporality, or'ed. */
enum leat_delta_kind {
    LEAT_DELTA_SUMS = 1 << 0,       /* monotonic ones */
    LEAT_DELTA_UPDOWN = 1 << 1,     /* sums that are not monotonic */
    LEAT_DELTA_HISTOGRAMS = 1 << 2, /* both kinds */
    LEAT_DELTAS_ALL = 7,
};

/* What a component with these settings does with deltas. */
struct leat_deltas {
    unsigned makes;  /* receivers, processors, connectors: these come out, whatever went in */
    unsigned turns;  /* processors, connectors: these become cumulative */
    unsigned drops;  /* exporters: these cannot be written */
    const char *why; /* with `drops`: a sentence ("Prometheus knows no deltas") */
};

enum leat_kind {
    LEAT_RECEIVER,
    LEAT_PROCESSOR,
    LEAT_EXPORTER,
    LEAT_CONNECTOR,
    LEAT_EXTENSION,
};

struct leat_component {
    const char *type;           /* the word in the YAML */
    const char *const *aliases; /* older words, NULL at the end; used with a warning. May be NULL */
    enum leat_kind kind;
    unsigned signals;    /* set of LEAT_…_BIT */
    const char *summary; /* first sentence of its manual page */
    const struct leat_field *fields;
    size_t conf_size, self_size; /* the house allocates both, zeroed */
    const char
        *missing;  /* why it cannot run here (built without its library, retired); NULL: it can */
    bool single;   /* one instance only, in worker 0: a file, a Unix socket, the state of a stream.
                      Other workers' batches come to it by reference, and go on from there */
    size_t sender; /* exporters: offset + 1 of a struct leat_sender_conf in conf: the house puts a
                      sender (queue, batch, retry) before it. 0: none */

    /* More than the table can say. May be NULL. */
    void (*check)(const void *conf, struct leat_check *c);
    /* Fills *ret, which is zero. A warning is given where deltas meet who drops them
     * (run/deltas.h). NULL: metrics pass as they are. */
    void (*deltas)(const void *conf, struct leat_deltas *ret);
    /* Once per worker. -1 and `err`: nothing is left behind. */
    int (*open)(void *self, const struct leat_env *env, struct leat_err *err);
    /* Processors, exporters, connectors. */
    void (*take)(void *self, struct leat_batch *batch);
    /* Take nothing new from outside, finish what is inside, then call drained(house), at once or
     * later. NULL: nothing to finish. What comes from inside is still taken, and passed on without
     * waiting for more; processors and connectors may be asked a second time after they have
     * answered, when other workers have sent something through them meanwhile. */
    void (*drain)(void *self, void (*drained)(void *house), void *house);
    /* Whatever is still inside is told LEAT_RETRY. Callbacks of this instance must not run
     * afterwards. To a single one other workers' batches may still come: told LEAT_RETRY, too. */
    void (*close)(void *self);
    /* Extensions that authenticate. */
    const struct leat_authenticator *(*authenticator)(void *self);
};

#define LEAT_SENDER(S, m) (LEAT_AT(S, m, struct leat_sender_conf) + 1)

#endif
