/* The settings of StatsD aggregation, read once. */
#include "receivers/statsd_rules.h"

#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#define PATTERN_MAX    4096 /* bytes of a pattern, as it is compiled */
#define DEFAULT_SIZE   160
#define DEFAULT_SERIES 100000

static const double default_percentiles[] = {0, 10, 50, 90, 95, 100};

/* --- patterns */

/* One escape of RE2 that POSIX has not. 0: it has; -1: nobody has. */
static int put_escape(struct leat_text *out, char c, bool in_class)
{
    switch (c) {
    case 'd':
        leat_text_str(out, in_class ? "0-9" : "[0-9]");
        return 1;
    case 'D':
        leat_text_str(out, "[^0-9]");
        return in_class ? -1 : 1;
    case 'w':
        leat_text_str(out, in_class ? "0-9A-Za-z_" : "[0-9A-Za-z_]");
        return 1;
    case 'W':
        leat_text_str(out, "[^0-9A-Za-z_]");
        return in_class ? -1 : 1;
    case 's':
        leat_text_str(out, in_class ? "\t\n\f\r " : "[\t\n\f\r ]");
        return 1;
    case 'S':
        leat_text_str(out, "[^\t\n\f\r ]");
        return in_class ? -1 : 1;
    default:
        return 0;
    }
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* An escape outside of a class; *at is at the letter. false: not known. */
static bool put_plain_escape(struct leat_text *out, char c)
{
    int done = put_escape(out, c, false);

    if (done != 0)
        return done > 0;
    if (is_alnum(c) && c != 'b' && c != 'B') /* those two, glibc knows */
        return false;
    leat_text_char(out, '\\');
    leat_text_char(out, c);
    return c != '\0';
}

/* A class from its '['; to the ']' that ends it. NULL: not known. In POSIX a backslash stands for
 * itself there. */
static const char *put_class(struct leat_text *out, const char *p)
{
    leat_text_char(out, *p++);
    if (*p == '^')
        leat_text_char(out, *p++);
    if (*p == ']')
        leat_text_char(out, *p++);
    for (; *p != ']'; p++) {
        if (*p == '\0')
            return NULL;
        if (*p != '\\') {
            leat_text_char(out, *p);
            continue;
        }
        if (*++p == '\0' || *p == ']' || *p == '^' || *p == '-')
            return NULL; /* would have to be put elsewhere in the class */
        if (put_escape(out, *p, true) < 0)
            return NULL;
        if (!is_alnum(*p))
            leat_text_char(out, *p);
        else if (strchr("dws", *p) == NULL)
            return NULL;
    }
    leat_text_char(out, ']');
    return p;
}

/* RE2's syntax, as far as it can be said, in POSIX's. Whether a quantifier is lazy does not matter
 * to whether there is a match. */
static bool translate(const char *pattern, struct leat_text *out)
{
    for (const char *p = pattern; p != NULL && *p != '\0'; p++) {
        if (*p == '\\') {
            if (!put_plain_escape(out, *++p))
                return false;
        } else if (*p == '[') {
            p = put_class(out, p);
            if (p == NULL)
                return false;
        } else if (*p == '(' && p[1] == '?') {
            if (p[2] != ':')
                return false;
            leat_text_char(out, '(');
            p += 2;
        } else {
            leat_text_char(out, *p);
            if (strchr("*+?}", *p) != NULL && p[1] == '?')
                p++;
        }
    }
    return leat_text_ok(out);
}

static int compile(const char *pattern, regex_t *ret, struct leat_err *err)
{
    struct leat_text text;
    char why[128] = "";
    int code;

    leat_text_init(&text, PATTERN_MAX);
    if (!translate(pattern, &text)) {
        leat_text_done(&text);
        return leat_fail(err,
                         "matcher_pattern '%.100s' uses what Leat's patterns do not have: "
                         "write it as a POSIX extended regular expression",
                         pattern);
    }
    code = regcomp(ret, leat_text_get(&text), REG_EXTENDED | REG_NOSUB);
    leat_text_done(&text);
    if (code == 0)
        return 0;
    regerror(code, NULL, why, sizeof why);
    return leat_fail(err, "matcher_pattern '%.100s' cannot be compiled: %s", pattern, why);
}

const struct leat_statsd_bounds *leat_statsd_bounds_for(const struct leat_statsd_rule *rule,
                                                        struct leat_bytes name)
{
    char text[3 * LEAT_STATSD_NAME_MAX + 1];

    LEAT_CHECK(name.len < sizeof text);
    if (rule->nbounds == 0)
        return NULL;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    for (uint32_t i = 0; i < rule->nbounds; i++) {
        if (regexec(&rule->bounds[i].pattern, text, 0, NULL, 0) == 0)
            return &rule->bounds[i];
    }
    return NULL;
}

/* --- numbers */

/* Into `out`, which has room. -1: `err` says which. */
static int numbers(const struct leat_strings *from, const char *what, double *out,
                   struct leat_err *err)
{
    for (uint32_t i = 0; i < from->count; i++) {
        if (leat_statsd_number(leat_bytes_str(from->items[i]), &out[i]) != LEAT_STATSD_NUMBER)
            return leat_fail(err, "'%.60s' in %s is not a number", from->items[i], what);
    }
    return 0;
}

static int read_bounds(const struct leat_statsd_buckets_conf *conf, struct leat_statsd_bounds *b,
                       struct leat_err *err)
{
    const char *pattern = conf->matcher_pattern != NULL ? conf->matcher_pattern : "";

    if (conf->buckets.count == 0 || conf->buckets.count > LEAT_STATSD_BOUNDS)
        return leat_fail(err, "explicit_buckets of '%.100s' must have 1 to %d buckets", pattern,
                         LEAT_STATSD_BOUNDS);
    b->bounds = leat_new_array(conf->buckets.count, sizeof *b->bounds);
    b->count = conf->buckets.count;
    if (numbers(&conf->buckets, "explicit_buckets", b->bounds, err) < 0 ||
        compile(pattern, &b->pattern, err) < 0) {
        leat_free(b->bounds);
        return -1;
    }
    return 0;
}

static bool rising(const double *v, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        if (v[i] <= v[i - 1])
            return false;
    }
    return true;
}

