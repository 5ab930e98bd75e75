/* Assertions on invariants. They stay on in production: a broken invariant must not go on with
 * somebody's data. */
#ifndef LEAT_BASE_CHECK_H
#define LEAT_BASE_CHECK_H

/* Ends the process with a sentence that names the broken condition. Not for bad input: that is an
 * error, not a bug. */
#define LEAT_CHECK(cond) ((cond) ? (void)0 : leat_check_failed(#cond, __FILE__, __LINE__))

_Noreturn void leat_check_failed(const char *cond, const char *file, int line);

#endif
