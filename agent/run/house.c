/* What the program tells of itself. */
#include "run/house.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "run/registry.h"

#define NAME_MAX_BYTES 128 /* of a label made from an attribute; longer ones are cut */

struct leat_house_keeper {
    struct leat_house house;
    struct leat_gauge state;
    struct leat_meter *own;
    struct leat_meter **meters;
    size_t nmeters;
};

/* --- process metrics: collector service/internal/proctelemetry */

static double uptime(void *arg)
{
    const struct leat_house *h = arg;

    return (double)(leat_clock_wall() - h->started) / LEAT_SEC;
}

static double cpu_seconds(void *arg)
{
    struct rusage u;

    (void)arg;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void *arg)
{
    (void)arg;
    return (double)leat_mem_resident();
}

static double heap_bytes(void *arg)
{
    (void)arg;
    return (double)leat_mem_live();
}

static double system_bytes(void *arg)
{
    struct mallinfo2 m = mallinfo2();

    (void)arg;
    return (double)(m.arena + m.hblkhd);
}

static void probe(struct leat_house_keeper *h, const char *name, const char *help, int is_counter,
                  double (*read)(void *arg))
{
    struct leat_metric id = {.name = name, .help = help};

    leat_meter_probe(h->own, &id, is_counter, read, &h->house);
}

static void add_process_metrics(struct leat_house_keeper *h)
{
    probe(h, "otelcol_process_uptime", "Seconds since the program started.", 1, uptime);
    probe(h, "otelcol_process_cpu_seconds", "Processor time used, in seconds.", 1, cpu_seconds);
    probe(h, "otelcol_process_memory_rss", "Resident memory in bytes.", 0, resident_bytes);
    probe(h, "otelcol_process_runtime_heap_alloc_bytes", "Bytes allocated now.", 0, heap_bytes);
    probe(h, "otelcol_process_runtime_total_sys_memory_bytes",
          "Bytes obtained from the system for allocations.", 0, system_bytes);
}

static double one(void *arg)
{
    (void)arg;
    return 1;
}

/* "service.name" as a label. */
static void label_name(const char *key, char out[NAME_MAX_BYTES])
{
    size_t n = 0;

    if (key[0] >= '0' && key[0] <= '9')
        n = (size_t)snprintf(out, NAME_MAX_BYTES, "key_");
    for (; *key != '\0' && n + 1 < NAME_MAX_BYTES; key++) {
        bool letter = (*key >= 'a' && *key <= 'z') || (*key >= 'A' && *key <= 'Z');
        out[n++] = '_';
        if (letter || (*key >= '0' && *key <= '9'))
            out[n - 1] = *key;
    }
    out[n] = '\0';
}

/* Puts a label in, over the one of that name; a NULL value takes it away. How many there are then.
 */
static size_t put_label(struct leat_label *labels, size_t n, const char *name, const char *value)
{
    size_t i = 0;

    while (i < n && strcmp(labels[i].name, name) != 0)
        i++;
    if (value != NULL && i < LEAT_METER_LABELS) {
        labels[i] = (struct leat_label){name, value};
        return i == n ? n + 1 : n;
    }
    if (value == NULL && i < n) {
        labels[i] = labels[n - 1];
        labels[n - 1] = (struct leat_label){NULL, NULL};
        return n - 1;
    }
    return n;
}

/* target_info: who is speaking. */
static void add_target_info(struct leat_house_keeper *h, const struct leat_pairs *attributes)
{
    struct leat_metric id = {.name = "target_info", .help = "Who these metrics are about."};
    char(*names)[NAME_MAX_BYTES] = leat_new_array(attributes->count, NAME_MAX_BYTES), uuid[37];
    uint64_t a = leat_random(), b = leat_random();
    size_t n = 0;

    snprintf(uuid, sizeof uuid, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff,
             ((unsigned)(b >> 48) & 0x3fff) | 0x8000,
             (unsigned long long)b & UINT64_C(0xffffffffffff)); /* RFC 9562, version 4 */
    n = put_label(id.labels, n, "service_name", "leat");
    n = put_label(id.labels, n, "service_version", LEAT_VERSION);
    n = put_label(id.labels, n, "service_instance_id", uuid);
    for (uint32_t i = 0; i < attributes->count; i++) {
        label_name(attributes->items[i].key, names[i]);
        if (names[i][0] != '\0')
            n = put_label(id.labels, n, names[i], attributes->items[i].value);
    }
    leat_meter_probe(h->own, &id, 0, one, NULL);
    leat_free(names);
}

