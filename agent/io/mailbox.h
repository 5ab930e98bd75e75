/* Where threads meet: a message is moved to another worker's loop, never shared. */
#ifndef LEAT_IO_MAILBOX_H
#define LEAT_IO_MAILBOX_H

#include "io/loop.h"

struct leat_mailbox;

struct leat_mail {
    struct leat_mail *next;                  /* private */
    void (*deliver)(struct leat_mail *mail); /* runs on the receiving loop's thread */
};

struct leat_mailbox *leat_mailbox_new(struct leat_loop *l, struct leat_err *err);
void leat_mailbox_free(
    struct leat_mailbox *m); /* on the loop's thread; what is still inside is delivered first */
/* From any thread. Mails of one sender arrive in order. Wait-free; never fails. */
void leat_mailbox_send(struct leat_mailbox *m, struct leat_mail *mail);

#endif
