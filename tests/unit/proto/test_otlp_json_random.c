/* OTLP/JSON against the generated code: random requests, to JSON and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "lib/otlp_json_help.h"
#include "lib/otlp_random.h"

/* Fields whose zero is not the same as nothing (proto3 `optional`). */
static bool has_presence(const ProtobufCMessageDescriptor *d, const char *name)
{
    return strstr(d->short_name, "HistogramDataPoint") != NULL &&
           (strcmp(name, "sum") == 0 || strcmp(name, "min") == 0 || strcmp(name, "max") == 0);
}

/* The schema of the oracle has presence everywhere: takes away what proto3 would not write. */
static void strip_defaults(ProtobufCMessage *m)
{
    static const char zero[8];

    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        char *at = (char *)m + f->offset, *quantifier = (char *)m + f->quantifier_offset;
        bool oneof = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
        size_t size =
            f->type == PROTOBUF_C_TYPE_DOUBLE || f->type == PROTOBUF_C_TYPE_FIXED64 ? 8 : 4;

        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            ProtobufCMessage **list = *(ProtobufCMessage ***)(void *)at;
            for (size_t n = 0;
                 f->type == PROTOBUF_C_TYPE_MESSAGE && n < *(size_t *)(void *)quantifier; n++)
                strip_defaults(list[n]);
        } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
            if (*(void **)(void *)at != NULL &&
                (!oneof || *(uint32_t *)(void *)quantifier == f->id))
                strip_defaults(*(ProtobufCMessage **)(void *)at);
        } else if (oneof || has_presence(m->descriptor, f->name)) {
            continue;
        } else if (f->type == PROTOBUF_C_TYPE_STRING) {
            char **text = (char **)(void *)at;
            if (*text != NULL && *text != f->default_value && **text == 0) {
                leat_free(*text);
                *text = NULL;
            }
        } else if (f->type == PROTOBUF_C_TYPE_BYTES) {
            if (((ProtobufCBinaryData *)(void *)at)->len == 0)
                *(protobuf_c_boolean *)(void *)quantifier = 0;
        } else if (memcmp(at, zero, size) == 0) {
            *(protobuf_c_boolean *)(void *)quantifier = 0;
        }
    }
}

/* To JSON and back must give a message that the generated code packs to `want`. */
static void round_trip(enum leat_signal s, struct leat_bytes request, struct leat_bytes want)
{
    ProtobufCMessage *back;
    struct leat_text json, again_json, packed;
    struct leat_bytes part;
    struct leat_buf *buf;
    struct leat_err err = {""};

    leat_text_init(&json, OTLP_RANDOM_MAX);
    leat_text_init(&again_json, OTLP_RANDOM_MAX);
    leat_text_init(&packed, OTLP_RANDOM_MAX);
    leat_otlp_to_json(s, &request, 1, &json);
    assert_true(leat_text_ok(&json));
    if (otlp_json_read(s, leat_text_get(&json), json.len, &buf, &err) != LEAT_JSON_OK)
        fail_msg("%s", err.text);
    part = leat_bytes(buf->data, buf->len);
    leat_otlp_to_json(s, &part, 1, &again_json);
    assert_string_equal(leat_text_get(&json), leat_text_get(&again_json));
    back = otlp_random_unpack(s, part);
    assert_non_null(back);
    otlp_random_pack(back, &packed);
    assert_int_equal(packed.len, want.len);
    assert_memory_equal(packed.data, want.data, want.len);
    otlp_random_free(back);
    leat_buf_unref(buf);
    leat_text_done(&json);
    leat_text_done(&again_json);
    leat_text_done(&packed);
}

/* Random requests, as the generated code packs them and encoded in odd ways: fields in any order,
 * lists and sub-messages in pieces, unknown fields. */
static void test_round_trip(void **state)
{
    struct otlp_random rnd = {.state = 7};

    (void)state;
    for (int i = 0; i < 300; i++) {
        enum leat_signal s = (enum leat_signal)(i % LEAT_SIGNALS);
        ProtobufCMessage *m = otlp_random_request(&rnd, s, 3);
        struct leat_text wire, odd, want;

        leat_text_init(&wire, OTLP_RANDOM_MAX);
        leat_text_init(&odd, OTLP_RANDOM_MAX);
        leat_text_init(&want, OTLP_RANDOM_MAX);
        otlp_random_pack(m, &wire);
        otlp_random_scramble(&rnd, otlp_random_type(s), leat_text_bytes(&wire), true, &odd);
        otlp_random_free(m);
        m = otlp_random_unpack(s, leat_text_bytes(&wire)); /* made of memory that can be freed */
        strip_defaults(m);
        otlp_random_pack(m, &want);
        round_trip(s, leat_text_bytes(&wire), leat_text_bytes(&want));
        round_trip(s, leat_text_bytes(&odd), leat_text_bytes(&want));
        otlp_random_free(m);
        leat_text_done(&wire);
        leat_text_done(&odd);
        leat_text_done(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
