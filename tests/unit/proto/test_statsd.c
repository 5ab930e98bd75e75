/* The StatsD line protocol: what is read of a line, and what is counted against it. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/statsd.h"
#include "proto/statsd_tags.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))

static uint64_t faults[LEAT_STATSD_FAULTS];
static char text[65536];

/* Puts what was counted behind the text. */
static void put_faults(size_t at)
{
    for (size_t i = 0; i < LEAT_STATSD_FAULTS; i++) {
        if (faults[i] != 0)
            at += (size_t)snprintf(text + at, sizeof text - at, " !%s=%" PRIu64,
                                   leat_statsd_fault_names[i], faults[i]);
    }
}

static size_t put_line(size_t at, const struct leat_statsd_line *line)
{
    static const char *const types = "cgmhds";
    const uint8_t *more;
    bool sign;
    double v;
    int code;

    at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s=", at != 0 ? " " : "",
                           line->name_len, (const char *)line->name);
    if (line->type == LEAT_STATSD_SET)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s",
                               (int)(line->values_end - line->values), (const char *)line->values);
    else if (line->flags & LEAT_STATSD_SKIP)
        at += (size_t)snprintf(text + at, sizeof text - at, "?");
    else
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.17g",
                               line->flags & LEAT_STATSD_SIGNED ? "s" : "", line->value);
    if (line->flags & LEAT_STATSD_PACKED) {
        more = (const uint8_t *)memchr(line->values, ':', 1000) + 1;
        while ((code = leat_statsd_more(line, &more, faults, &v, &sign)) != 0)
            at += (size_t)(code > 0 ? snprintf(text + at, sizeof text - at, ":%s%.17g",
                                               sign ? "s" : "", v)
                                    : snprintf(text + at, sizeof text - at, ":?"));
    }
    at += (size_t)snprintf(text + at, sizeof text - at, ",%c", types[line->type]);
    if (line->weight != 1)
        at += (size_t)snprintf(text + at, sizeof text - at, ",x%g", line->weight);
    if (line->flags & LEAT_STATSD_STAMPED)
        at += (size_t)snprintf(text + at, sizeof text - at, ",T%" PRId64, line->stamp);
    if (line->tail_len != 0)
        at += (size_t)snprintf(text + at, sizeof text - at, ",<%.*s>", line->tail_len,
                               (const char *)line->tail);
    return at;
}

/* What is read of these bytes, as text. They stand in a block of their own size. */
static const char *read_bytes(const char *bytes, size_t len)
{
    static struct leat_statsd_reader r;
    struct leat_statsd_line lines[3];
    char *copy = malloc(len != 0 ? len : 1);
    size_t at = 0;
    uint32_t n;

    memcpy(copy, bytes, len);
    memset(faults, 0, sizeof faults);
    text[0] = '\0';
    leat_statsd_begin(&r, leat_bytes(copy, len), faults);
    while (r.at < r.end) {
        n = leat_statsd_read(&r, lines, COUNT(lines));
        leat_statsd_settle(&r); /* the bytes stay */
        for (uint32_t i = 0; i < n; i++)
            at = lines[i].flags & LEAT_STATSD_NOTICE
                     ? at + (size_t)snprintf(text + at, sizeof text - at, "%s(%.*s)",
                                             at != 0 ? " " : "",
                                             (int)(lines[i].values_end - lines[i].name),
                                             (const char *)lines[i].name)
                     : put_line(at, &lines[i]);
    }
    free(copy);
    put_faults(at);
    return text;
}

