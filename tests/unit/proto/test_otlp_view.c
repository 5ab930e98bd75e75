/* The check of received requests: what it accepts, what it refuses and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lib/otlp_random.h"
#include "lib/otlp_write.h"
#include "proto/otlp.h"
#include "proto/otlp_quick.h"
#include "proto/otlp_view.h"

#define PATH 16 /* messages within one another, without repetition */

/* On memory that ends where the request ends, so that the sanitizer sees a read past it. */
static enum leat_otlp_verdict check(enum leat_signal signal, struct leat_bytes b,
                                    struct leat_otlp_count *count, const char **why)
{
    uint8_t *copy = b.len == 0 ? NULL : leat_new(b.len);
    enum leat_otlp_verdict v;

    if (b.len != 0)
        memcpy(copy, b.data, b.len);
    v = leat_otlp_check(signal, leat_bytes(copy, b.len), count, why);
    leat_free(copy);
    return v;
}

/* The same, but without the quick way. */
static enum leat_otlp_verdict check_slowly(enum leat_signal signal, struct leat_bytes b,
                                           struct leat_otlp_count *count, const char **why)
{
    const struct leat_otlp_message *m = leat_otlp_request[signal];
    struct leat_otlp_checker c = {.top = &m->fields[1], .safe = NULL};
    bool ok = leat_otlp_check_message(&c, m, leat_wire_of(b), 0);

    *count = ok ? c.count : (struct leat_otlp_count){0, 0};
    *why = ok ? NULL : c.why;
    return ok ? LEAT_OTLP_OK : c.verdict;
}

/* Both ways must agree, with and without padding. The verdict, and why. */
static enum leat_otlp_verdict verdict(enum leat_signal signal, struct leat_bytes b,
                                      struct leat_otlp_count *count, const char **why)
{
    enum leat_otlp_verdict slow = check_slowly(signal, b, count, why), v;
    struct leat_otlp_count other;
    const char *because;
    struct leat_text t;

    v = check(signal, b, &other, &because);
    assert_int_equal(v, slow);
    assert_ptr_equal(because, *why);
    assert_true(other.items == count->items && other.resources == count->resources);

    leat_text_init(&t, b.len + 1000);
    leat_text_add(&t, b.data, b.len);
    otlp_write_padding(&t);
    v = check(signal, leat_text_bytes(&t), &other, &because);
    if (slow == LEAT_OTLP_OK) {
        assert_int_equal(v, slow);
        assert_true(other.items == count->items && other.resources == count->resources);
    } else {
        /* The padding may have become what a length has promised. */
        struct leat_otlp_count again;
        const char *reason;
        assert_int_equal(check_slowly(signal, leat_text_bytes(&t), &again, &reason), v);
        assert_ptr_equal(because, reason);
    }
    leat_text_done(&t);
    return slow;
}

/* --- every field of every message, found through the tables */

struct path {
    enum leat_signal signal;
    const struct leat_otlp_message *message[PATH];
    uint32_t field[PATH]; /* of message i, leads to message i + 1 */
    unsigned depth;       /* of the last one */
};

typedef void on_field(const struct path *p, uint32_t number, const struct leat_otlp_field *f);

static unsigned each_field(struct path *p, on_field *visit)
{
    const struct leat_otlp_message *m = p->message[p->depth];
    unsigned seen = 0;

    for (uint32_t n = 1; n <= m->top; n++) {
        const struct leat_otlp_field *f = leat_otlp_field(m, n);
        bool again = false;

        if (f == NULL)
            continue;
        visit(p, n, f);
        seen++;
        for (unsigned i = 0; i <= p->depth; i++)
            again |= p->message[i] == f->message;
        if (f->kind != LEAT_OTLP_MESSAGE || again)
            continue;
        assert_true(p->depth + 1 < PATH);
        p->field[p->depth++] = n;
        p->message[p->depth] = f->message;
        seen += each_field(p, visit);
        p->depth--;
    }
    return seen;
}

static void all_fields(on_field *visit)
{
    for (int s = 0; s < LEAT_SIGNALS; s++) {
        struct path p = {.signal = (enum leat_signal)s, .message = {leat_otlp_request[s]}};

        assert_true(each_field(&p, visit) > 60);
    }
}