static int read_histogram(const struct leat_statsd_histogram_conf *conf,
                          struct leat_statsd_rule *rule, struct leat_err *err)
{
    const struct leat_statsd_buckets_conf *each = conf->explicit_buckets.items;

    rule->max_size = conf->max_size == 0 ? DEFAULT_SIZE : conf->max_size;
    if (rule->max_size < 2)
        return leat_fail(err, "max_size must be 2 or more");
    if (rule->max_size > LEAT_STATSD_EXPO_SIZE)
        rule->max_size = LEAT_STATSD_EXPO_SIZE;
    rule->bounds = leat_new_array(conf->explicit_buckets.count, sizeof *rule->bounds);
    for (uint32_t i = 0; i < conf->explicit_buckets.count; i++) {
        struct leat_statsd_bounds *b = &rule->bounds[i];
        if (read_bounds(&each[i], b, err) < 0)
            return -1;
        rule->nbounds++;
        if (!rising(b->bounds, b->count))
            return leat_fail(err, "explicit_buckets of '%.100s' must rise",
                             each[i].matcher_pattern ? each[i].matcher_pattern : "");
    }
    return 0;
}

static int read_percentiles(const struct leat_strings *conf, struct leat_statsd_rule *rule,
                            struct leat_err *err)
{
    if (conf->count > LEAT_STATSD_PERCENTILES)
        return leat_fail(err, "percentiles must be %d at most", LEAT_STATSD_PERCENTILES);
    rule->npercentiles =
        conf->count != 0 ? conf->count : sizeof default_percentiles / sizeof *default_percentiles;
    rule->percentiles = leat_new_array(rule->npercentiles, sizeof *rule->percentiles);
    if (conf->count == 0)
        memcpy(rule->percentiles, default_percentiles, sizeof default_percentiles);
    if (numbers(conf, "percentiles", rule->percentiles, err) < 0)
        return -1;
    for (uint32_t i = 0; i < rule->npercentiles; i++) {
        if (rule->percentiles[i] < 0 || rule->percentiles[i] > 100)
            return leat_fail(err, "percentiles must be 0 to 100");
    }
    return 0;
}