static const struct {
    const char *bytes, *read;
} table[] = {
    {"a:1|c", "a=1,c"},
    {"a:1|c\n", "a=1,c"},
    {"a:1|c\r\n", "a=1,c"},
    {"a:1|c\r", "a=1,c"},
    {"a:1|c|#x:y\r\nb:2|g|@0.5\r\n", "a=1,c,<x:y> b=2,g,x2"},
    {"a:1|g\nb:2|ms\nc:3|h\nd:4|d\ne:f|s", "a=1,g b=2,m c=3,h d=4,d e=f,s"},
    {"\n\n\r\na:1|c\n\n", "a=1,c"},
    /* values */
    {"a:12345678|c\n--------------------", "a=12345678,c !no_value=1"},
    {"a:123456789|c\n-------------------", "a=123456789,c !no_value=1"},
    {"a:0.1|c\n-------------------------", "a=0.10000000000000001,c !no_value=1"},
    {"a:12345678.12345678|c\n-----------", "a=12345678.12345678,c !no_value=1"},
    {"a:99999999.99999999|c\n-----------", "a=99999999.999999985,c !no_value=1"},
    {"a:-3.5|g\n------------------------", "a=s-3.5,g !no_value=1"},
    {"a:+3|g\n--------------------------", "a=s3,g !no_value=1"},
    {"a:-3.5|g", "a=s-3.5,g"},
    {"a:.5|g", "a=0.5,g"},
    {"a:5.|g", "a=5,g"},
    {"a:1e3|g", "a=1000,g"},
    {"a:1E-3|g", "a=0.001,g"},
    {"a:-0|g", "a=s-0,g"},
    {"a:nan|g", "a=?,g !not_finite=1"},
    {"a:-Inf|g", "a=?,g !not_finite=1"},
    {"a:+infinity|c", "a=?,c !not_finite=1"},
    {"a:1e999|c", "a=?,c !not_finite=1"},
    {"a:1e-999|c", "a=0,c"},
    {"a:x|c", "a=?,c !bad_value=1"},
    {"a:1x|c", "a=?,c !bad_value=1"},
    {"a: 1|c", "a=?,c !bad_value=1"},
    {"a:0x10|c", "a=?,c !bad_value=1"},
    {"a:1e|c", "a=?,c !bad_value=1"},
    {"a:-|c", "a=?,c !bad_value=1"},
    {"a:.|c", "a=?,c !bad_value=1"},
    {"a:--1|c", "a=?,c !bad_value=1"},
    {"a:1:2:3|c", "a=1:2:3,c"},
    {"a:1:-2:+3|g|#x:y", "a=1:s-2:s3,g,<x:y>"},
    {"a:1:x:nan:3|ms", "a=1:?:?:3,m !bad_value=1 !not_finite=1"},
    {"a:x:1|c", "a=?:1,c !bad_value=1"},
    {"a:1:|c", "a=1:?,c !bad_value=1"},
    {"a::1|c", "a=?:1,c !bad_value=1"},
    {"a:b:c|s", "a=b:c,s"},
    {"a:123|s|#a:b--------------", "a=123,s,<a:b-------------->"},
    /* lines that are lost, and do not cost the next */
    {":1|c\na:1|c", "a=1,c !no_name=1"},
    {"|a:1|c\na:1|c", "a=1,c !no_name=1"},
    {"a\nb:1|c", "b=1,c !no_value=1"},
    {"a|c\nb:1|c", "b=1,c !no_value=1"},
    {"a|b:1|c\nb:1|c", "b=1,c !no_value=1"},
    {"a:\nb:1|c", "b=1,c !no_value=1"},
    {"a:|c\nb:1|c", "b=1,c !no_value=1"},
    {"a:1\nb:1|c", "b=1,c !no_type=1"},
    {"a:1|\nb:1|c", "b=1,c !no_type=1"},
    {"a:1|", " !no_type=1"},
    {"a:1||#x\nb:1|c", "b=1,c !no_type=1"},
    {"a:1|C\nb:1|c", "b=1,c !bad_type=1"},
    {"a:1|cc\nb:1|c", "b=1,c !bad_type=1"},
    {"a:1|m\nb:1|c", "b=1,c !bad_type=1"},
    {"a:1|m", " !bad_type=1"},
    {"a:1|mss\nb:1|c", "b=1,c !bad_type=1"},
    {"a:1|MS\nb:1|c", "b=1,c !bad_type=1"},
    {"a:1|c \nb:1|c", "b=1,c !bad_type=1"},
    {"a:1|c\rx\nb:1|c", "b=1,c !bad_type=1"},
    {"a:1|\xff\nb:1|c", "b=1,c !bad_type=1"},
    /* parts */
    {"a:1|c|@0.1", "a=1,c,x10"},
    {"a:1|c|@1", "a=1,c"},
    {"a:1|c|@0|#x:y", "a=1,c,<x:y> !bad_rate=1"},
    {"a:1|c|@2", "a=1,c !bad_rate=1"},
    {"a:1|c|@-1", "a=1,c !bad_rate=1"},
    {"a:1|c|@", "a=1,c !bad_rate=1"},
    {"a:1|c|@nan", "a=1,c !bad_rate=1"},
    {"a:1|c|@1e-10", "a=1,c !bad_rate=1"},
    {"a:1|c|@x|@0.5", "a=1,c,x2 !bad_rate=1"},
    {"a:1|c|#x:y|@0.5", "a=1,c,x2,<x:y>"},
    {"a:1|c||@0.5", "a=1,c,x2 !empty_part=1"},
    {"a:1|c|@0.5|", "a=1,c,x2 !empty_part=1"},
    {"a:1|c|", "a=1,c !empty_part=1"},
    {"a:1|c|\r\n", "a=1,c !empty_part=1"},
    {"a:1|c|what|#x:y", "a=1,c,<x:y> !unknown_part=1"},
    {"a:1|c|c|#x:y", "a=1,c,<x:y> !unknown_part=1"},
    {"a:1|c|e:it-false|card:low|#x:y", "a=1,c,<x:y>"},
    {"a:1|c|e:|card:", "a=1,c"},
    {"a:1|c|#x:y|#z:w", "a=1,c,<z:w>"},
    {"a:1|c|#", "a=1,c"},
    {"a:1|c|c:abc", "a=1,c,<|c:abc>"},
    {"a:1|c|#x:y|c:abc", "a=1,c,<x:y|c:abc>"},
    {"a:1|c|c:abc|#x:y", "a=1,c,<x:y|c:abc>"},
    {"a:1|c|#x:y|@0.5|c:abc\r\n", "a=1,c,x2,<x:y|c:abc>"},
    {"a:1|c|c:|#x:y", "a=1,c,<x:y> !bad_container=1"},
    {"a:1|g|T1700000000", "a=1,g,T1700000000,<|T1700000000>"},
    {"a:1|c|T17|c:i|#x:y", "a=1,c,T17,<x:y|c:i|T17>"},
    {"a:1|c|T17|T18", "a=1,c,T18,<|T18>"},
    {"a:1|c|T0|#x:y", "a=1,c,<x:y>"},
    {"a:1|c|T17|T0", "a=1,c"},
    {"a:1|ms|T17|#x:y", "a=1,m,<x:y> !bad_timestamp=1"},
    {"a:1|c|T-17", "a=1,c !bad_timestamp=1"},
    {"a:1|c|T", "a=1,c !bad_timestamp=1"},
    {"a:1|c|T1.5", "a=1,c !bad_timestamp=1"},
    {"a:1|c|T9223372036", "a=1,c,T9223372036,<|T9223372036>"},
    {"a:1|c|T9223372037", "a=1,c !bad_timestamp=1"},
    /* events and service checks are not looked into here */
    {"_e{1,1}:a|b\na:1|c\n_sc|n|0\r\n", "(_e{1,1}:a|b) a=1,c (_sc|n|0)"},
    {"_e:1|c\n_sc:1|c\n_x:1|c\n_:1|c", "_e=1,c _sc=1,c _x=1,c _=1,c"},
    {"_", " !no_value=1"},
    {"_e", " !no_value=1"},
    {"_e{", "(_e{)"},
    {"_sc", " !no_value=1"},
    {"_sc|", "(_sc|)"},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        const char *is = read_bytes(table[i].bytes, strlen(table[i].bytes));
        if (strcmp(is, table[i].read) != 0)
            fail_msg("'%s': '%s', not '%s'", table[i].bytes, is, table[i].read);
    }
}