/* Puts what is in `t` where `p` leads. */
static void wrap(const struct path *p, struct leat_text *t)
{
    for (unsigned i = p->depth; i-- > 0;)
        otlp_write_wrap(t, p->field[i]);
}

static enum leat_otlp_verdict verdict_at(const struct path *p, struct leat_text *t,
                                         const char **why)
{
    struct leat_otlp_count count;
    enum leat_otlp_verdict v;

    wrap(p, t);
    v = verdict(p->signal, leat_text_bytes(t), &count, why);
    leat_text_done(t);
    return v;
}

static void put_any(struct leat_text *t, uint32_t number, unsigned type, size_t len)
{
    static const uint8_t zeroes[64];

    leat_text_init(t, 1 << 20);
    otlp_write_tag(t, number, type);
    if (type == LEAT_BYTES)
        otlp_write_varint(t, len);
    leat_text_add(t, zeroes, len);
}

static void one_wire_type(const struct path *p, uint32_t number, const struct leat_otlp_field *f)
{
    static const struct {
        unsigned type;
        size_t len;
    } ways[] = {{LEAT_VARINT, 1}, {LEAT_FIXED64, 8}, {LEAT_BYTES, 0}, {LEAT_FIXED32, 4}, {3, 0}};
    enum leat_wire_type right = leat_otlp_wire_type((enum leat_otlp_kind)f->kind);

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        bool packed = f->repeated && ways[i].type == LEAT_BYTES;
        struct leat_text t;
        const char *why;

        put_any(&t, number, ways[i].type, ways[i].len);
        if (ways[i].type == right || packed) {
            assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_OK);
        } else {
            assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_MALFORMED);
            assert_ptr_equal(why, f->bad_type);
        }
    }
}

static void known_fields_have_their_wire_type(void **state)
{
    (void)state;
    all_fields(one_wire_type);
}

static void one_cut_short(const struct path *p, uint32_t number, const struct leat_otlp_field *f)
{
    static const size_t sizes[] = {[LEAT_VARINT] = 0, [LEAT_FIXED64] = 7, [LEAT_FIXED32] = 3};
    enum leat_wire_type right = leat_otlp_wire_type((enum leat_otlp_kind)f->kind);
    struct leat_text t;
    const char *why;

    if (right == LEAT_BYTES) {
        leat_text_init(&t, 1 << 20);
        otlp_write_tag(&t, number, LEAT_BYTES);
        otlp_write_varint(&t, 9);
        leat_text_add(&t, "12345678", 8);
    } else {
        put_any(&t, number, right, sizes[right]);
    }
    assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_MALFORMED);
    assert_ptr_equal(why, f->bad_value);
    if (f->repeated && right != LEAT_BYTES) {
        leat_text_init(&t, 1 << 20);
        /* packed, and half of one; for varints 0xff is that */
        otlp_write_bytes(&t, number, leat_bytes("12345678\xff\xff\xff\xff", 12));
        assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_MALFORMED);
        assert_ptr_equal(why, f->bad_value);
    }
}

static void values_are_whole(void **state)
{
    (void)state;
    all_fields(one_cut_short);
}

static void one_id(const struct path *p, uint32_t number, const struct leat_otlp_field *f)
{
    size_t right = f->kind == LEAT_OTLP_TRACE_ID ? 16 : 8;

    if (f->kind != LEAT_OTLP_TRACE_ID && f->kind != LEAT_OTLP_SPAN_ID)
        return;
    for (size_t len = 0; len <= 33; len++) {
        struct leat_text t;
        const char *why;

        put_any(&t, number, LEAT_BYTES, len);
        if (len == 0 || len == right) {
            assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_OK);
        } else {
            assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_MALFORMED);
            assert_ptr_equal(why, f->bad_value);
        }
    }
}

static void ids_have_their_length(void **state)
{
    (void)state;
    all_fields(one_id);
}

