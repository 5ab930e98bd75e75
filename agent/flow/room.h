/* The room in a queue: how much of it is taken, how much by whom, and who waits for some.
 *
 * Sizes are in units of the sizer. Whose a part is its buffer's budget says (base/share.h); parts
 * of nobody count for the whole only. A client may hold no more than is fair (leat_fair()), and
 * those who wait are let in by turns, one batch of each client. What is larger than the whole room
 * is let in when nothing else is there. Queues are served by turns of clients too, so that nobody
 * stands behind all that a greedy one has sent. */
#ifndef LEAT_FLOW_ROOM_H
#define LEAT_FLOW_ROOM_H

#include "base/share.h"
#include "flow/batch.h"

int64_t leat_sizer_measure(int sizer, const struct leat_batch *b);
const char *leat_sizer_name(int sizer);

struct leat_turn;

/* Lists of batches, one for each share and one for nobody's, taken from by turns. */
struct leat_turns {
    struct leat_turn *of;   /* by the share's number */
    struct leat_link order; /* of those that are not empty */
};

struct leat_room {
    int64_t capacity, size;
    int sizer; /* enum leat_sizer (flow/sender.h) */
    struct leat_shares *shares;
    struct leat_turns waiting; /* not in the room yet */
    struct leat_turns queue;   /* in the room, to be sent */
    struct leat_link first;    /* to be sent before those */
};

void leat_room_init(struct leat_room *r, int64_t capacity, int sizer);
void leat_room_done(struct leat_room *r); /* nothing is in it, nobody waits */

enum leat_room_answer {
    LEAT_ROOM_YES,
    LEAT_ROOM_FULL,   /* for everybody */
    LEAT_ROOM_UNFAIR, /* what is left is for other clients */
};
/* `why` is filled unless YES: a sentence for the caller. */
enum leat_room_answer leat_room_ask(struct leat_room *r, const struct leat_batch *b, char *why,
                                    size_t size);
/* Takes room for the batch, whatever there is: b->weight is what it counts for, of which every part
 * knows its own. */
void leat_room_enter(struct leat_room *r, struct leat_batch *b);
/* Gives back what this batch counts for, wherever it was joined or cut meanwhile. */
void leat_room_leave(struct leat_room *r, const struct leat_batch *b);

/* What is in the room and ready to be sent: a client's own in the order they came, clients by
 * turns, and before all what is put first. */
void leat_room_queue(struct leat_room *r, struct leat_batch *b);
void leat_room_queue_first(struct leat_room *r, struct leat_batch *b);
bool leat_room_queued(const struct leat_room *r);
struct leat_batch *leat_room_unqueue(struct leat_room *r); /* NULL: nothing is ready */

/* Lines the batch up behind its client's others. */
void leat_room_wait(struct leat_room *r, struct leat_batch *b);
bool leat_room_awaited(const struct leat_room *r); /* somebody waits */
/* The next in turn, no longer waiting; NULL: nobody waits, or it does not fit yet (`any`: whether
 * it fits or not). */
struct leat_batch *leat_room_next(struct leat_room *r, bool any);

#endif
