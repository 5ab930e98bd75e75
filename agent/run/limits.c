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

/* The list "cpu,cpuacct" holds the word. */
static int holds(const char *list, size_t len, const char *word)
{
    size_t n = strlen(word);

    for (size_t at = 0; at <= len; at += strcspn(list + at, ",:") + 1) {
        if (len - at >= n && strncmp(list + at, word, n) == 0 &&
            (at + n == len || list[at + n] == ','))
            return 1;
    }
    return 0;
}

/* The path of this process in the hierarchy of a v1 controller, or for "" in the unified one
 * ("0::/…"); "" when there is none. */
static void own_cgroup(const char *controller, char *out, size_t size)
{
    char full[1200], line[1024];
    FILE *f;

    out[0] = '\0';
    snprintf(full, sizeof full, "%s/proc/self/cgroup", root);
    f = fopen(full, "re");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        size_t len = path ? (size_t)(path - list) - 1 : 0;
        if (path == NULL || (controller[0] == '\0' ? len != 0 : !holds(list + 1, len, controller)))
            continue;
        path[strcspn(path, "\n")] = '\0';
        snprintf(out, size, "%s", path + 1);
    }
    fclose(f);
}

/* Calls `take` for this process's folder in the hierarchy and each above it; inside a container the
 * path may not be there, and its mount is the group's own. */
static void each_level(const char *controller, void (*take)(const char *folder, void *arg),
                       void *arg)
{
    char group[900], folder[1100];

    own_cgroup(controller, group, sizeof group);
    for (;;) {
        char *slash;
        snprintf(folder, sizeof folder, "/sys/fs/cgroup%s%s%s", controller[0] ? "/" : "",
                 controller, strcmp(group, "/") ? group : "");
        take(folder, arg);
        slash = strrchr(group, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

static int read_in(const char *folder, const char *file, char *out, size_t size)
{
    char path[1150];

    snprintf(path, sizeof path, "%s/%s", folder, file);
    return read_line(path, out, size);
}

static void keep_fewer(double *cpus, long long quota, long long period)
{
    if (quota > 0 && period > 0 && (double)quota / (double)period < *cpus)
        *cpus = (double)quota / (double)period;
}

static void take_quota(const char *folder, void *arg)
{
    char line[128];
    long long quota, period;

    if (read_in(folder, "cpu.max", line, sizeof line) == 0 &&
        sscanf(line, "%lld %lld", &quota, &period) == 2)
        keep_fewer(arg, quota, period);
}

static void take_v1_quota(const char *folder, void *arg)
{
    char line[128];
    long long quota, period;

    if (read_in(folder, "cpu.cfs_quota_us", line, sizeof line) < 0 ||
        sscanf(line, "%lld", &quota) != 1 ||
        read_in(folder, "cpu.cfs_period_us", line, sizeof line) < 0 ||
        sscanf(line, "%lld", &period) != 1)
        return;
    keep_fewer(arg, quota, period);
}

unsigned leat_limits_processors(void)
{
    cpu_set_t set;
    double cpus = 1;
    unsigned whole;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = CPU_COUNT(&set);
    each_level("", take_quota, &cpus);
    each_level("cpu", take_v1_quota, &cpus);
    whole = (unsigned)cpus;
    if ((double)whole < cpus)
        whole++;
    return whole < 1 ? 1 : whole;
}

static void keep_smaller(const char *folder, const char *file, uint64_t *limit)
{
    char line[128];
    uint64_t v;

    if (read_in(folder, file, line, sizeof line) == 0 && line[0] >= '0' && line[0] <= '9' &&
        sscanf(line, "%" SCNu64, &v) == 1 && v > 0 && v < *limit)
        *limit = v;
}

static void take_memory(const char *folder, void *arg)
{
    keep_smaller(folder, "memory.max", arg);
}

static void take_v1_memory(const char *folder, void *arg)
{
    keep_smaller(folder, "memory.limit_in_bytes", arg);
}

uint64_t leat_limits_memory(int *ret_is_cgroup)
{
    uint64_t machine = UINT64_MAX, limit;
    struct sysinfo info;

    if (sysinfo(&info) == 0)
        machine = (uint64_t)info.totalram * info.mem_unit;
    limit = machine;
    each_level("", take_memory, &limit);
    each_level("memory", take_v1_memory, &limit);
    *ret_is_cgroup = limit < machine;
    return limit;
}
