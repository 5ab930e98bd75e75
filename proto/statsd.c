/* StatsD lines, read where they lie. */
#include "proto/statsd.h"

#include "proto/otlp_json_digits.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes that must be there for the quick way through a value: sign, 8 digits, point, 8 digits. */
#define QUICK_LEFT 28
/* Bytes that are looked at together, and bytes that must be there for that where a line begins. */
#define BLOCK    64
#define NEAR_END (BLOCK + QUICK_LEFT)
/* Scratch that may be taken when a line begins. */
#define USED_MAX (LEAT_STATSD_SCRATCH - LEAT_STATSD_TAIL_MAX)
/* Seconds that are still nanoseconds in 63 bits. */
#define STAMP_MAX INT64_C(9223372036)

const char *const leat_statsd_type_names[LEAT_STATSD_TYPES] = {
    [LEAT_STATSD_COUNTER] = "counter",
    [LEAT_STATSD_GAUGE] = "gauge",
    [LEAT_STATSD_TIMING] = "timing",
    [LEAT_STATSD_HISTOGRAM] = "histogram",
    [LEAT_STATSD_DISTRIBUTION] = "distribution",
    [LEAT_STATSD_SET] = "set",
};

const char *const leat_statsd_fault_names[LEAT_STATSD_FAULTS] = {
    [LEAT_STATSD_NO_NAME] = "no_name",
    [LEAT_STATSD_NO_VALUE] = "no_value",
    [LEAT_STATSD_NO_TYPE] = "no_type",
    [LEAT_STATSD_BAD_TYPE] = "bad_type",
    [LEAT_STATSD_LONG_NAME] = "long_name",
    [LEAT_STATSD_BAD_EVENT] = "bad_event",
    [LEAT_STATSD_BAD_CHECK] = "bad_service_check",
    [LEAT_STATSD_BAD_VALUE] = "bad_value",
    [LEAT_STATSD_NOT_FINITE] = "not_finite",
    [LEAT_STATSD_BAD_RATE] = "bad_rate",
    [LEAT_STATSD_BAD_TAG] = "bad_tag",
    [LEAT_STATSD_LONG_TAGS] = "long_tags",
    [LEAT_STATSD_BAD_TIMESTAMP] = "bad_timestamp",
    [LEAT_STATSD_BAD_CONTAINER] = "bad_container",
    [LEAT_STATSD_EMPTY_PART] = "empty_part",
    [LEAT_STATSD_UNKNOWN_PART] = "unknown_part",
    [LEAT_STATSD_NOT_UTF8] = "not_utf8",
};

/* --- finding: the first of `a`, `b` or a line feed; `end` when there is none */

static inline __attribute__((always_inline)) const uint8_t *find(const uint8_t *at,
                                                                 const uint8_t *end, char a, char b)
{
#ifdef __SSE2__
    const __m128i first = _mm_set1_epi8(a), second = _mm_set1_epi8(b), feed = _mm_set1_epi8('\n');

    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i is = _mm_or_si128(_mm_cmpeq_epi8(v, first), _mm_cmpeq_epi8(v, feed));
        unsigned found;
        if (a != b)
            is = _mm_or_si128(is, _mm_cmpeq_epi8(v, second));
        found = (unsigned)_mm_movemask_epi8(is);
        if (found != 0)
            return at + __builtin_ctz(found);
    }
#endif
    while (at < end && *at != (uint8_t)a && *at != (uint8_t)b && *at != '\n')
        at++;
    return at;
}

/* Where the line ends that `at` is in: at its line feed, or at the end. */
static const uint8_t *line_end(const uint8_t *at, const uint8_t *end)
{
    return find(at, end, '\n', '\n');
}

/* Where the part from `from` to `to` ends, when that is the end of the line: before a CR. */
static inline const uint8_t *before_cr(const uint8_t *from, const uint8_t *to, const uint8_t *end)
{
    return to > from && to[-1] == '\r' && (to == end || *to == '\n') ? to - 1 : to;
}

void leat_statsd_begin(struct leat_statsd_reader *r, struct leat_bytes data, uint64_t *faults)
{
    leat_statsd_go_on(r, data);
    r->faults = faults;
    r->lines = 0;
    r->used = 0;
}

void leat_statsd_go_on(struct leat_statsd_reader *r, struct leat_bytes data)
{
    r->at = data.data;
    r->end = data.len == 0 ? data.data : data.data + data.len; /* NULL + 0 is not defined */
}

/* --- values */

