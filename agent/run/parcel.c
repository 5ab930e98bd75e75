/* Batches for a component that lives in another worker. */
#include "run/parcel.h"

#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "flow/ledger.h"
#include "flow/origin.h"

#define RETRY_MS 1000

struct parcel {
    struct leat_mail mail;
    struct leat_parcel_route *route;
    struct leat_batch *batch;   /* touched at home only, but for copying it once */
    struct leat_origin *origin; /* a copy for the far end; NULL: none */
    struct leat_ack ack;        /* the stand-in at the far end */
    struct leat_status status;
    bool undelivered; /* it never came to the component */
    char why[160];
};

/* For want of memory. The component has not seen it, so its books are closed here. */
static void refuse(struct leat_parcel_route *route, struct leat_batch *batch)
{
    struct leat_status status = leat_retry(14, RETRY_MS, "out of memory");

    leat_ledger_end(route->ledger, batch, &status);
    leat_batch_done(batch, status);
}

/* Home again: the real waiters hear of it. */
static void arrive_home(struct leat_mail *mail)
{
    struct parcel *p = LEAT_OWNER(mail, struct parcel, mail);
    struct leat_parcel_route *route = p->route;
    struct leat_batch *batch = p->batch;
    struct leat_status status = p->status;
    bool undelivered = p->undelivered;
    char why[sizeof p->why];

    snprintf(why, sizeof why, "%s", p->why);
    status.why = status.why ? why : NULL;
    LEAT_CHECK(route->under_way > 0);
    route->under_way--;
    leat_free(p);
    if (undelivered)
        refuse(route, batch);
    else
        leat_batch_done(batch, status);
}

static void send_home(struct parcel *p, struct leat_status status)
{
    p->status = status;
    snprintf(p->why, sizeof p->why, "%s", status.why ? status.why : "");
    p->mail.deliver = arrive_home;
    leat_mailbox_send(p->route->home, &p->mail);
}

static void ended_away(struct leat_ack *ack)
{
    struct parcel *p = LEAT_OWNER(ack, struct parcel, ack);

    send_home(p, ack->worst);
}

static void arrive_away(struct leat_mail *mail)
{
    struct parcel *p = LEAT_OWNER(mail, struct parcel, mail);
    struct leat_batch *copy = leat_batch_again(p->batch, &p->ack);

    if (copy != NULL) {
        leat_origin_unref(copy->origin);
        copy->origin = p->origin;
        p->origin = NULL;
        leat_send(&p->route->to, copy);
        return;
    }
    leat_origin_unref(p->origin);
    p->undelivered = true;
    p->mail.deliver = arrive_home;
    leat_mailbox_send(p->route->home, &p->mail);
}

void leat_parcel_take(void *route, struct leat_batch *batch)
{
    struct parcel *p = leat_try_zeroed(sizeof *p);

    if (p != NULL && batch->origin != NULL) {
        p->origin = leat_origin_copy(batch->origin); /* its count is not for two threads */
        if (p->origin == NULL) {
            leat_free(p);
            p = NULL;
        }
    }
    if (p == NULL) {
        refuse(route, batch);
        return;
    }
    leat_origin_unref(batch->origin);
    batch->origin = NULL;
    p->route = route;
    p->batch = batch;
    p->route->under_way++;
    leat_ack_init(&p->ack, ended_away);
    p->ack.patient = leat_batch_is_patient(batch);
    p->mail.deliver = arrive_away;
    leat_mailbox_send(p->route->away, &p->mail);
}
