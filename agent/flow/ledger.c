/* Every item accounted for. */
#include "flow/ledger.h"

#include "base/meter.h"
#include "flow/batch.h"

static const char *const fate_names[] = {"in",          "out",      "delivered", "filtered",
                                         "sampled_out", "rejected", "refused"};

void leat_ledger_open(struct leat_ledger *l, struct leat_meter *m, const char *kind, const char *id,
                      const char *pipeline, unsigned signals)
{
    *l = (struct leat_ledger){0};
    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        struct leat_metric id_of = {.labels = {{"component", id},
                                               {"kind", kind},
                                               {"pipeline", pipeline},
                                               {"signal", leat_signal_name((enum leat_signal)s)}}};
        if ((signals & 1u << s) == 0)
            continue;
        id_of.name = "leat_items_held";
        id_of.help = "Items inside a component now.";
        l->held[s] = leat_meter_gauge(m, &id_of);
        id_of.name = "leat_bytes_held";
        id_of.help = "Bytes of OTLP inside a component now.";
        l->held_bytes[s] = leat_meter_gauge(m, &id_of);
        id_of.name = "leat_items_total";
        id_of.help = "Items by what became of them at a component.";
        for (unsigned f = 0; f < LEAT_FATES; f++) {
            id_of.labels[4] = (struct leat_label){"fate", fate_names[f]};
            l->fates[s][f] = leat_meter_counter(m, &id_of);
        }
        id_of.name = "leat_bytes_total";
        id_of.help = "Bytes of OTLP by what became of them at a component.";
        for (unsigned f = 0; f < LEAT_BYTE_FATES; f++) {
            id_of.labels[4] = (struct leat_label){"fate", fate_names[f]};
            l->bytes[s][f] = leat_meter_counter(m, &id_of);
        }
    }
}

void leat_ledger_count(struct leat_ledger *l, enum leat_signal s, enum leat_fate f, uint64_t items)
{
    leat_count(l->fates[s][f], items);
}

void leat_ledger_pass(struct leat_ledger *l, const struct leat_batch *b, enum leat_fate f)
{
    leat_count(l->fates[b->signal][f], b->items);
    leat_count(l->bytes[b->signal][f], b->bytes);
}

void leat_ledger_hold(struct leat_ledger *l, enum leat_signal s, int64_t items, int64_t bytes)
{
    leat_gauge_add(l->held[s], items);
    leat_gauge_add(l->held_bytes[s], bytes);
}

void leat_ledger_end(struct leat_ledger *l, const struct leat_batch *b,
                     const struct leat_status *st)
{
    uint32_t rejected = st->rejected < b->items ? st->rejected : b->items;

    switch (st->outcome) {
    case LEAT_DELIVERED:
        leat_ledger_count(l, b->signal, LEAT_FATE_DELIVERED, b->items - rejected);
        leat_count(l->bytes[b->signal][LEAT_FATE_DELIVERED], b->bytes);
        leat_ledger_count(l, b->signal, LEAT_FATE_REJECTED, rejected);
        break;
    case LEAT_REJECTED:
        leat_ledger_count(l, b->signal, LEAT_FATE_REJECTED, b->items);
        break;
    case LEAT_RETRY:
        leat_ledger_count(l, b->signal, LEAT_REFUSED, b->items);
        break;
    }
}

int64_t leat_ledger_gap(const struct leat_ledger *l, enum leat_signal s)
{
    int64_t gap = (int64_t)leat_counter_get(l->fates[s][LEAT_IN]);

    for (unsigned f = LEAT_OUT; f < LEAT_FATES; f++)
        gap -= (int64_t)leat_counter_get(l->fates[s][f]);
    return gap - leat_gauge_get(l->held[s]);
}
