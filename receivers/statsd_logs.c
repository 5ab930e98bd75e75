/* Events and service checks as OTLP log records. */
#include "receivers/statsd_logs.h"

#include "base/clock.h"
#include "proto/statsd_tags.h"
#include "receivers/statsd_settings.h"

#define CLOSING 64 /* bytes kept back for what is added as messages are closed */

#define FIELD_ATTRS 6 /* of LogRecord */

void leat_statsd_logs_init(struct leat_statsd_logs *l, size_t max, bool simple_tags)
{
    *l = (struct leat_statsd_logs){.simple_tags = simple_tags};
    leat_text_init(&l->text, max > CLOSING ? max - CLOSING : 0);
}

void leat_statsd_logs_done(struct leat_statsd_logs *l)
{
    leat_text_done(&l->text);
    l->records = 0;
}

void leat_statsd_logs_clear(struct leat_statsd_logs *l)
{
    leat_text_clear(&l->text);
    l->records = 0;
    if (l->ended)
        l->text.max -= CLOSING;
    l->ended = false;
}

/* --- text of a line, in which a line break is written "\n", and which may be no UTF-8 */

/* The bytes at the beginning of `text` that stand for themselves, and in *ret_instead what stands
 * for those after them, *ret_skip bytes. */
static size_t plain(struct leat_bytes text, const char **ret_instead, size_t *ret_skip)
{
    size_t at = 0;

    while (at < text.len) {
        size_t len = leat_utf8_len(leat_bytes(text.data + at, text.len - at));
        bool feed = text.data[at] == '\\' && at + 1 < text.len && text.data[at + 1] == 'n';
        if (len == 0 || feed) {
            *ret_instead = feed ? "\n" : "\xef\xbf\xbd";
            *ret_skip = feed ? 2 : 1;
            return at;
        }
        at += len;
    }
    *ret_instead = "";
    *ret_skip = 0;
    return at;
}

/* AnyValue {string_value = 1}, whose content is put together in place. */
static void put_value(struct leat_statsd_logs *l, struct leat_bytes text)
{
    leat_make_open(&l->make, 1); /* a string is framed as a message is */
    while (text.len > 0) {
        const char *instead;
        size_t skip, len = plain(text, &instead, &skip);
        leat_text_add(&l->text, text.data, len);
        leat_text_str(&l->text, instead);
        text = leat_bytes(text.data + len + skip, text.len - len - skip);
    }
    leat_make_close(&l->make);
}

static void put_attr(struct leat_statsd_logs *l, const char *key, struct leat_bytes value)
{
    if (value.len == 0)
        return;
    leat_make_open(&l->make, FIELD_ATTRS);
    leat_make_string(&l->make, 1, key);
    leat_make_open(&l->make, 2);
    put_value(l, value);
    leat_make_close(&l->make);
    leat_make_close(&l->make);
}

static void put_tags(struct leat_statsd_logs *l, const struct leat_statsd_notice *n)
{
    struct leat_statsd_tags tags;
    struct leat_bytes tail = n->tags;

    leat_statsd_tags_read(&tags, leat_bytes(NULL, 0), tail, l->simple_tags);
    for (uint32_t i = 0; i < tags.count; i++) {
        if (n->container.len != 0 && leat_bytes_is(tags.items[i].key, "container.id"))
            continue;
        leat_make_open(&l->make, FIELD_ATTRS);
        leat_make_bytes(&l->make, 1, tags.items[i].key);
        leat_make_open(&l->make, 2);
        leat_make_bytes(&l->make, 1, tags.items[i].value);
        leat_make_close(&l->make);
        leat_make_close(&l->make);
    }
}

/* --- records */

