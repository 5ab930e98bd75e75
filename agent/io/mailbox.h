/* Where threads meet: a message is moved to another worker's loop, never shared. */
#ifndef LEAT_IO_MAILBOX_H
#define LEAT_IO_MAILBOX_H

#include <stdatomic.h>

#include "io/loop.h"

struct leat_mailbox;

struct leat_mail {
    _Atomic(struct leat_mail *) next; /* private */
    /* Runs on the receiving loop's thread; the mail is the receiver's then, to free or send on. */
    void (*deliver)(struct leat_mail *mail);
};

struct leat_mailbox *leat_mailbox_new(struct leat_loop *l, struct leat_err *err);
/* On the loop's thread, when nobody sends any more; what is still inside is delivered first. Takes
 * NULL. */
void leat_mailbox_free(struct leat_mailbox *m);
/* From any thread. Mails of one sender arrive in order. Wait-free; never fails. */
void leat_mailbox_send(struct leat_mailbox *m, struct leat_mail *mail);

#endif