/* What comes after a line does not change how it is read: where the end is near and where not. */
static void test_what_follows(void **state)
{
    char bytes[256];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        char alone[1024];
        size_t len = strlen(table[i].bytes);
        if (len == 0 || len > 100 || strchr(table[i].bytes, '!') != NULL)
            continue;
        snprintf(bytes, sizeof bytes, "%s\nzz:1|c\n", table[i].bytes);
        snprintf(alone, sizeof alone, "%s", read_bytes(bytes, strlen(bytes)));
        for (size_t k = 0; k < 40; k++) {
            snprintf(bytes + strlen(bytes), 2, "\n");
            if (strcmp(read_bytes(bytes, strlen(bytes)), alone) != 0)
                fail_msg("'%s' with %zu behind it: '%s', not '%s'", table[i].bytes, k, text, alone);
        }
    }
}

static void test_long(void **state)
{
    static char bytes[16384];
    size_t len;

    (void)state;
    memset(bytes, 'n', LEAT_STATSD_NAME_MAX + 1);
    memcpy(bytes + LEAT_STATSD_NAME_MAX, ":1|c\na:1|c", 10);
    assert_null(strchr(read_bytes(bytes, LEAT_STATSD_NAME_MAX + 10), '!'));
    memcpy(bytes + LEAT_STATSD_NAME_MAX, "n:1|c\na:1|c", 11);
    assert_string_equal(read_bytes(bytes, LEAT_STATSD_NAME_MAX + 11), "a=1,c !long_name=1");

    len = (size_t)snprintf(bytes, sizeof bytes, "a:1|c|#");
    for (int i = 0; i < 1000; i++)
        len += (size_t)snprintf(bytes + len, sizeof bytes - len, "k%03d:v,", i);
    snprintf(bytes + len, sizeof bytes - len, "|@0.5");
    read_bytes(bytes, strlen(bytes));
    assert_non_null(strstr(text, "k584:v> !long_tags=1"));
    assert_non_null(strstr(text, "a=1,c,x2,"));

    len = (size_t)snprintf(bytes, sizeof bytes, "a:1|c|c:");
    memset(bytes + len, 'i', 257);
    len += 257;
    snprintf(bytes + len, sizeof bytes - len, "\nb:1|c");
    assert_string_equal(read_bytes(bytes, strlen(bytes)), "a=1,c b=1,c !bad_container=1");

    memset(bytes, '1', 2000); /* a value of many digits */
    memcpy(bytes, "a:", 2);
    memcpy(bytes + 1000, "|c\0", 3);
    assert_string_equal(read_bytes(bytes, 1002), "a=?,c !not_finite=1");
    memcpy(bytes + 302, "|c\0", 3);
    assert_string_equal(read_bytes(bytes, 304), "a=1.1111111111111112e+299,c");
    memset(bytes + 302, '1', 1000);
    memcpy(bytes + 1302, "|c", 2);
    assert_string_equal(read_bytes(bytes, 1304), "a=?,c !bad_value=1");
}