static void one_unknown(const struct path *p, uint32_t number, const struct leat_otlp_field *f)
{
    const struct leat_otlp_message *m = p->message[p->depth];
    struct leat_text t;
    const char *why;

    (void)f;
    put_any(&t, m->top + number, LEAT_BYTES, 5);
    assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_OK);
    put_any(&t, m->top + number, 3, 0); /* groups */
    assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_MALFORMED);
    assert_ptr_equal(why, m->bad_tag);
    put_any(&t, m->top + number, LEAT_FIXED64, 7);
    assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_MALFORMED);
    put_any(&t, 0, LEAT_VARINT, 1);
    assert_int_equal(verdict_at(p, &t, &why), LEAT_OTLP_MALFORMED);
    assert_ptr_equal(why, m->bad_tag);
}

static void unknown_fields_pass_when_well_formed(void **state)
{
    (void)state;
    all_fields(one_unknown);
}

/* An attribute of a log record whose lengths say anything about one another: a pair, a key made of
 * `fill`, four bytes of the value, and `rest` bytes of well-formed fields. */
static bool lying_attr(size_t pair, size_t key, char fill, const char *value, size_t rest)
{
    struct leat_otlp_count count;
    struct leat_text t;
    const char *why;
    enum leat_otlp_verdict v;

    leat_text_init(&t, 1 << 12);
    leat_text_char(&t, 0x32); /* attributes */
    leat_text_char(&t, (char)pair);
    leat_text_char(&t, 0x0a); /* key */
    leat_text_char(&t, (char)key);
    for (size_t i = 0; i < key; i++)
        leat_text_char(&t, fill);
    leat_text_add(&t, value, 4);
    for (size_t i = 0; i < rest; i++)
        leat_text_char(&t, 0x10); /* severity_number 16, as often as it fits */
    otlp_write_wrap(&t, 2);
    otlp_write_wrap(&t, 2);
    otlp_write_wrap(&t, 1);
    v = verdict(LEAT_LOGS, leat_text_bytes(&t), &count, &why);
    leat_text_done(&t);
    return v == LEAT_OTLP_OK;
}

static void lengths_that_lie_about_one_another_are_found(void **state)
{
    static const char fills[] = {0x10, 0x62}; /* severity_number, event_name */
    unsigned passed = 0;

    (void)state;
    for (size_t pair = 0; pair < 14; pair++) {
        for (size_t key = 0; key < 14; key++) {
            for (size_t i = 0; i < 9 * 9; i++) {
                char value[] = {0x12, (char)(i / 9), 0x0a, (char)(i % 9)};

                passed += lying_attr(pair, key, fills[i & 1], value, 20);
                passed += lying_attr(pair, key, fills[i & 1], value, 5);
            }
            for (size_t i = 0; i < 2 * 20; i++) {
                /* What would fit if differences of lengths could be below zero. */
                uint32_t left = (uint32_t)(pair - key - 4);
                uint32_t four = 0x000a0012u - 0x02000000u + left * 0x01000100u;

                passed += lying_attr(pair, key, fills[i & 1], (const char *)&four, i / 2);
            }
        }
    }
    assert_in_range(passed, 50, 10000);
}

/* A sub-message of a log record that is longer than the record, but not than what comes after. */
static void lengths_end_with_what_is_around_them(void **state)
{
    static const struct {
        const char *record;
        size_t len;
    } rows[] = {
        {"\x2a\x02\x0a", 3},          /* body, one byte short */
        {"\x2a\x81\x01\x0a\x7f", 5},  /* longer than 127 */
        {"\x1a\x05INFO", 6},          /* severity_text */
        {"\x1a\xff\x01INFO", 7},      /* longer than 127 */
        {"\x32\x05\x0a\x01k\x12", 6}, /* attributes */
        {"\x32\xff\x7f\x0a\x01k", 6}, /* longer than all there is */
        {"\x09\0\0\0\0\0\0\0", 8},    /* time_unix_nano */
        {"\x45\0\0\0", 4},            /* flags */
        {"\x10\x80", 2},              /* severity_number */
        {"\x4a\x10id", 4},            /* trace_id */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct leat_otlp_count count;
        struct leat_text t;
        const char *why;

        leat_text_init(&t, 1 << 12);
        leat_text_add(&t, rows[i].record, rows[i].len);
        otlp_write_wrap(&t, 2); /* the record; another one follows */
        otlp_write_text(&t, 2, "\x10\1\x10\1\x10\1\x10\1\x10\1\x10\1\x10\1\x10\1\x10\1\x10\1");
        otlp_write_wrap(&t, 2);
        otlp_write_wrap(&t, 1);
        assert_int_equal(verdict(LEAT_LOGS, leat_text_bytes(&t), &count, &why),
                         LEAT_OTLP_MALFORMED);
        assert_ptr_equal(strstr(why, "LogRecord"), why);
        leat_text_done(&t);
    }
}

