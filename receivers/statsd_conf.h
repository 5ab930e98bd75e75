/* The StatsD receiver's settings. */
#ifndef LEAT_RECEIVERS_STATSD_CONF_H
#define LEAT_RECEIVERS_STATSD_CONF_H

#include "config/schema.h"
#include "receivers/statsd_settings.h"

struct leat_statsd_receiver_conf {
    const char *endpoint;
    int transport; /* index into the words of `transport` */
    const char *socket_permissions;
    uint64_t socket_buffer_size;
    int64_t aggregation_interval;
    bool enable_ip_only_aggregation, ignore_host;
    struct leat_statsd_conf table;
};

extern const struct leat_field leat_statsd_fields[];

void leat_statsd_check(const void *conf, struct leat_check *c);

/* What a word of `transport` means. */
struct leat_statsd_transport {
    const char *name;
    bool stream;
    int family; /* AF_UNSPEC: both of IP; AF_INET; AF_INET6; AF_UNIX */
};
const struct leat_statsd_transport *
leat_statsd_transport(const struct leat_statsd_receiver_conf *conf);
/* socket_permissions, checked before. */
uint32_t leat_statsd_permissions(const struct leat_statsd_receiver_conf *conf);

#endif