/* --- what extensions see */

static enum leat_house_state get_state(void *self)
{
    struct leat_house_keeper *h = self;

    return (enum leat_house_state)leat_gauge_get(&h->state);
}

static void metrics(void *self, struct leat_text *out)
{
    struct leat_house_keeper *h = self;

    leat_meter_render(h->meters, h->nmeters, out);
}

static const char *const *ids_of(const struct leat_ref *refs, size_t n)
{
    const char **ids = leat_new_array(n + 1, sizeof *ids);

    for (size_t i = 0; i < n; i++)
        ids[i] = refs[i].instance->id;
    return ids;
}

static void list_pipelines(struct leat_house_keeper *h, const struct leat_plan *plan)
{
    struct leat_house_pipeline *list = leat_new_array(plan->npipelines, sizeof *list);

    for (size_t i = 0; i < plan->npipelines; i++) {
        const struct leat_pipeline *in = plan->pipelines[i].pipeline;
        list[i] = (struct leat_house_pipeline){
            .id = in->id,
            .signal = leat_signal_name(in->signal),
            .receivers = ids_of(in->receivers, in->nreceivers),
            .processors = ids_of(in->processors, in->nprocessors),
            .exporters = ids_of(in->exporters, in->nexporters),
        };
    }
    h->house.pipelines = list;
    h->house.npipelines = (uint32_t)plan->npipelines;
}

static void list_components(struct leat_house_keeper *h, const struct leat_plan *plan)
{
    struct leat_house_component *list = leat_new_array(plan->nitems, sizeof *list);

    for (size_t i = 0; i < plan->nitems; i++)
        list[i] = (struct leat_house_component){
            .id = plan->items[i].instance->id,
            .type = plan->items[i].component->type,
            .kind = leat_kind_name(plan->items[i].component->kind),
        };
    h->house.components = list;
    h->house.ncomponents = (uint32_t)plan->nitems;
}

struct leat_house_keeper *leat_house_new(const struct leat_plan *plan, unsigned workers)
{
    struct leat_house_keeper *h = leat_new(sizeof *h);

    h->house = (struct leat_house){
        .self = h,
        .state = get_state,
        .started = leat_clock_wall(),
        .version = LEAT_VERSION,
        .workers = workers,
        .metrics = metrics,
    };
    list_components(h, plan);
    list_pipelines(h, plan);
    h->own = leat_meter_new();
    add_process_metrics(h);
    add_target_info(h, &plan->telemetry.attributes);
    leat_house_add_meter(h, h->own);
    return h;
}

static void free_list(const void *list)
{
    leat_free((void *)(uintptr_t)list);
}

void leat_house_free(struct leat_house_keeper *h)
{
    if (h == NULL)
        return;
    for (uint32_t i = 0; i < h->house.npipelines; i++) {
        free_list(h->house.pipelines[i].receivers);
        free_list(h->house.pipelines[i].processors);
        free_list(h->house.pipelines[i].exporters);
    }
    free_list(h->house.pipelines);
    free_list(h->house.components);
    leat_meter_free(h->own);
    leat_free(h->meters);
    leat_free(h);
}

const struct leat_house *leat_house_of(const struct leat_house_keeper *h)
{
    return &h->house;
}

void leat_house_set_state(struct leat_house_keeper *h, enum leat_house_state state)
{
    leat_gauge_set(&h->state, (int64_t)state);
}

void leat_house_add_meter(struct leat_house_keeper *h, struct leat_meter *m)
{
    h->meters = leat_renew(h->meters, (h->nmeters + 1) * sizeof(struct leat_meter *));
    h->meters[h->nmeters++] = m;
}

bool leat_house_visit(const struct leat_house_keeper *h, size_t nth,
                      void (*visit)(void *arg, const struct leat_metric *id, double value),
                      void *arg)
{
    if (nth > h->nmeters)
        return false;
    if (nth == 0)
        leat_meter_visit(h->meters, h->nmeters, visit, arg);
    else
        leat_meter_visit(h->meters + nth - 1, 1, visit, arg);
    return true;
}
