/* CPU time as the scheduler counts it, and what a loader measures with it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct meter_cpu {
    int64_t run,
        wait; /* nanoseconds of all threads of all processes: running; runnable but not running */
    int64_t steal, busy, total; /* ticks of the watched core */
};

/* Sums the schedstat of every thread below /proc/PID/task of the processes, and the core's line of
 * /proc/stat (core < 0: all). */
struct meter_cpu meter_read(const int *pids, size_t n, int core);

/* Latencies: all of them, exactly. */
struct meter_times {
    int64_t *ns;
    size_t n, room;
};
void meter_add(struct meter_times *t, int64_t ns);
/* The quantile q of 0 … 1; sorts. 0 when there is none. */
int64_t meter_quantile(struct meter_times *t, double q);
