/* StatsD receiver: UDP, TCP, Unix datagrams and streams; what comes is added up and sent on once
 * per interval. */
#include "receivers/statsd.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/dgram.h"
#include "receivers/statsd_conf.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

const char *leat_statsd_address(const uint8_t client[16], char out[LEAT_STATSD_ADDRESS])
{
    static const uint8_t none[16];

    if (memcmp(client, none, sizeof none) == 0)
        return "";
    if (memcmp(client, mapped, sizeof mapped) == 0)
        inet_ntop(AF_INET, client + sizeof mapped, out, LEAT_STATSD_ADDRESS);
    else
        inet_ntop(AF_INET6, client, out, LEAT_STATSD_ADDRESS);
    return out;
}

/* --- what comes in */

static void set_client(uint8_t client[16], struct leat_bytes from)
{
    if (from.len == 16) {
        memcpy(client, from.data, 16);
    } else if (from.len == 4) {
        memcpy(client, mapped, sizeof mapped);
        memcpy(client + sizeof mapped, from.data, 4);
    } else {
        memset(client, 0, 16);
    }
}

/* Several runs of lines of one client. */
static void feed_all(struct leat_statsd *r, struct leat_bytes from, const struct leat_bytes *data,
                     size_t n)
{
    if (r->table == NULL)
        return;
    if (!r->conf->ignore_host)
        set_client(r->source.client, from);
    leat_statsd_table_feed_all(r->table, &r->source, data, n);
}

void leat_statsd_feed(struct leat_statsd *r, struct leat_bytes from, struct leat_bytes data)
{
    feed_all(r, from, &data, 1);
}

void leat_statsd_fed(struct leat_statsd *r)
{
    if (r->out != NULL)
        leat_statsd_notices_send(r->out);
    if (r->table == NULL)
        return;
    leat_statsd_meters_look(r);
    if (!leat_statsd_table_wants_pass(r->table))
        return;
    if (r->lead != NULL)
        leat_statsd_lead_go(r->lead);
    else
        leat_statsd_plead(r);
}

/* Whole lines of a packet whose end is lost. */
static struct leat_bytes whole_lines(struct leat_bytes data)
{
    const uint8_t *last = memrchr(data.data, '\n', data.len);

    return leat_bytes(data.data, last ? (size_t)(last - data.data) + 1 : 0);
}

static void on_packets(void *self, const struct leat_packet *packets, size_t n)
{
    struct leat_statsd *r = self;
    struct leat_bytes data[LEAT_DGRAM_BATCH], from = packets[0].from;
    uint64_t bytes = 0, truncated = 0;
    size_t have = 0;

    r->source.now = leat_clock_wall();
    for (size_t i = 0; i < n; i++) {
        const struct leat_packet *p = &packets[i];

        if (!leat_bytes_eq(p->from, from)) { /* a turn of one client is fed together */
            feed_all(r, from, data, have);
            have = 0;
            from = p->from;
        }
        bytes += p->data.len;
        truncated += p->truncated;
        data[have++] = p->truncated ? whole_lines(p->data) : p->data;
    }
    feed_all(r, from, data, have);
    leat_statsd_count(r, LEAT_STATSD_PACKETS, n);
    leat_statsd_count(r, LEAT_STATSD_BYTES, bytes);
    if (truncated > 0)
        leat_statsd_count(r, LEAT_STATSD_TRUNCATED, truncated);
    leat_statsd_fed(r);
}

static void on_dropped(void *self, size_t nth, uint64_t n)
{
    struct leat_statsd *r = self;

    leat_statsd_count_drops(r, nth, n);
    leat_warn(r->env->id,
              "the kernel has dropped %llu packets for want of room: raise socket_buffer_size (and "
              "net.core.rmem_max) or spread the senders over more ports",
              (unsigned long long)n);
}

/* --- the beginning */

static void warn_of_buffer(struct leat_statsd *r)
{
    uint64_t got = leat_dgram_buffer(r->dgram);

    if (r->conf->socket_buffer_size > got && leat_statsd_transport(r->conf)->family != AF_UNIX)
        leat_warn(r->env->id,
                  "the kernel allows a socket_buffer_size of %llu bytes only: raise "
                  "net.core.rmem_max",
                  (unsigned long long)got);
}

