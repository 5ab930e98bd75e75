/* What runs without a configuration file. */
#include "run/default_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/json_quote.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define MAX_TEXT       ((size_t)256 * 1024)
#define MAX_TIMEOUT_MS 86400000L

static const char *variable(const char *name)
{
    char full[64];
    const char *value;

    snprintf(full, sizeof full, "OTEL_EXPORTER_OTLP_%s", name);
    value = getenv(full);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* A YAML string that means `text`: quoted, and with its dollars doubled, since sources are
 * expanded. */
static void add_string(struct leat_text *out, const char *text)
{
    struct leat_text doubled;

    leat_text_init(&doubled, MAX_TEXT);
    for (; *text != '\0'; text++) {
        if (*text == '$')
            leat_text_char(&doubled, '$');
        leat_text_char(&doubled, *text);
    }
    leat_json_quote(out, leat_text_bytes(&doubled));
    leat_text_done(&doubled);
}

static void add_key(struct leat_text *out, const char *indent, const char *key, const char *value)
{
    if (value == NULL)
        return;
    leat_text_printf(out, "%s%s: ", indent, key);
    add_string(out, value);
    leat_text_char(out, '\n');
}

/* The next "key=value" of the list (W3C Baggage form: percent-encoded), decoded. Entries of another
 * form are passed over, as the specification of the variable asks. NULL: no more; otherwise where
 * to go on. */
static const char *next_header(const char *list, bool warn, struct leat_text *name,
                               struct leat_text *value)
{
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        const char *equals = memchr(list, '=', len);
        size_t key_len = equals ? (size_t)(equals - list) : 0;
        leat_text_clear(name);
        leat_text_clear(value);
        leat_text_percent_decode(name, leat_bytes_trim(leat_bytes(list, key_len)));
        if (equals != NULL)
            leat_text_percent_decode(value,
                                     leat_bytes_trim(leat_bytes(equals + 1, len - key_len - 1)));
        list += len;
        list += *list == ',';
        if (name->len > 0)
            return list;
        if (len > 0 && warn)
            leat_warn(NULL, "OTEL_EXPORTER_OTLP_HEADERS: an entry is not key=value: ignored");
    }
    return NULL;
}

/* Stands in `list` once more: the last one counts. */
static bool comes_again(const char *list, const struct leat_text *name)
{
    struct leat_text other, value;
    bool found = false;

    leat_text_init(&other, MAX_TEXT);
    leat_text_init(&value, MAX_TEXT);
    while (!found && (list = next_header(list, false, &other, &value)) != NULL)
        found = strcasecmp(leat_text_get(&other), leat_text_get(name)) == 0;
    leat_text_done(&other);
    leat_text_done(&value);
    return found;
}

static void add_headers(struct leat_text *out, const char *list)
{
    struct leat_text name, value;

    if (list == NULL)
        return;
    leat_text_init(&name, MAX_TEXT);
    leat_text_init(&value, MAX_TEXT);
    leat_text_str(out, "    headers:\n");
    while ((list = next_header(list, true, &name, &value)) != NULL) {
        if (comes_again(list, &name))
            continue;
        leat_text_str(out, "      ");
        add_string(out, leat_text_get(&name));
        leat_text_str(out, ": ");
        add_string(out, leat_text_get(&value));
        leat_text_char(out, '\n');
    }
    leat_text_done(&name);
    leat_text_done(&value);
}

/* Whole milliseconds; anything else is ignored with a warning. */
static void add_timeout(struct leat_text *out, const char *text)
{
    char *end;
    long ms;

    if (text == NULL)
        return;
    ms = strtol(text, &end, 10);
    if (*end != '\0' || ms < 1 || ms > MAX_TIMEOUT_MS) {
        leat_warn(NULL, "OTEL_EXPORTER_OTLP_TIMEOUT: '%s' is not a number of milliseconds: ignored",
                  text);
        return;
    }
    leat_text_printf(out, "    timeout: %ldms\n", ms);
}

static void add_tls(struct leat_text *out, bool clear)
{
    leat_text_printf(out, "    tls:\n      insecure: %s\n", clear ? "true" : "false");
    add_key(out, "      ", "ca_file", variable("CERTIFICATE"));
    add_key(out, "      ", "cert_file", variable("CLIENT_CERTIFICATE"));
    add_key(out, "      ", "key_file", variable("CLIENT_KEY"));
}

/* In the clear: http:// says so; without a scheme INSECURE decides. */
static bool is_clear(const char *endpoint)
{
    const char *insecure = variable("INSECURE");

    if (strncmp(endpoint, "http://", 7) == 0)
        return true;
    return strstr(endpoint, "://") == NULL && insecure != NULL && strcmp(insecure, "true") == 0;
}

static const char *add_forwarding(struct leat_text *out, const char *endpoint)
{
    const char *protocol = variable("PROTOCOL"), *compression = variable("COMPRESSION");
    bool grpc = protocol != NULL && strcmp(protocol, "grpc") == 0;
    const char *type = grpc ? "otlp_grpc" : "otlp_http";

    leat_text_printf(out, "  %s:\n", type);
    add_key(out, "    ", "endpoint", endpoint);
    add_key(out, "    ", "compression", compression ? compression : "none");
    if (!grpc && protocol != NULL && strcmp(protocol, "http/json") == 0)
        leat_text_str(out, "    encoding: json\n");
    add_timeout(out, variable("TIMEOUT"));
    add_headers(out, variable("HEADERS"));
    add_tls(out, is_clear(endpoint));
    return type;
}

char *leat_default_conf(void)
{
    const char *endpoint = variable("ENDPOINT"), *exporter = "debug";
    static const char *const signals[] = {"traces", "metrics", "logs"};
    struct leat_text out;

    leat_text_init(&out, MAX_TEXT);
    leat_text_str(&out, "yaml:receivers:\n"
                        "  otlp:\n"
                        "    protocols:\n"
                        "      grpc:\n"
                        "        endpoint: localhost:4317\n"
                        "      http:\n"
                        "        endpoint: localhost:4318\n"
                        "exporters:\n");
    if (endpoint != NULL)
        exporter = add_forwarding(&out, endpoint);
    else
        leat_text_str(&out, "  debug:\n    verbosity: pretty\n    sampling_initial: 1000\n");
    leat_text_str(&out, "service:\n  pipelines:\n");
    for (int s = 0; s < 3; s++)
        leat_text_printf(&out, "    %s: {receivers: [otlp], exporters: [%s]}\n", signals[s],
                         exporter);
    return leat_text_take(&out);
}

void leat_default_conf_free(char *text)
{
    leat_free(text);
}