/* --- the whole */

static void rule_done(struct leat_statsd_rule *rule)
{
    for (uint32_t i = 0; i < rule->nbounds; i++) {
        regfree(&rule->bounds[i].pattern);
        leat_free(rule->bounds[i].bounds);
    }
    leat_free(rule->bounds);
    leat_free(rule->percentiles);
    *rule = (struct leat_statsd_rule){.observer = LEAT_STATSD_OBSERVE_DISABLED};
}

static int read_rule(const struct leat_statsd_mapping_conf *conf, struct leat_statsd_rule *rule,
                     struct leat_err *err)
{
    rule_done(rule); /* of a type that is named twice the last counts */
    rule->observer = (enum leat_statsd_observer_type)conf->observer_type;
    if (read_histogram(&conf->histogram, rule, err) < 0)
        return -1;
    return read_percentiles(&conf->summary.percentiles, rule, err);
}

/* The type whose settings a type takes that is not named: to the collector, histogram and
 * distribution are one. */
static int twin(int type)
{
    if (type == LEAT_STATSD_HISTOGRAM)
        return LEAT_STATSD_DISTRIBUTION;
    return type == LEAT_STATSD_DISTRIBUTION ? LEAT_STATSD_HISTOGRAM : type;
}

static int read_mapping(const struct leat_items *items, struct leat_statsd_rules *r,
                        struct leat_err *err)
{
    static const int types[] = {LEAT_STATSD_TIMING, LEAT_STATSD_TIMING, LEAT_STATSD_HISTOGRAM,
                                LEAT_STATSD_DISTRIBUTION};
    const struct leat_statsd_mapping_conf *each = items->items;
    bool named[LEAT_STATSD_TYPES] = {false};

    for (uint32_t i = 0; i < items->count; i++)
        named[types[each[i].statsd_type]] = true;
    for (uint32_t i = 0; i < items->count; i++) {
        int type = types[each[i].statsd_type], other = twin(type);
        if (read_rule(&each[i], &r->timers[type - LEAT_STATSD_TIMING], err) < 0)
            return -1;
        if (!named[other] && read_rule(&each[i], &r->timers[other - LEAT_STATSD_TIMING], err) < 0)
            return -1;
    }
    return 0;
}

struct leat_statsd_rules *leat_statsd_rules_new(const struct leat_statsd_conf *conf,
                                                struct leat_err *err)
{
    struct leat_statsd_rules *r = leat_new(sizeof *r);

    r->metric_type = conf->enable_metric_type;
    r->simple_tags = conf->enable_simple_tags;
    r->monotonic = conf->is_monotonic_counter;
    r->counter = (enum leat_statsd_counter_type)conf->counter_type;
    r->limit = conf->aggregation_cardinality_limit != 0 ? conf->aggregation_cardinality_limit
                                                        : DEFAULT_SERIES;
    for (size_t i = 0; i < sizeof r->timers / sizeof *r->timers; i++)
        r->timers[i].observer = conf->has_timer_histogram_mapping ? LEAT_STATSD_OBSERVE_DISABLED
                                                                  : LEAT_STATSD_OBSERVE_GAUGE;
    if (conf->has_timer_histogram_mapping &&
        read_mapping(&conf->timer_histogram_mapping, r, err) < 0) {
        leat_statsd_rules_free(r);
        return NULL;
    }
    return r;
}

void leat_statsd_rules_free(struct leat_statsd_rules *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < sizeof r->timers / sizeof *r->timers; i++)
        rule_done(&r->timers[i]);
    leat_free(r);
}