/* SeverityNumber (logs.proto): INFO 9, WARN 13, ERROR 17; unknown 0. */
static unsigned severity(const struct leat_statsd_notice *n, const char **ret_text)
{
    static const struct {
        const char *alert, *text;
        uint8_t status, number;
    } known[] = {
        {"info", "INFO", 255, 9},
        {"success", "INFO", 0, 9},
        {"warning", "WARN", 1, 13},
        {"error", "ERROR", 2, 17},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (n->check ? known[i].status == n->status : leat_bytes_is(n->alert, known[i].alert)) {
            *ret_text = known[i].text;
            return known[i].number;
        }
    }
    *ret_text = n->check ? "" : "INFO"; /* an event's alert type is "info" by default */
    return n->check ? 0 : 9;
}

static void put_event(struct leat_statsd_logs *l, const struct leat_statsd_notice *n)
{
    put_attr(l, "event.text", n->text);
    put_attr(l, "event.aggregation_key", n->key);
    put_attr(l, "event.priority", n->priority.len != 0 ? n->priority : leat_bytes_str("normal"));
    put_attr(l, "event.source_type", n->source);
    put_attr(l, "event.alert_type", n->alert.len != 0 ? n->alert : leat_bytes_str("info"));
}

static void put_check(struct leat_statsd_logs *l, const struct leat_statsd_notice *n)
{
    static const char *const words[] = {"ok", "warning", "critical", "unknown"};

    put_attr(l, "service_check.name", n->name);
    put_attr(l, "service_check.status", leat_bytes_str(words[n->status]));
}

/* LogRecord: time_unix_nano = 1, severity_number = 2, severity_text = 3, body = 5, attributes = 6,
 * observed_time_unix_nano = 11, event_name = 12. */
static void put_record(struct leat_statsd_logs *l, const struct leat_statsd_notice *n, int64_t now)
{
    const char *text;
    unsigned number = severity(n, &text);

    leat_make_open(&l->make, 2);
    leat_make_fixed64(&l->make, 1, (uint64_t)(n->time != 0 ? n->time * LEAT_SEC : now));
    if (number != 0) {
        leat_make_varint(&l->make, 2, number);
        leat_make_string(&l->make, 3, text);
    }
    leat_make_open(&l->make, 5);
    put_value(l, n->check && n->text.len != 0 ? n->text : n->name);
    leat_make_close(&l->make);
    put_attr(l, "event.name", leat_bytes_str(n->check ? "datadog.service_check" : "datadog.event"));
    if (n->check)
        put_check(l, n);
    else
        put_event(l, n);
    put_attr(l, "host.name", n->host);
    put_tags(l, n);
    put_attr(l, "container.id", n->container);
    leat_make_fixed64(&l->make, 11, (uint64_t)now);
    leat_make_string(&l->make, 12, n->check ? "datadog.service_check" : "datadog.event");
    leat_make_close(&l->make);
}

int leat_statsd_logs_add(struct leat_statsd_logs *l, const struct leat_statsd_notice *n,
                         int64_t now)
{
    struct leat_make before;
    size_t mark = l->text.len;

    if (l->records == 0) { /* ResourceLogs = 1 {ScopeLogs = 2 {scope = 1, log_records = 2 …}} */
        leat_text_clear(&l->text);
        leat_make_init(&l->make, &l->text);
        mark = 0;
        leat_make_open(&l->make, 1);
        leat_make_open(&l->make, 2);
        leat_make_open(&l->make, 1);
        leat_make_string(&l->make, 1, LEAT_STATSD_SCOPE);
        leat_make_string(&l->make, 2, LEAT_VERSION);
        leat_make_close(&l->make);
    }
    before = l->make;
    put_record(l, n, now);
    if (leat_text_ok(&l->text)) {
        l->records++;
        return 0;
    }
    l->text.failed = false;
    l->text.len = mark;
    l->make = before;
    return -1;
}

struct leat_bytes leat_statsd_logs_end(struct leat_statsd_logs *l)
{
    if (l->records == 0)
        return leat_bytes(NULL, 0);
    if (!l->ended) {
        l->text.max += CLOSING;
        l->ended = true;
        leat_make_close(&l->make);
        leat_make_close(&l->make);
    }
    return leat_text_ok(&l->text) ? leat_text_bytes(&l->text) : leat_bytes(NULL, 0);
}