/* --- whole requests */

static void pack(struct otlp_random *r, enum leat_signal signal, uint32_t wide, struct leat_text *t)
{
    ProtobufCMessage *m = otlp_random_request(r, signal, wide);

    leat_text_init(t, OTLP_RANDOM_MAX);
    otlp_random_pack(m, t);
    otlp_random_free(m);
}

static void a_prefix_passes_only_where_an_entry_ends(void **state)
{
    struct otlp_random r = {11};

    (void)state;
    for (int i = 0; i < 12; i++) {
        enum leat_signal signal = (enum leat_signal)(i % LEAT_SIGNALS);
        struct leat_wire w;
        struct leat_wire_field f;
        struct leat_text t;

        pack(&r, signal, 2, &t);
        w = leat_wire_of(leat_text_bytes(&t));
        for (size_t len = 0; len <= t.len; len++) {
            bool ends = leat_wire_of(leat_text_bytes(&t)).at + len == w.at;
            struct leat_otlp_count count;
            const char *why;

            assert_int_equal(verdict(signal, leat_bytes(t.data, len), &count, &why),
                             ends ? LEAT_OTLP_OK : LEAT_OTLP_MALFORMED);
            assert_true(ends == (why == NULL));
            if (ends)
                leat_wire_next(&w, &f);
        }
        leat_text_done(&t);
    }
}

/* Which changed bytes still are a request is for protobuf-c to say. It does not mind the length of
 * ids, and takes tags and lengths of five bytes at most. */
static void changed_bytes_are_judged_like_protobuf_c_does(void **state)
{
    struct otlp_random r = {12};
    unsigned passed = 0, refused = 0;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        enum leat_signal signal = (enum leat_signal)(i % LEAT_SIGNALS);
        enum leat_otlp_verdict v;
        struct leat_otlp_count count;
        struct leat_text t;
        const char *why;
        ProtobufCMessage *m;

        pack(&r, signal, 2, &t);
        for (uint32_t k = otlp_random_below(&r, 4); t.len > 0 && k > 0; k--)
            t.data[otlp_random_below(&r, (uint32_t)t.len)] = (char)otlp_random_next(&r);
        v = verdict(signal, leat_text_bytes(&t), &count, &why);
        m = otlp_random_unpack(signal, leat_text_bytes(&t));
        if (v == LEAT_OTLP_OK)
            assert_non_null(m);
        if (m != NULL && v != LEAT_OTLP_OK)
            assert_non_null(strstr(why, "_id is not a"));
        passed += v == LEAT_OTLP_OK;
        refused += v != LEAT_OTLP_OK;
        otlp_random_free(m);
        leat_text_done(&t);
    }
    assert_true(passed > 300 && refused > 300);
}

/* A log record with `levels` values within one another, as body or attribute. */
static enum leat_otlp_verdict nested(unsigned levels, bool list, bool attribute, const char **why)
{
    struct leat_otlp_count count;
    enum leat_otlp_verdict v;
    struct leat_text t;

    leat_text_init(&t, 1 << 20);
    otlp_write_text(&t, 1, "inner"); /* an AnyValue */
    for (unsigned i = 1; i < levels; i++) {
        if (list)
            otlp_write_wrap(&t, 2); /* KeyValue.value */
        otlp_write_wrap(&t, 1);     /* .values */
        otlp_write_wrap(&t, list ? 6 : 5);
    }
    if (attribute)
        otlp_write_wrap(&t, 2);
    otlp_write_wrap(&t, attribute ? 6 : 5); /* LogRecord */
    otlp_write_wrap(&t, 2);                 /* ScopeLogs */
    otlp_write_wrap(&t, 2);                 /* ResourceLogs */
    otlp_write_wrap(&t, 1);
    v = verdict(LEAT_LOGS, leat_text_bytes(&t), &count, why);
    leat_text_done(&t);
    return v;
}

