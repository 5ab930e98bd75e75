/* Time, from one place, so that tests can set it. */
#ifndef LEAT_BASE_CLOCK_H
#define LEAT_BASE_CLOCK_H

#include <stdint.h>

#define LEAT_MS  INT64_C(1000000)
#define LEAT_SEC INT64_C(1000000000)

int64_t leat_clock_mono(void); /* nanoseconds, never goes back; its zero means nothing */
int64_t leat_clock_wall(void); /* nanoseconds since 1970, UTC */

/* "2026-11-21T15:00:00.042Z" (RFC 3339), of a time as leat_clock_wall() gives it. Returns `out`. */
#define LEAT_CLOCK_TEXT 48
char *leat_clock_text(int64_t wall, char out[LEAT_CLOCK_TEXT]);

/* For tests: both clocks stand still at these values until leat_clock_real(). */
void leat_clock_fake(int64_t mono, int64_t wall);
void leat_clock_step(int64_t nanoseconds); /* moves the fake clocks on */
void leat_clock_real(void);

/* Random numbers for jitter and ids; not for secrets. Seeded per thread from the kernel; a fake
 * seed for tests. */
uint64_t leat_random(void);
void leat_random_fake(uint64_t seed);

#endif
