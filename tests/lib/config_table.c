/* For tests of configuration: one table with every type of setting. */
#include "lib/config_table.h"

static const char *const modes[] = {"none", "gzip", "zstd", NULL};
static const char *const colours[] = {"red", "green", NULL};

static const struct leat_field tls[] = {
    LEAT_BOOL(struct config_tls, insecure, "false", "No TLS at all."),
    LEAT_STRING(struct config_tls, cert, NULL, "The certificate."),
    LEAT_STRING(struct config_tls, key, NULL, "The key.", .flags = LEAT_SECRET),
    LEAT_END,
};
static const struct leat_field retry[] = {
    LEAT_BOOL(struct config_retry, enabled, "true", "Whether to retry."),
    LEAT_DURATION(struct config_retry, initial, "5s", "The first wait.", .alias = "first"),
    LEAT_DURATION(struct config_retry, max, "30s", "The longest wait."),
    LEAT_FLOAT(struct config_retry, factor, "1.5", "How much longer each time.", .min = 1),
    LEAT_END,
};
static const struct leat_field client[] = {
    LEAT_STRING(struct config_client, endpoint, NULL, "Where to send.", .flags = LEAT_REQUIRED),
    LEAT_GROUP(struct config_client, tls, tls, struct config_tls, "TLS.",
               .present = LEAT_PRESENT(struct config_client, has_tls)),
    LEAT_GROUP(struct config_client, retry, retry, struct config_retry, "Retries.",
               .def = "initial=1s"),
    LEAT_STRING(struct config_client, authenticator, NULL, "Who signs.", .flags = LEAT_AUTH),
    LEAT_END,
};
static const struct leat_field rule[] = {
    LEAT_STRING(struct config_rule, name, NULL, "Its name.", .flags = LEAT_REQUIRED),
    LEAT_UINT(struct config_rule, weight, "1", "Its weight."),
    LEAT_GROUP(struct config_rule, tls, tls, struct config_tls, "TLS.", .def = "insecure=true"),
    LEAT_END,
};
const struct leat_field config_table[] = {
    LEAT_INLINE(struct config_all, client, client, struct config_client, "The client.",
                .def = "retry.max=2m tls.cert=/c.pem"),
    LEAT_DURATION(struct config_all, timeout, "5s", "How long | a call may take.", .min = 1e6,
                  .max = 3600e9),
    LEAT_UINT(struct config_all, batch, "8192", "Items.", .min = 1, .max = 100000, .unit = "items"),
    LEAT_INT(struct config_all, offset, "-1", "An offset."),
    LEAT_FLOAT(struct config_all, ratio, "0.5", "A ratio.", .min = 0, .max = 1),
    LEAT_SIZE(struct config_all, limit, "4MiB", "A limit.", .min = 1024, .max = 67108864),
    LEAT_ENUM(struct config_all, mode, "gzip", modes, "Compression."),
    LEAT_BOOL(struct config_all, on, "true", "A switch."),
    LEAT_STRING(struct config_all, password, NULL, "A secret.", .flags = LEAT_SECRET),
    LEAT_STRINGS(struct config_all, names, "a, b", "Names."),
    LEAT_STRINGS(struct config_all, colours, NULL, "Colours.", .choices = colours),
    LEAT_MAP(struct config_all, headers, "Headers."),
    LEAT_MAP(struct config_all, secrets, "Secret headers.", .flags = LEAT_SECRET),
    LEAT_LIST(struct config_all, rules, rule, struct config_rule, "Rules."),
    LEAT_NODE(struct config_all, raw, "Anything.",
              .present = LEAT_PRESENT(struct config_all, has_raw)),
    LEAT_NO_EFFECT("wait_for_ready", "calls always wait."),
    LEAT_END,
};