static void values_are_64_deep_at_most(void **state)
{
    const char *why;

    (void)state;
    for (int way = 0; way < 4; way++) {
        assert_int_equal(nested(LEAT_OTLP_DEPTH, way & 1, way & 2, &why), LEAT_OTLP_OK);
        assert_int_equal(nested(LEAT_OTLP_DEPTH + 1, way & 1, way & 2, &why), LEAT_OTLP_TOO_DEEP);
        assert_non_null(strstr(why, "64"));
        assert_int_equal(nested(500, way & 1, way & 2, &why), LEAT_OTLP_TOO_DEEP);
    }
}

static void records_are_a_million_at_most(void **state)
{
    (void)state;
    for (uint32_t more = 0; more < 2; more++) {
        struct leat_otlp_count count;
        struct leat_text t;
        const char *why;

        leat_text_init(&t, 64 << 20);
        for (uint32_t i = 0; i < LEAT_OTLP_RECORDS + more; i++)
            leat_text_add(&t, "\x12\0", 2);
        otlp_write_wrap(&t, 2);
        otlp_write_wrap(&t, 1);
        if (more == 0) {
            assert_int_equal(verdict(LEAT_TRACES, leat_text_bytes(&t), &count, &why), LEAT_OTLP_OK);
            assert_int_equal(count.items, LEAT_OTLP_RECORDS);
        } else {
            assert_int_equal(verdict(LEAT_TRACES, leat_text_bytes(&t), &count, &why),
                             LEAT_OTLP_TOO_MANY);
            assert_int_equal(count.items, 0);
            assert_non_null(strstr(why, "1000000"));
        }
        leat_text_done(&t);
    }
}

static void two_requests_in_a_row_are_one(void **state)
{
    struct otlp_random r = {13};

    (void)state;
    for (int s = 0; s < LEAT_SIGNALS; s++) {
        struct leat_otlp_count a, b, both;
        struct leat_text t, u;
        const char *why;

        pack(&r, (enum leat_signal)s, 4, &t);
        pack(&r, (enum leat_signal)s, 4, &u);
        verdict((enum leat_signal)s, leat_text_bytes(&t), &a, &why);
        verdict((enum leat_signal)s, leat_text_bytes(&u), &b, &why);
        leat_text_add(&t, u.data, u.len);
        assert_int_equal(verdict((enum leat_signal)s, leat_text_bytes(&t), &both, &why),
                         LEAT_OTLP_OK);
        assert_int_equal(both.items, a.items + b.items);
        assert_int_equal(both.resources, a.resources + b.resources);
        leat_text_done(&t);
        leat_text_done(&u);
    }
}

static void nothing_is_a_request(void **state)
{
    struct leat_otlp_count count = {1, 1};
    const char *why = "";

    (void)state;
    assert_int_equal(check(LEAT_LOGS, leat_bytes(NULL, 0), &count, &why), LEAT_OTLP_OK);
    assert_true(count.items == 0 && count.resources == 0 && why == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_fields_have_their_wire_type),
        cmocka_unit_test(values_are_whole),
        cmocka_unit_test(ids_have_their_length),
        cmocka_unit_test(unknown_fields_pass_when_well_formed),
        cmocka_unit_test(lengths_that_lie_about_one_another_are_found),
        cmocka_unit_test(lengths_end_with_what_is_around_them),
        cmocka_unit_test(a_prefix_passes_only_where_an_entry_ends),
        cmocka_unit_test(changed_bytes_are_judged_like_protobuf_c_does),
        cmocka_unit_test(values_are_64_deep_at_most),
        cmocka_unit_test(records_are_a_million_at_most),
        cmocka_unit_test(two_requests_in_a_row_are_one),
        cmocka_unit_test(nothing_is_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
