/* For tests of configuration: one table with every type of setting. */
#ifndef LEAT_TESTS_CONFIG_TABLE_H
#define LEAT_TESTS_CONFIG_TABLE_H

#include "config/schema.h"

struct config_tls {
    bool insecure;
    const char *cert, *key;
};
struct config_retry {
    bool enabled;
    int64_t initial, max;
    double factor;
};
struct config_client {
    const char *endpoint;
    struct config_tls tls;
    bool has_tls;
    struct config_retry retry;
    const char *authenticator;
};
struct config_rule {
    const char *name;
    uint32_t weight;
    struct config_tls tls;
};
struct config_all {
    struct config_client client; /* inline */
    int64_t timeout;
    uint32_t batch;
    int64_t offset;
    double ratio;
    uint64_t limit;
    int mode;
    bool on;
    const char *password;
    struct leat_strings names, colours;
    struct leat_pairs headers, secrets;
    struct leat_items rules;
    const struct leat_node *raw;
    bool has_raw;
};

extern const struct leat_field config_table[];

#endif
