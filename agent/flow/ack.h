/* What flows left: how a batch's journey ended, told to each who waits for it.
 *
 * An ack is a counter inside whoever waits (a gRPC call, a file offset, a sender's own batch). It
 * expects one outcome; who sends its bytes to several places, or in pieces, makes it expect more.
 * When none is missing its `done` runs, with the worst of them. */
#ifndef LEAT_FLOW_ACK_H
#define LEAT_FLOW_ACK_H

#include <stdbool.h>
#include <stdint.h>

/* In the order of badness: of several outcomes the largest counts. */
enum leat_outcome {
    LEAT_DELIVERED, /* the promise is kept: held, stored or delivered, as the pipeline's exporters
                       say */
    LEAT_REJECTED,  /* refused for good: sending the same bytes again is useless */
    LEAT_RETRY,     /* not taken now: the same bytes may be sent again */
};

struct leat_status {
    enum leat_outcome outcome;
    uint32_t code; /* gRPC status code that says why; 0: none */
    uint32_t
        retry_after_ms; /* with LEAT_RETRY: how long to wait at least; 0: the caller's choice */
    uint32_t rejected;  /* with LEAT_DELIVERED: records not taken (partial success) */
    bool too_large;     /* with LEAT_REJECTED: smaller pieces may be taken */
    bool not_content;   /* with LEAT_REJECTED: nothing in the bytes is to blame (401, 404 …) */
    const char *why;    /* a sentence, valid during the call; NULL: none */
};

struct leat_ack {
    void (*done)(struct leat_ack *ack);
    uint32_t pending;         /* outcomes still missing */
    bool patient;             /* wants the final outcome, never merely "held" */
    struct leat_status worst; /* `why` points into `text` */
    char text[160];
};

void leat_ack_init(struct leat_ack *ack, void (*done)(struct leat_ack *ack)); /* expects one */
void leat_ack_expect(struct leat_ack *ack, uint32_t more);
/* One outcome. `done` may run inside, and may free what holds the ack. */
void leat_ack_tell(struct leat_ack *ack, struct leat_status st);

#endif
