/* What this process may use. Sources: kernel cgroup-v2.rst (cpu.max, memory.max), cgroup-v1
 * (cpu.cfs_quota_us, memory.limit_in_bytes), sched_getaffinity(2), sysinfo(2). */
#include "run/limits.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

static const char *root = "";

void leat_limits_root(const char *new_root)
{
    root = new_root;
}

/* The first line of a small file; 0, or -1. */
static int read_line(const char *path, char *out, size_t size)
{
    char full[1200];
    FILE *f;
    int ok;

    snprintf(full, sizeof full, "%s%s", root, path);
    f = fopen(full, "re");
    if (f == NULL)
        return -1;
    ok = fgets(out, (int)size, f) != NULL;
    fclose(f);
    return ok ? 0 : -1;
}

/* The path of this process in the unified hierarchy ("0::/…"), or "" when there is none. */
static void own_cgroup(char *out, size_t size)
{
    char full[1200], line[1024];
    FILE *f;

    out[0] = '\0';
    snprintf(full, sizeof full, "%s/proc/self/cgroup", root);
    f = fopen(full, "re");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "0::", 3) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(out, size, "%.*s", (int)size - 1, line + 3);
        }
    }
    fclose(f);
}

/* Calls `take` with the file's first line in this process's cgroup and in each above it. */
static void each_level(const char *file, void (*take)(const char *line, void *arg), void *arg)
{
    char group[900], path[1100], line[128];

    own_cgroup(group, sizeof group);
    for (;;) {
        char *slash;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", strcmp(group, "/") ? group : "", file);
        if (read_line(path, line, sizeof line) == 0)
            take(line, arg);
        slash = strrchr(group, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

static void take_quota(const char *line, void *arg)
{
    double *cpus = arg;
    long long quota, period;

    if (sscanf(line, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0 &&
        (double)quota / (double)period < *cpus)
        *cpus = (double)quota / (double)period;
}

static void take_v1_quota(double *cpus)
{
    char line[128];
    long long quota = 0, period = 0;

    if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line) < 0 ||
        sscanf(line, "%lld", &quota) != 1 || quota <= 0 ||
        read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line, sizeof line) < 0 ||
        sscanf(line, "%lld", &period) != 1 || period <= 0)
        return;
    if ((double)quota / (double)period < *cpus)
        *cpus = (double)quota / (double)period;
}

unsigned leat_limits_processors(void)
{
    cpu_set_t set;
    double cpus = 1;
    unsigned whole;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = CPU_COUNT(&set);
    each_level("cpu.max", take_quota, &cpus);
    take_v1_quota(&cpus);
    whole = (unsigned)cpus;
    if ((double)whole < cpus)
        whole++;
    return whole < 1 ? 1 : whole;
}

static void take_memory(const char *line, void *arg)
{
    uint64_t *limit = arg, v;

    if (sscanf(line, "%" SCNu64, &v) == 1 && v > 0 && v < *limit)
        *limit = v;
}

uint64_t leat_limits_memory(int *ret_is_cgroup)
{
    uint64_t machine = UINT64_MAX, limit;
    struct sysinfo info;
    char line[128];

    if (sysinfo(&info) == 0)
        machine = (uint64_t)info.totalram * info.mem_unit;
    limit = machine;
    each_level("memory.max", take_memory, &limit);
    if (read_line("/sys/fs/cgroup/memory/memory.limit_in_bytes", line, sizeof line) == 0)
        take_memory(line, &limit);
    *ret_is_cgroup = limit < machine;
    return limit;
}