/* Many tails that have to be put together: more than the reader has room for at once. */
static void test_scratch(void **state)
{
    static char bytes[65536];
    size_t len = 0;
    char *p = text;

    (void)state;
    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(bytes + len, sizeof bytes - len, "a:1|c|c:%0200d|#x:%03d\n", i, i);
    read_bytes(bytes, len);
    for (int i = 0; i < 200; i++) {
        char want[300];
        snprintf(want, sizeof want, "a=1,c,<x:%03d|c:%0200d>", i, i);
        assert_memory_equal(p, want, strlen(want));
        p += strlen(want) + 1;
    }
}

static void test_numbers(void **state)
{
    uint32_t seed = 1;
    char number[64];
    double v;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        int digits = (int)(seed >> 10) % 18, len;
        uint64_t bits;
        double want;
        seed = seed * 1664525 + 1013904223;
        bits = (uint64_t)seed << 32;
        seed = seed * 1664525 + 1013904223;
        bits |= seed;
        memcpy(&want, &bits, sizeof want);
        if (i % 2 == 0 || !isfinite(want))
            want = (double)(seed >> 3) / (1 << i % 20);
        if (i % 3 == 0)
            len = snprintf(number, sizeof number, "%.*f", digits, want);
        else if (i % 3 == 1)
            len = snprintf(number, sizeof number, "%.*g", digits, want);
        else
            len = snprintf(number, sizeof number, "%.*e", digits, want);
        if (len >= (int)sizeof number)
            continue;
        if (isinf(strtod(number, NULL))) /* rounded up */
            continue;
        assert_int_equal(leat_statsd_number(leat_bytes_str(number), &v), LEAT_STATSD_NUMBER);
        assert_true(v == strtod(number, NULL));
        /* and in a line, where there is a quicker way */
        snprintf(text, sizeof text, "a:%s|g\n--------------------------------", number);
        {
            static struct leat_statsd_reader r;
            struct leat_statsd_line line;
            leat_statsd_begin(&r, leat_bytes_str(text), faults);
            assert_int_equal(leat_statsd_read(&r, &line, 1), 1);
            assert_true(line.value == v);
        }
    }
}

