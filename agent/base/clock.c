/* Time and chance, from one place, so that tests can set them. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static atomic_bool fake;
static _Atomic int64_t fake_mono, fake_wall;
static _Thread_local uint64_t seed;

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * LEAT_SEC + ts.tv_nsec;
}

int64_t leat_clock_mono(void)
{
    return atomic_load_explicit(&fake, memory_order_relaxed) ? atomic_load(&fake_mono)
                                                             : read_clock(CLOCK_MONOTONIC);
}

int64_t leat_clock_wall(void)
{
    return atomic_load_explicit(&fake, memory_order_relaxed) ? atomic_load(&fake_wall)
                                                             : read_clock(CLOCK_REALTIME);
}

char *leat_clock_text(int64_t wall, char out[LEAT_CLOCK_TEXT])
{
    time_t seconds = (time_t)(wall / LEAT_SEC);
    struct tm tm;
    size_t len;

    gmtime_r(&seconds, &tm);
    len = strftime(out, LEAT_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + len, LEAT_CLOCK_TEXT - len, ".%03dZ", (int)(wall / LEAT_MS % 1000));
    return out;
}

void leat_clock_fake(int64_t mono, int64_t wall)
{
    atomic_store(&fake_mono, mono);
    atomic_store(&fake_wall, wall);
    atomic_store(&fake, true);
}

void leat_clock_step(int64_t nanoseconds)
{
    atomic_fetch_add(&fake_mono, nanoseconds);
    atomic_fetch_add(&fake_wall, nanoseconds);
}

void leat_clock_real(void)
{
    atomic_store(&fake, false);
}

/* splitmix64 (Steele, Lea, Flood 2014): one state word per thread is enough for jitter. */
uint64_t leat_random(void)
{
    uint64_t z;

    if (seed == 0 && getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = (uint64_t)read_clock(CLOCK_MONOTONIC) | 1;
    z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void leat_random_fake(uint64_t new_seed)
{
    seed = new_seed ? new_seed : 1;
}
