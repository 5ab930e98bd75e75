/* What flows left: how a batch's journey ended. */
#include "flow/ack.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

void leat_ack_init(struct leat_ack *ack, void (*done)(struct leat_ack *ack))
{
    ack->done = done;
    ack->pending = 1;
    ack->patient = false;
    ack->worst = (struct leat_status){.outcome = LEAT_DELIVERED};
    ack->text[0] = '\0';
}

void leat_ack_expect(struct leat_ack *ack, uint32_t more)
{
    LEAT_CHECK(ack->pending > 0 && ack->pending <= UINT32_MAX - more);
    ack->pending += more;
}

/* Keeps the worst outcome; of equal ones the longest delay. Records rejected by the way add up. */
static void merge(struct leat_ack *ack, const struct leat_status *st)
{
    uint32_t rejected = ack->worst.rejected + st->rejected;

    if (st->outcome > ack->worst.outcome ||
        (st->outcome == ack->worst.outcome && st->retry_after_ms > ack->worst.retry_after_ms) ||
        (st->rejected > 0 && ack->worst.why == NULL)) {
        ack->worst = *st;
        ack->worst.why = NULL;
        if (st->why != NULL) {
            snprintf(ack->text, sizeof ack->text, "%s", st->why);
            ack->worst.why = ack->text;
        }
    }
    ack->worst.rejected = rejected;
}

void leat_ack_tell(struct leat_ack *ack, struct leat_status st)
{
    LEAT_CHECK(ack->pending > 0);
    if (st.outcome != LEAT_DELIVERED || st.rejected != 0)
        merge(ack, &st);
    if (--ack->pending == 0)
        ack->done(ack);
}
