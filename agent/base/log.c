/* Writes what the program says of itself: one line, one write(), nothing allocated on the way. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#define MESSAGE_MAX 4096  /* bytes of one message before escaping; the rest is cut */
#define LINE_MAX    16384 /* bytes of one line */
#define FIELDS_MAX  4096  /* bytes of the fields that every line carries */
#define PATHS_MAX   16    /* outputs */
#define FORMATS_MAX 512   /* message formats told apart within one tick; the rest share a slot */
#define LAST_MAX    256   /* bytes kept of the last message that was left out */
#define WHO_MAX     64    /* bytes kept of its component's id */

struct output {
    int fd;
    bool ours;   /* to be closed */
    bool colour; /* a terminal, and NO_COLOR is unset */
};

/* Bytes of one line. What does not fit is left out and `cut` says so. */
struct line {
    char *data;
    size_t len, cap;
    bool cut;
};

/* What one format did within this tick. */
struct slot {
    const char *fmt; /* NULL: free */
    enum leat_log_level level;
    uint64_t seen, dropped;
    char who[WHO_MAX], last[LAST_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int min_level = LEAT_LOG_INFO;

/* Everything below is read and written under the lock. */
static struct {
    enum leat_log_encoding encoding;
    struct output outputs[PATHS_MAX];
    uint32_t noutputs; /* 0: not set up, stderr */
    char fields[FIELDS_MAX];
    size_t nfields;
    bool sampling;
    int64_t tick, tick_end;
    uint32_t initial, thereafter;
} log_;
static struct slot slots[FORMATS_MAX + 1]; /* the last one is for formats that found no room */
static uint32_t slots_used;
static char message[MESSAGE_MAX];
static char line_bytes[LINE_MAX];

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_colours[] = {"\033[35m", "\033[34m", "\033[33m", "\033[31m"};

/* --- lines */

static void put(struct line *l, const char *text, size_t len)
{
    if (l->cut || len > l->cap - l->len) {
        l->cut = true;
        return;
    }
    memcpy(l->data + l->len, text, len);
    l->len += len;
}

static void put_str(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* A peer's string must not forge a line nor steer a terminal: control characters (C0, DEL, C1) and
 * bytes that are no UTF-8 become escapes. `json`: also what JSON strings need. */
static void put_escaped(struct line *l, const char *s, size_t len, bool json)
{
    char out[8];

    for (size_t i = 0; i < len;) {
        uint8_t c = (uint8_t)s[i];
        size_t n = leat_utf8_len(leat_bytes(s + i, len - i));
        if (n == 0)
            snprintf(out, sizeof out, json ? "\\ufffd" : "\\x%02x", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            snprintf(out, sizeof out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c < 0x20 || c == 0x7f)
            snprintf(out, sizeof out, "\\u%04x", c);
        else if (c == 0xc2 && (uint8_t)s[i + 1] < 0xa0)
            snprintf(out, sizeof out, "\\u%04x", (uint8_t)s[i + 1]);
        else if (json && (c == '"' || c == '\\'))
            snprintf(out, sizeof out, "\\%c", c);
        else
            snprintf(out, sizeof out, "%.*s", (int)n, s + i);
        put_str(l, out);
        i += n ? n : 1;
    }
}

static void put_quoted(struct line *l, const char *s, size_t len)
{
    put_str(l, "\"");
    put_escaped(l, s, len, true);
    put_str(l, "\"");
}

/* A logfmt value: bare when that is unambiguous. */
static void put_value(struct line *l, const char *s, size_t len)
{
    bool bare = len > 0;

    for (size_t i = 0; i < len; i++) {
        if (s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '=' || s[i] == '\\')
            bare = false;
    }
    if (bare)
        put(l, s, len);
    else
        put_quoted(l, s, len);
}

static void put_logfmt_name(struct line *l, const char *name)
{
    for (; *name; name++)
        put(l, *name <= ' ' || *name > '~' || *name == '=' || *name == '"' ? "_" : name, 1);
}

/* "2026-11-21T15:00:00.000Z", or with "+0100" where local time is not UTC. */
static void put_time(struct line *l)
{
    int64_t now = leat_clock_wall();
    time_t seconds = (time_t)(now / LEAT_SEC);
    char text[32], zone[8];
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    put_str(l, text);
    snprintf(text, sizeof text, ".%03d", (int)(now / LEAT_MS % 1000));
    put_str(l, text);
    strftime(zone, sizeof zone, "%z", &tm);
    put_str(l, strcmp(zone, "+0000") == 0 ? "Z" : zone);
}

/* The message, with its end cut off (and marked) where the line would leave no room for the rest.
 */
static void put_message(struct line *l, const char *msg, size_t len, bool json)
{
    struct line part = {l->data + l->len, 0, 0, false};
    size_t reserve = log_.nfields + 16;

    part.cap = l->cap - l->len > reserve ? l->cap - l->len - reserve : 0;
    put_escaped(&part, msg, len, json);
    l->len += part.len;
    if (part.cut)
        put_str(l, "…");
}

static void put_console(struct line *l, enum leat_log_level level, const char *who, const char *msg,
                        size_t len, bool colour)
{
    put_time(l);
    put_str(l, "\t");
    put_str(l, colour ? level_colours[level] : "");
    put_str(l, level_names[level]);
    put_str(l, colour ? "\033[0m\t" : "\t");
    put_escaped(l, who, strlen(who), false);
    put_str(l, "\t");
    put_message(l, msg, len, false);
    put(l, log_.fields, log_.nfields);
}

static void put_json(struct line *l, enum leat_log_level level, const char *who, const char *msg,
                     size_t len)
{
    put_str(l, "{\"ts\":\"");
    put_time(l);
    put_str(l, "\",\"level\":\"");
    put_str(l, level_names[level]);
    put_str(l, "\",\"who\":");
    put_quoted(l, who, strlen(who));
    put_str(l, ",\"msg\":\"");
    put_message(l, msg, len, true);
    put_str(l, "\"");
    put(l, log_.fields, log_.nfields);
    put_str(l, "}");
}

static void put_logfmt(struct line *l, enum leat_log_level level, const char *who, const char *msg,
                       size_t len)
{
    put_str(l, "ts=");
    put_time(l);
    put_str(l, " level=");
    put_str(l, level_names[level]);
    put_str(l, " who=");
    put_value(l, who, strlen(who));
    put_str(l, " msg=\"");
    put_message(l, msg, len, true);
    put_str(l, "\"");
    put(l, log_.fields, log_.nfields);
}

/* What every line ends with. False: more than FIELDS_MAX. */
static bool render_fields(const struct leat_log_conf *conf, char *out, size_t *ret_len)
{
    struct line l = {out, 0, FIELDS_MAX, false};

    for (uint32_t i = 0; i < conf->nfields; i++) {
        const char *name = conf->fields[2 * i], *value = conf->fields[2 * i + 1];
        if (conf->encoding == LEAT_LOG_LOGFMT) {
            put_str(&l, " ");
            put_logfmt_name(&l, name);
            put_str(&l, "=");
            put_value(&l, value, strlen(value));
            continue;
        }
        put_str(&l, conf->encoding == LEAT_LOG_JSON ? "," : i == 0 ? "\t{" : ", ");
        put_quoted(&l, name, strlen(name));
        put_str(&l, conf->encoding == LEAT_LOG_JSON ? ":" : ": ");
        put_quoted(&l, value, strlen(value));
    }
    if (conf->encoding == LEAT_LOG_CONSOLE && conf->nfields > 0)
        put_str(&l, "}");
    *ret_len = l.len;
    return !l.cut;
}

/* --- outputs */

/* Normally one write(). What a full disk or a closed pipe does not take is lost: there is nobody to
 * tell. */
static void write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static void write_line(const struct output *out, enum leat_log_level level, const char *who,
                       const char *msg, size_t len)
{
    struct line l = {line_bytes, 0, LINE_MAX - 1, false};

    if (log_.encoding == LEAT_LOG_JSON)
        put_json(&l, level, who, msg, len);
    else if (log_.encoding == LEAT_LOG_LOGFMT)
        put_logfmt(&l, level, who, msg, len);
    else
        put_console(&l, level, who, msg, len, out->colour);
    l.data[l.len++] = '\n';
    write_all(out->fd, l.data, l.len);
}

static bool is_colourful(int fd)
{
    const char *no = getenv("NO_COLOR");

    return isatty(fd) == 1 && (no == NULL || *no == '\0');
}

static void emit(enum leat_log_level level, const char *who, const char *msg, size_t len)
{
    if (log_.noutputs == 0) {
        struct output out = {STDERR_FILENO, false, is_colourful(STDERR_FILENO)};
        write_line(&out, level, who, msg, len);
    }
    for (uint32_t i = 0; i < log_.noutputs; i++)
        write_line(&log_.outputs[i], level, who, msg, len);
}

/* --- sampling */

static struct slot *slot_of(enum leat_log_level level, const char *fmt)
{
    size_t at = (size_t)(((uintptr_t)fmt >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 40);

    for (size_t i = 0; i < FORMATS_MAX; i++) {
        struct slot *s = &slots[(at + i) % FORMATS_MAX];
        if (s->fmt == NULL && slots_used < FORMATS_MAX * 3 / 4) {
            *s = (struct slot){.fmt = fmt, .level = level};
            slots_used++;
            return s;
        }
        if (s->fmt == NULL)
            break;
        if (s->fmt == fmt && s->level == level)
            return s;
    }
    slots[FORMATS_MAX].fmt = fmt;
    slots[FORMATS_MAX].level = level;
    return &slots[FORMATS_MAX];
}

/* The end of a tick: says what was left out and starts anew. */
static void sweep(void)
{
    char text[LAST_MAX + 96], tick[32];

    if (log_.tick % LEAT_SEC == 0)
        snprintf(tick, sizeof tick, "%" PRId64 " s", log_.tick / LEAT_SEC);
    else
        snprintf(tick, sizeof tick, "%" PRId64 " ms", log_.tick / LEAT_MS);
    for (size_t i = 0; i <= FORMATS_MAX; i++) {
        struct slot *s = &slots[i];
        if (s->fmt != NULL && s->dropped > 0) {
            snprintf(text, sizeof text, "%" PRIu64 " more messages like this one in %s: %s",
                     s->dropped, tick, s->last);
            emit(s->level, s->who, text, strlen(text));
        }
        s->fmt = NULL;
        s->seen = s->dropped = 0;
    }
    slots_used = 0;
}

/* True: this message is written. */
static bool sample(enum leat_log_level level, const char *who, const char *fmt)
{
    int64_t now = leat_clock_mono();
    struct slot *s;

    if (!log_.sampling)
        return true;
    if (now >= log_.tick_end) {
        sweep();
        log_.tick_end = now + log_.tick;
    }
    s = slot_of(level, fmt);
    s->seen++;
    if (s->seen <= log_.initial ||
        (log_.thereafter != 0 && (s->seen - log_.initial) % log_.thereafter == 0))
        return true;
    s->dropped++;
    snprintf(s->who, sizeof s->who, "%s", who);
    snprintf(s->last, sizeof s->last, "%.*s", LAST_MAX - 1, message);
    return false;
}

/* --- what the header promises */

bool leat_log_enabled(enum leat_log_level level)
{
    return (int)level >= atomic_load_explicit(&min_level, memory_order_relaxed);
}

void leat_log(enum leat_log_level level, const char *who, const char *fmt, ...)
{
    va_list ap;
    size_t len;
    int n, saved = errno;

    if (!leat_log_enabled(level))
        return;
    if (who == NULL)
        who = "leat";
    pthread_mutex_lock(&lock);
    va_start(ap, fmt);
    n = vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    if (n < 0)
        n = snprintf(message, sizeof message, "%s", fmt);
    len = strlen(message);
    if ((size_t)n > len) {
        while (len > MESSAGE_MAX - 8 || (len > 0 && ((uint8_t)message[len] & 0xc0) == 0x80))
            len--;
        len += (size_t)snprintf(message + len, sizeof message - len, "…");
    }
    if (sample(level, who, fmt))
        emit(level, who, message, len);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

static int open_output(const char *path, struct output *out, struct leat_err *err)
{
    *out = (struct output){.fd = -1};
    if (strcmp(path, "stderr") == 0) {
        out->fd = STDERR_FILENO;
    } else if (strcmp(path, "stdout") == 0) {
        out->fd = STDOUT_FILENO;
    } else {
        out->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
        out->ours = true;
    }
    if (out->fd < 0)
        return leat_fail(err, "cannot open %.200s for the log: %s", path, strerror(errno));
    out->colour = is_colourful(out->fd);
    return 0;
}

static void close_outputs(struct output *outputs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (outputs[i].ours)
            close(outputs[i].fd);
    }
}

static int open_outputs(const struct leat_log_conf *conf, struct output *outputs, uint32_t *ret_n,
                        struct leat_err *err)
{
    static const char *const standard[] = {"stderr"};
    uint32_t n = conf->npaths ? conf->npaths : 1;
    const char *const *paths = conf->npaths ? conf->paths : standard;

    if (n > PATHS_MAX)
        return leat_fail(err, "%u outputs for the log, at most %d are possible", n, PATHS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        if (open_output(paths[i], &outputs[i], err) < 0) {
            close_outputs(outputs, i);
            return -1;
        }
    }
    *ret_n = n;
    return 0;
}

int leat_log_setup(const struct leat_log_conf *conf, struct leat_err *err)
{
    struct output outputs[PATHS_MAX];
    char fields[FIELDS_MAX];
    size_t nfields;
    uint32_t n = 0;

    if (!render_fields(conf, fields, &nfields))
        return leat_fail(err, "the fields of the log take more than %d bytes", FIELDS_MAX);
    if (open_outputs(conf, outputs, &n, err) < 0)
        return -1;
    leat_log_close();
    pthread_mutex_lock(&lock);
    memcpy(log_.outputs, outputs, n * sizeof *outputs);
    log_.noutputs = n;
    memcpy(log_.fields, fields, nfields);
    log_.nfields = nfields;
    log_.encoding = conf->encoding;
    log_.sampling = conf->sampling && conf->tick > 0;
    log_.tick = conf->tick;
    log_.tick_end = leat_clock_mono() + conf->tick;
    log_.initial = conf->initial;
    log_.thereafter = conf->thereafter;
    atomic_store_explicit(&min_level, (int)conf->level, memory_order_relaxed);
    pthread_mutex_unlock(&lock);
    return 0;
}

void leat_log_close(void)
{
    pthread_mutex_lock(&lock);
    sweep();
    close_outputs(log_.outputs, log_.noutputs);
    memset(&log_, 0, sizeof log_);
    atomic_store_explicit(&min_level, LEAT_LOG_INFO, memory_order_relaxed);
    pthread_mutex_unlock(&lock);
}