/* A number of at most 8 digits before the point and 8 after it, with '|' behind it. Returns where
 * that '|' is, or NULL: it is something else. */
static inline __attribute__((always_inline)) const uint8_t *
quick_value(const uint8_t *at, struct leat_statsd_line *line)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    static const uint32_t whole[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    bool negative = *at == '-', sign = negative || *at == '+';
    uint64_t mantissa, fraction;
    unsigned before, after;
    double v;

    at += sign;
    before = leat_digits_some(at, &mantissa);
    at += before;
    v = (double)mantissa;
    if (*at == '.') {
        after = leat_digits_some(++at, &fraction);
        at += after;
        mantissa = mantissa * whole[after] + fraction;
        if (mantissa > UINT64_C(1) << 53)
            return NULL;
        before += after;
        v = (double)mantissa / powers[after]; /* both exact: rounded once */
    }
    if (*at != '|' || before == 0)
        return NULL;
    line->value = negative ? -v : v;
    line->flags = sign ? LEAT_STATSD_SIGNED : 0;
    return at;
}

/* The same so near to the end that it must not be read there: of a copy. */
static const uint8_t *last_value(const uint8_t *at, const uint8_t *end,
                                 struct leat_statsd_line *line)
{
    uint8_t copy[QUICK_LEFT] = {0};
    const uint8_t *bar;

    if (end - at >= QUICK_LEFT)
        return NULL; /* was tried where it lies */
    memcpy(copy, at, (size_t)(end - at));
    bar = quick_value(copy, line);
    return bar != NULL ? at + (bar - copy) : NULL;
}

static bool value_of(struct leat_bytes text, uint64_t *faults, double *ret, bool *ret_signed)
{
    enum leat_statsd_number n = leat_statsd_number(text, ret);

    *ret_signed = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+');
    if (n != LEAT_STATSD_NUMBER)
        faults[n == LEAT_STATSD_INFINITE ? LEAT_STATSD_NOT_FINITE : LEAT_STATSD_BAD_VALUE]++;
    return n == LEAT_STATSD_NUMBER;
}

int leat_statsd_more(const struct leat_statsd_line *line, const uint8_t **at, uint64_t *faults,
                     double *ret, bool *ret_signed)
{
    const uint8_t *from = *at, *to;

    if (from > line->values_end)
        return 0;
    to = find(from, line->values_end, ':', ':');
    *at = to + 1;
    return value_of(leat_bytes(from, (size_t)(to - from)), faults, ret, ret_signed) ? 1 : -1;
}

/* The first of the values of a line that is no set. */
static void first_value(struct leat_statsd_reader *r, struct leat_statsd_line *line)
{
    const uint8_t *to = find(line->values, line->values_end, ':', ':');
    bool sign;

    line->flags = to < line->values_end ? LEAT_STATSD_PACKED : 0;
    if (!value_of(leat_bytes(line->values, (size_t)(to - line->values)), r->faults, &line->value,
                  &sign))
        line->flags |= LEAT_STATSD_SKIP;
    else if (sign)
        line->flags |= LEAT_STATSD_SIGNED;
}

/* --- parts */

struct parts {
    struct leat_bytes tags, container, stamp; /* data NULL: not there */
};

static void take_rate(struct leat_statsd_reader *r, struct leat_bytes text,
                      struct leat_statsd_line *line)
{
    double rate;

    if (leat_statsd_number(text, &rate) == LEAT_STATSD_NUMBER && rate >= LEAT_STATSD_RATE_MIN &&
        rate <= 1)
        line->weight = 1 / rate;
    else
        r->faults[LEAT_STATSD_BAD_RATE]++;
}

static void take_tags(struct leat_statsd_reader *r, struct leat_bytes text, struct parts *p)
{
    if (text.len > LEAT_STATSD_TAGS_MAX) {
        text.len = LEAT_STATSD_TAGS_MAX;
        while (text.len > 0 && text.data[text.len] != ',')
            text.len--;
        r->faults[LEAT_STATSD_LONG_TAGS]++;
    }
    p->tags = text;
}

static void take_container(struct leat_statsd_reader *r, struct leat_bytes text, struct parts *p)
{
    if (text.len == 0 || text.len > LEAT_STATSD_CONTAINER_MAX)
        r->faults[LEAT_STATSD_BAD_CONTAINER]++;
    else
        p->container = text;
}

static bool seconds(struct leat_bytes text, int64_t *ret)
{
    int64_t v = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        v = v * 10 + (text.data[i] - '0');
        if (v > STAMP_MAX)
            return false;
    }
    *ret = v;
    return text.len > 0;
}

