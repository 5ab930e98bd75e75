/* Users and their password hashes, in the format of Apache's htpasswd.
 *
 * "user:hash" per line, '#' starts a comment line. Hashes: bcrypt ($2a$ $2b$ $2y$) and the other
 * methods of this system's crypt(3) ($1$ $5$ $6$ $y$), $apr1$, {SHA}, {SSHA}; anything else that
 * starts with neither '$' nor '{' is the password itself, as the collector reads it. Of several
 * lines for one user the first counts.
 *
 * Hashes are slow on purpose, and the caller's loop waits for them. So a good password is
 * remembered (as a keyed digest, in memory only) and costs nothing the next time, so are the last
 * bad ones; and after a wrong guess the next slow check is refused for twice the time the guess
 * took: guessing cannot take more than a third of a worker. */
#ifndef LEAT_IO_HTPASSWD_H
#define LEAT_IO_HTPASSWD_H

#include "base/bytes.h"
#include "base/err.h"

struct leat_htpasswd;

enum leat_htpasswd_result {
    LEAT_HTPASSWD_OK,
    LEAT_HTPASSWD_WRONG,     /* no such user, or not that password */
    LEAT_HTPASSWD_BUSY,      /* too many wrong guesses at the moment: may be right later */
    LEAT_HTPASSWD_NO_MEMORY, /* cannot tell now */
};

/* NULL and `err` ("line 3 …", never with a hash in it): not of that format, a hash that this system
 * cannot check, one that takes seconds, more than 10,000 users, no memory. `first` and `second` are
 * read one after the other (either may be empty). */
struct leat_htpasswd *leat_htpasswd_new(struct leat_bytes first, struct leat_bytes second,
                                        struct leat_err *err);
void leat_htpasswd_free(struct leat_htpasswd *h); /* takes NULL */
enum leat_htpasswd_result leat_htpasswd_check(struct leat_htpasswd *h, struct leat_bytes user,
                                              struct leat_bytes password);

/* "Authorization: Basic …" (RFC 7617): finds user and password in the header's value and checks
 * them. */
enum leat_htpasswd_result leat_htpasswd_admit(struct leat_htpasswd *h, struct leat_bytes header);

#endif
