/* CPU time as the scheduler counts it. */
#include "meter.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#define TIMES_MAX ((size_t)1 << 24)

static void add_thread(int pid, const char *tid, struct meter_cpu *m)
{
    char path[64];
    long long run, wait;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", pid, tid);
    f = fopen(path, "r");
    if (f == NULL)
        return;
    if (fscanf(f, "%lld %lld", &run, &wait) == 2) {
        m->run += run;
        m->wait += wait;
    }
    fclose(f);
}

static void add_process(int pid, struct meter_cpu *m)
{
    char path[64];
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/task", pid);
    d = opendir(path);
    if (d == NULL)
        net_die("process %d is gone", pid);
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            add_thread(pid, e->d_name, m);
    closedir(d);
}

static void add_core(int core, struct meter_cpu *m)
{
    char name[16], line[512];
    long long v[8] = {0};
    FILE *f = fopen("/proc/stat", "r");

    snprintf(name, sizeof name, core < 0 ? "cpu " : "cpu%d ", core);
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        sscanf(line + strlen(name), "%lld %lld %lld %lld %lld %lld %lld %lld", v, v + 1, v + 2,
               v + 3, v + 4, v + 5, v + 6, v + 7);
        for (int i = 0; i < 8; i++)
            m->total += v[i];
        m->busy = v[0] + v[1] + v[2];
        m->steal = v[7];
        break;
    }
    if (f != NULL)
        fclose(f);
}

struct meter_cpu meter_read(const int *pids, size_t n, int core)
{
    struct meter_cpu m = {0};

    for (size_t i = 0; i < n; i++)
        add_process(pids[i], &m);
    add_core(core, &m);
    return m;
}

void meter_add(struct meter_times *t, int64_t ns)
{
    if (t->n == t->room) {
        if (t->room == TIMES_MAX)
            return;
        t->room = t->room == 0 ? 65536 : t->room * 2;
        t->ns = realloc(t->ns, t->room * sizeof *t->ns);
        if (t->ns == NULL)
            net_die("no memory");
    }
    t->ns[t->n++] = ns;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t meter_quantile(struct meter_times *t, double q)
{
    if (t->n == 0)
        return 0;
    qsort(t->ns, t->n, sizeof *t->ns, by_value);
    return t->ns[(size_t)(q * (double)(t->n - 1))];
}
