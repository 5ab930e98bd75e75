/* Why something failed, in words for the person who runs the program. */
#ifndef LEAT_BASE_ERR_H
#define LEAT_BASE_ERR_H

struct leat_err {
    char text[512]; /* one sentence: what, where, what to do; cut when longer */
};

/* Writes the sentence. Always returns -1, so that `return leat_fail(err, ...)` reads as one step.
 * `err` may be NULL. */
int leat_fail(struct leat_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "where: " in front of the sentence that is already there; returns -1. */
int leat_fail_in(struct leat_err *err, const char *where);

#endif