/* --- tags */

static const char *read_tags(const char *name, const char *tail, bool simple)
{
    static struct leat_statsd_tags t;
    size_t at = 0;

    leat_statsd_tags_read(&t, leat_bytes_str(name), leat_bytes_str(tail), simple);
    text[0] = '\0';
    for (uint32_t i = 0; i < t.count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s=%.*s;", LEAT_FMT(t.items[i].key),
                               LEAT_FMT(t.items[i].value));
    if (t.stamp.len != 0)
        at += (size_t)snprintf(text + at, sizeof text - at, "T%.*s", LEAT_FMT(t.stamp));
    if (t.bad != 0)
        at += (size_t)snprintf(text + at, sizeof text - at, "!%u", t.bad);
    if (t.many)
        at += (size_t)snprintf(text + at, sizeof text - at, "!many");
    if (t.replaced)
        snprintf(text + at, sizeof text - at, "!replaced");
    return text;
}

static void test_tags(void **state)
{
    static const struct {
        const char *tail;
        bool simple;
        const char *read;
    } each[] = {
        {"", false, ""},
        {"a:1", false, "a=1;"},
        {"b:1,a:2", false, "a=2;b=1;"},
        {"a:1,a:2,a:0", false, "a=0;"},
        {"a:1:2", false, "a=1:2;"},
        {"a:1,#b:2", false, "#b=2;a=1;"},
        {"a", false, "!1"},
        {"a:", false, "!1"},
        {":a", false, "!1"},
        {",", false, "!2"},
        {"a:1,,b:2,", false, "a=1;b=2;!2"},
        {"a,b:,c:1,:x", true, "a=;b=;c=1;!1"},
        {"ab:1,a:1,abc:1", false, "a=1;ab=1;abc=1;"},
        {"a:1|c:x", false, "a=1;container.id=x;"},
        {"container.id:y|c:x", false, "container.id=x;"},
        {"container.id:y|c:in-1", false, "container.id=y;"},
        {"|c:ci-x", false, "container.id=x;"},
        {"|c:in-1,ci-x", false, "container.id=x;"},
        {"a:1|c:x|T17", false, "a=1;container.id=x;T17"},
        {"|T17", false, "T17"},
        {"k\xff:v\xff\xc3\xa4", false, "k\xef\xbf\xbd=v\xef\xbf\xbd\xc3\xa4;!replaced"},
        {"a:\xff,a:\xfe", false, "a=\xef\xbf\xbd;!replaced"},
    };
    static char many[4096];
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(each); i++) {
        const char *is = read_tags("n", each[i].tail, each[i].simple);
        if (strcmp(is, each[i].read) != 0)
            fail_msg("'%s': '%s', not '%s'", each[i].tail, is, each[i].read);
    }
    for (int i = 300; i > 0; i--)
        at += (size_t)snprintf(many + at, sizeof many - at, "%sk%03d:v", i < 300 ? "," : "", i);
    assert_non_null(strstr(read_tags("n", many, false), "k300=v;!many"));
}