/* Counters and gauges may have one; T0 is now. */
static void take_stamp(struct leat_statsd_reader *r, struct leat_bytes text,
                       struct leat_statsd_line *line, struct parts *p)
{
    int64_t stamp;

    if (line->type > LEAT_STATSD_GAUGE || text.len > 16 || !seconds(text, &stamp)) {
        r->faults[LEAT_STATSD_BAD_TIMESTAMP]++;
        return;
    }
    line->stamp = stamp;
    line->flags &= (uint8_t)~LEAT_STATSD_STAMPED;
    if (stamp != 0)
        line->flags |= LEAT_STATSD_STAMPED;
    p->stamp = stamp != 0 ? text : leat_bytes(NULL, 0);
}

static bool begins(struct leat_bytes text, const char *with, size_t len)
{
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

static void take_part(struct leat_statsd_reader *r, struct leat_bytes text,
                      struct leat_statsd_line *line, struct parts *p)
{
    if (text.len == 0)
        r->faults[LEAT_STATSD_EMPTY_PART]++;
    else if (text.data[0] == '#')
        take_tags(r, leat_bytes(text.data + 1, text.len - 1), p);
    else if (text.data[0] == '@')
        take_rate(r, leat_bytes(text.data + 1, text.len - 1), line);
    else if (begins(text, "c:", 2))
        take_container(r, leat_bytes(text.data + 2, text.len - 2), p);
    else if (text.data[0] == 'T')
        take_stamp(r, leat_bytes(text.data + 1, text.len - 1), line, p);
    else if (!begins(text, "e:", 2) && !begins(text, "card:", 5)) /* for Datadog's agent only */
        r->faults[LEAT_STATSD_UNKNOWN_PART]++;
}

static uint8_t *append(uint8_t *to, const char *mark, struct leat_bytes part)
{
    while (*mark != '\0')
        *to++ = (uint8_t)*mark++;
    memcpy(to, part.data, part.len);
    return to + part.len;
}

/* Most tails stand in the line as they are needed; the others are put together. */
static void set_tail(struct leat_statsd_reader *r, const struct parts *p,
                     struct leat_statsd_line *line)
{
    const struct leat_bytes *tags = &p->tags, *container = &p->container;
    uint8_t *to;

    if (p->stamp.data == NULL && container->data == NULL) {
        line->tail = tags->data;
        line->tail_len = (uint16_t)tags->len;
        return;
    }
    if (p->stamp.data == NULL &&
        (tags->data == NULL || tags->data + tags->len == container->data - 3)) {
        line->tail = tags->data != NULL ? tags->data : container->data - 3;
        line->tail_len = (uint16_t)(container->data + container->len - line->tail);
        return;
    }
    line->tail = to = r->scratch + r->used;
    if (tags->data != NULL)
        to = append(to, "", *tags);
    if (container->data != NULL)
        to = append(to, "|c:", *container);
    if (p->stamp.data != NULL)
        to = append(to, "|T", p->stamp);
    line->tail_len = (uint16_t)(to - line->tail);
    r->used += line->tail_len;
}

/* From the '|' after the type to the end of the line, which is returned. */
static const uint8_t *read_parts(struct leat_statsd_reader *r, const uint8_t *at,
                                 struct leat_statsd_line *line)
{
    struct parts p = {{NULL, 0}, {NULL, 0}, {NULL, 0}};

    do {
        const uint8_t *from = at + 1;
        at = find(from, r->end, '|', '|');
        take_part(r, leat_bytes(from, (size_t)(before_cr(from, at, r->end) - from)), line, &p);
    } while (at < r->end && *at == '|');
    set_tail(r, &p, line);
    return at;
}

/* --- lines */

/* By the first letter: one more than the type, so that 0 is none; 'm' stands for "ms". */
static const uint8_t types[256] = {
    ['c'] = LEAT_STATSD_COUNTER + 1,      ['g'] = LEAT_STATSD_GAUGE + 1,
    ['m'] = LEAT_STATSD_TIMING + 1,       ['h'] = LEAT_STATSD_HISTOGRAM + 1,
    ['d'] = LEAT_STATSD_DISTRIBUTION + 1, ['s'] = LEAT_STATSD_SET + 1,
};

/* The line from `at` is lost. Returns where it ends. */
static const uint8_t *lost(struct leat_statsd_reader *r, const uint8_t *at,
                           enum leat_statsd_fault why)
{
    r->faults[why]++;
    return line_end(at, r->end);
}

/* Events and service checks: their lines are read by who wants them. */
static bool is_notice(const uint8_t *at, const uint8_t *end)
{
    return end - at >= 3 && ((at[1] == 'e' && at[2] == '{') ||
                             (end - at >= 4 && at[1] == 's' && at[2] == 'c' && at[3] == '|'));
}

static const uint8_t *keep_notice(struct leat_statsd_reader *r, const uint8_t *at,
                                  struct leat_statsd_line *line)
{
    const uint8_t *to = line_end(at, r->end);

    line->name = at;
    line->values_end = before_cr(at, to, r->end);
    line->flags = LEAT_STATSD_NOTICE;
    line->type = LEAT_STATSD_TYPES;
    line->name_len = line->tail_len = 0;
    line->tail = at;
    return to;
}

/* From the '|' after the values, of which the first was read when `have`. Returns where the line
 * ends; *ret_lost: it is not to be used. */
static const uint8_t *read_type(struct leat_statsd_reader *r, const uint8_t *at,
                                struct leat_statsd_line *line, bool have, bool *ret_lost)
{
    const uint8_t *end = r->end;
    unsigned type;

    *ret_lost = true;
    if (++at == end || *at == '\n' || *at == '\r' || *at == '|')
        return lost(r, at, LEAT_STATSD_NO_TYPE);
    type = types[*at];
    if (type == LEAT_STATSD_TIMING + 1 && (++at == end || *at != 's'))
        return lost(r, at, LEAT_STATSD_BAD_TYPE);
    at++;
    if (type == 0 ||
        (at < end && *at != '\n' && *at != '|' && line_end(at, end) != at + (*at == '\r')))
        return lost(r, at, LEAT_STATSD_BAD_TYPE);
    line->type = (uint8_t)(type - 1);
    if (!have && line->type != LEAT_STATSD_SET)
        first_value(r, line);
    *ret_lost = false;
    line->tail_len = 0;
    if (at < end && *at == '|')
        return read_parts(r, at, line);
    return at < end && *at == '\r' ? at + 1 : at;
}

/* Any line, from its first byte to its line feed or the end, which is returned. */
static __attribute__((noinline)) const uint8_t *read_line(struct leat_statsd_reader *r,
                                                          const uint8_t *at,
                                                          struct leat_statsd_line *line,
                                                          bool *ret_lost)
{
    const uint8_t *end = r->end, *colon = find(at, end, ':', '|'), *bar;
    bool have;

    *ret_lost = true;
    if (*at == '_' && is_notice(at, end)) {
        *ret_lost = false;
        return keep_notice(r, at, line);
    }
    if (colon == end || *colon != ':')
        return lost(r, colon, colon == at ? LEAT_STATSD_NO_NAME : LEAT_STATSD_NO_VALUE);
    if (colon == at || colon - at > LEAT_STATSD_NAME_MAX)
        return lost(r, colon, colon == at ? LEAT_STATSD_NO_NAME : LEAT_STATSD_LONG_NAME);
    line->name = at;
    line->name_len = (uint16_t)(colon - at);
    line->weight = 1;
    line->flags = 0;
    line->values = at = colon + 1;
    bar = last_value(at, end, line);
    have = bar != NULL;
    if (!have)
        bar = find(at, end, '|', '|');
    line->values_end = bar;
    if (bar == at)
        return lost(r, at, LEAT_STATSD_NO_VALUE);
    if (bar == end || *bar != '|')
        return lost(r, at, LEAT_STATSD_NO_TYPE);
    return read_type(r, bar, line, have, ret_lost);
}

/* From the '|' after the value of a line that was read the quick way. Returns where it ends, or
 * NULL: it is for read_line(). */
static inline __attribute__((always_inline)) const uint8_t *
quick_type(struct leat_statsd_reader *r, const uint8_t *at, const uint8_t *colon,
           const uint8_t *bar, struct leat_statsd_line *line)
{
    unsigned type = types[bar[1]];

    line->name = at;
    line->name_len = (uint16_t)(colon - at);
    line->values = colon + 1;
    line->values_end = bar;
    line->weight = 1;
    line->tail_len = 0;
    if (type == LEAT_STATSD_TIMING + 1 && *++bar == 'm')
        type = bar[1] == 's' ? type : 0;
    if (type == 0)
        return NULL;
    line->type = (uint8_t)(type - 1);
    bar += 2;
    if (*bar == '\n')
        return bar;
    return *bar == '|' ? read_parts(r, bar, line) : NULL;
}

/* A line as clients write most of them. Returns where it ends, or NULL: it is for read_line(),
 * which knows what is wrong with it. So much is left after the colon that nothing here can be
 * beyond the end. */
static const uint8_t *quick_line(struct leat_statsd_reader *r, const uint8_t *at,
                                 const uint8_t *end, struct leat_statsd_line *line)
{
    const uint8_t *colon = find(at, end, ':', '|'), *bar;

    if (end - colon < QUICK_LEFT || *colon != ':' || *at == '_' ||
        (size_t)(colon - at) - 1 >= LEAT_STATSD_NAME_MAX) /* 0 is beyond, too */
        return NULL;
    bar = quick_value(colon + 1, line);
    return bar != NULL ? quick_type(r, at, colon, bar, line) : NULL;
}

#ifdef __SSE2__
/* Which of 16 bytes are ':', '|' or a line feed. */
static inline __attribute__((always_inline)) uint64_t marks_16(const uint8_t *at)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i is = _mm_cmpeq_epi8(v, _mm_set1_epi8(':'));

    is = _mm_or_si128(is, _mm_cmpeq_epi8(v, _mm_set1_epi8('|')));
    is = _mm_or_si128(is, _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
    return (unsigned)_mm_movemask_epi8(is);
}

/* A line whose value is an integer of 8 digits at most within the first BLOCK bytes, without a
 * search or a branch on lengths, so that the next line can begin before this one is done. Returns
 * where it ends, or NULL: it is for quick_line(). */
static inline __attribute__((always_inline)) const uint8_t *
plain_line(struct leat_statsd_reader *r, const uint8_t *at, struct leat_statsd_line *line)
{
    uint64_t marks =
        marks_16(at) | marks_16(at + 16) << 16 | marks_16(at + 32) << 32 | marks_16(at + 48) << 48;
    uint64_t later = marks & (marks - 1), digits;
    const uint8_t *colon;
    unsigned first, length;

    if (later == 0)
        return NULL;
    first = (unsigned)__builtin_ctzll(marks);
    length = (unsigned)__builtin_ctzll(later) - first - 1;
    colon = at + first;
    if (first == 0 || length - 1 >= 8 || *colon != ':' || colon[1 + length] != '|' || *at == '_')
        return NULL;
    digits = leat_digits_eight(colon + 1) << (64 - 8 * length); /* zeros before them */
    if (leat_digits_others(digits) != 0)
        return NULL;
    line->value = (double)(int64_t)leat_digits_number(digits);
    line->flags = 0;
    return quick_type(r, at, colon, colon + 1 + length, line);
}
#else
static inline const uint8_t *plain_line(struct leat_statsd_reader *r, const uint8_t *at,
                                        struct leat_statsd_line *line)
{
    (void)r;
    (void)at;
    (void)line;
    return NULL;
}
#endif

/* Lines that plain_line() can read, up to the first that it cannot. */
static inline __attribute__((always_inline)) uint32_t
read_plain(struct leat_statsd_reader *r, struct leat_statsd_line *lines, uint32_t max)
{
    const uint8_t *at = r->at, *end = r->end, *to;
    uint32_t n = 0;

    while (n < max && end - at >= NEAR_END && r->used <= USED_MAX) {
        to = plain_line(r, at, &lines[n]);
        if (to == NULL)
            break;
        n++;
        at = to + (to < end);
    }
    r->at = at;
    r->lines += n;
    return n;
}

/* The next line, whatever it is; it may be empty, or lost. How many there are now to be used. */
static uint32_t read_one(struct leat_statsd_reader *r, struct leat_statsd_line *line)
{
    const uint8_t *at = r->at, *end = r->end, *to;
    bool gone = false;

    if (*at == '\n' || (*at == '\r' && (at + 1 == end || at[1] == '\n'))) {
        r->at++;
        return 0;
    }
    r->lines++;
    to = quick_line(r, at, end, line);
    if (to == NULL)
        to = read_line(r, at, line, &gone);
    r->at = to + (to < end);
    return !gone;
}

uint32_t leat_statsd_read(struct leat_statsd_reader *r, struct leat_statsd_line *lines,
                          uint32_t max)
{
    uint32_t n = 0;

    while (n < max && r->at < r->end && r->used <= USED_MAX) {
        n += read_plain(r, lines + n, max - n);
        if (n < max && r->at < r->end && r->used <= USED_MAX)
            n += read_one(r, lines + n);
    }
    return n;
}