static int open_dgram(struct leat_statsd *r, struct leat_err *err)
{
    static const struct leat_dgram_events events = {on_packets, on_dropped};
    const struct leat_statsd_transport *t = leat_statsd_transport(r->conf);
    struct leat_dgram_conf conf = {.endpoint = r->conf->endpoint,
                                   .family = t->family,
                                   .permissions = leat_statsd_permissions(r->conf),
                                   .buffer = r->conf->socket_buffer_size,
                                   .share = r->env->id,
                                   .sources = !r->conf->ignore_host};

    if (t->family == AF_UNIX && r->env->worker != 0)
        return 0; /* one socket has one reader */
    r->dgram = leat_dgram_open(r->env->loop, &conf, &events, r, err);
    if (r->dgram == NULL)
        return -1;
    for (size_t i = 0; i < leat_dgram_addresses(r->dgram); i++) {
        char *where = leat_dgram_address(r->dgram, i);

        leat_statsd_meters_address(r, i, where);
        leat_free(where);
    }
    if (r->env->worker != 0)
        return 0;
    leat_info(r->env->id, "listening on %s (%s)", leat_dgram_text(r->dgram), t->name);
    warn_of_buffer(r);
    return 0;
}

static int open_sockets(struct leat_statsd *r, struct leat_err *err)
{
    const struct leat_statsd_transport *t = leat_statsd_transport(r->conf);

    if (!t->stream)
        return open_dgram(r, err);
    r->streams = leat_statsd_streams_open(r, err);
    if (r->streams == NULL)
        return -1;
    if (r->env->worker == 0)
        leat_info(r->env->id, "listening on %s (%s)", leat_statsd_streams_text(r->streams),
                  t->name);
    return 0;
}

void leat_statsd_let_go(struct leat_statsd *r)
{
    leat_dgram_free(r->dgram);
    r->dgram = NULL;
    leat_statsd_streams_free(r->streams);
    r->streams = NULL;
    r->receiving = false;
    leat_statsd_table_free(r->table);
    r->table = NULL;
    leat_statsd_notices_free(r->out);
    r->out = NULL;
}

static int statsd_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    struct leat_statsd *r = self, *first = env->first;
    struct leat_statsd_rules *rules = NULL;

    r->env = env;
    r->conf = env->conf;
    if (first == NULL && (rules = leat_statsd_rules_new(&r->conf->table, err)) == NULL)
        return -1;
    r->rules = first != NULL ? first->rules : rules;
    r->table = leat_statsd_table_new(r->rules, env->budget, leat_clock_wall());
    r->meters = leat_statsd_meters_new(r);
    if (env->next[LEAT_LOGS].take != NULL) {
        r->out = leat_statsd_notices_new(r, r->conf->table.enable_simple_tags);
        r->source.notice = leat_statsd_notices_take;
        r->source.arg = r;
    }
    if (open_sockets(r, err) < 0) {
        leat_statsd_let_go(r);
        leat_statsd_meters_free(r->meters);
        leat_statsd_rules_free(rules);
        return -1;
    }
    r->receiving = true;
    if (first == NULL)
        r->lead = leat_statsd_lead_new(r, rules, r->conf->aggregation_interval);
    else
        leat_statsd_lead_join(first->lead, r);
    return 0;
}

/* --- the end */

void leat_statsd_drained(struct leat_statsd *r)
{
    if (--r->undrained == 0 && r->drained != NULL)
        r->drained(r->house);
}

static void sockets_done(struct leat_statsd *r)
{
    r->receiving = false;
    if (r->lead == NULL)
        leat_statsd_answer(r);
    if (r->out != NULL) {
        r->undrained++;
        leat_statsd_notices_drain(r->out);
    }
    if (r->lead != NULL) {
        r->undrained++;
        leat_statsd_lead_drain(r->lead);
    }
}

void leat_statsd_finished(struct leat_statsd *r)
{
    sockets_done(r);
    leat_statsd_drained(r);
}

static void statsd_drain(void *self, void (*drained)(void *house), void *house)
{
    struct leat_statsd *r = self;

    r->drained = drained;
    r->house = house;
    r->undrained = 1;
    if (r->streams != NULL) {
        leat_statsd_streams_drain(r->streams);
        return;
    }
    if (r->dgram != NULL)
        leat_dgram_finish(r->dgram);
    leat_statsd_finished(r);
}

static void statsd_close(void *self)
{
    struct leat_statsd *r = self;

    r->drained = NULL;
    if (r->lead != NULL)
        leat_statsd_lead_stop(r->lead);
    leat_statsd_let_go(r);
    if (r->lead != NULL)
        leat_statsd_lead_free(r->lead);
    else
        leat_statsd_answer(r);
    leat_statsd_plea_free(r);
    leat_statsd_meters_free(r->meters);
    r->meters = NULL;
    r->lead = NULL;
}

const struct leat_component leat_receiver_statsd = {
    .type = "statsd",
    .kind = LEAT_RECEIVER,
    .signals = LEAT_METRICS_BIT | LEAT_LOGS_BIT,
    .summary = "Takes StatsD and DogStatsD over UDP, TCP and Unix sockets, and adds it up.",
    .fields = leat_statsd_fields,
    .conf_size = sizeof(struct leat_statsd_receiver_conf),
    .self_size = sizeof(struct leat_statsd),
    .check = leat_statsd_check,
    .open = statsd_open,
    .drain = statsd_drain,
    .close = statsd_close,
};