/* --- events and service checks */

static const char *read_notice(const char *line)
{
    struct leat_statsd_notice n;
    size_t at;

    memset(faults, 0, sizeof faults);
    if (!leat_statsd_notice_read(leat_bytes_str(line), faults, &n)) {
        put_faults(0);
        return text;
    }
    at =
        (size_t)snprintf(text, sizeof text, "%s%u name=%.*s text=%.*s", n.check ? "check" : "event",
                         n.status, LEAT_FMT(n.name), LEAT_FMT(n.text));
    {
        const struct {
            const char *name;
            struct leat_bytes value;
        } each[] = {{"h", n.host},  {"k", n.key},  {"p", n.priority}, {"s", n.source},
                    {"t", n.alert}, {"#", n.tags}, {"c", n.container}};
        for (size_t i = 0; i < COUNT(each); i++) {
            if (each[i].value.len != 0)
                at += (size_t)snprintf(text + at, sizeof text - at, " %s=%.*s", each[i].name,
                                       LEAT_FMT(each[i].value));
        }
    }
    if (n.time != 0)
        at += (size_t)snprintf(text + at, sizeof text - at, " d=%" PRId64, n.time);
    put_faults(at);
    return text;
}

static void test_notices(void **state)
{
    static const struct {
        const char *line, *read;
    } each[] = {
        {"_e{5,4}:title|text", "event0 name=title text=text"},
        {"_e{5,0}:title|", "event0 name=title text="},
        {"_e{3,3}:a|b|c|d|p:low", "event0 name=a|b text=c|d p=low"},
        {"_e{1,1}:a|b|d:17|h:web|k:key|p:low|s:src|t:error|#x:y,z|c:id|e:x|card:low",
         "event0 name=a text=b h=web k=key p=low s=src t=error #=x:y,z c=id d=17"},
        {"_e{1,1}:a|b||what|d:x|m:no|d:", "event0 name=a text=b !bad_timestamp=2 !empty_part=1 "
                                          "!unknown_part=2"},
        {"_e{1,1}:a|b|", "event0 name=a text=b !empty_part=1"},
        {"_e{0,1}:|b", " !bad_event=1"},
        {"_e{2,1}:a|b", " !bad_event=1"},
        {"_e{1,9}:a|b", " !bad_event=1"},
        {"_e{1,1}:a|bc", " !bad_event=1"},
        {"_e{,1}:a|b", " !bad_event=1"},
        {"_e{1}:a|b", " !bad_event=1"},
        {"_e{1,1}a|b", " !bad_event=1"},
        {"_e{99999999999999999999999,1}:a|b", " !bad_event=1"},
        {"_e{", " !bad_event=1"},
        {"_sc|n|0", "check0 name=n text="},
        {"_sc|a name|3|d:17|h:web|#x:y|m:all is well|c:id",
         "check3 name=a name text=all is well h=web #=x:y c=id d=17"},
        {"_sc|n|2|k:x|p:x|s:x|t:x|m:", "check2 name=n text= !unknown_part=4"},
        {"_sc|n|0|", "check0 name=n text= !empty_part=1"},
        {"_sc|n|4", " !bad_service_check=1"},
        {"_sc|n|00", " !bad_service_check=1"},
        {"_sc|n|", " !bad_service_check=1"},
        {"_sc|n", " !bad_service_check=1"},
        {"_sc||0", " !bad_service_check=1"},
        {"_sc|", " !bad_service_check=1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(each); i++) {
        const char *is = read_notice(each[i].line);
        if (strcmp(is, each[i].read) != 0)
            fail_msg("'%s': '%s', not '%s'", each[i].line, is, each[i].read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_what_follows),
        cmocka_unit_test(test_long),    cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_tags),
        cmocka_unit_test(test_notices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
