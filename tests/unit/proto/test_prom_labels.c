/* Label sets of Prometheus series: where each label comes from, who wins, what is joined, what is
 * left out, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "proto/otlp_make.h"
#include "proto/prom_labels.h"

#define POINT_ATTRIBUTES 7
#define MAX              (1u << 20)

/* --- messages from text: attributes as "key=value&key=value" */

static struct leat_text resource, scope, point, shown;

static void put_attributes(struct leat_make *m, uint32_t field, const char *list)
{
    char copy[1024], *save = NULL;

    snprintf(copy, sizeof copy, "%s", list);
    for (char *at = strtok_r(copy, "&", &save); at != NULL; at = strtok_r(NULL, "&", &save)) {
        char *value = strchr(at, '=');
        *value++ = '\0';
        leat_make_attr_string(m, field, at, value);
    }
}

static struct leat_bytes attributes(struct leat_text *t, uint32_t field, const char *list)
{
    struct leat_make m;

    leat_text_clear(t);
    leat_make_init(&m, t);
    put_attributes(&m, field, list);
    return leat_text_bytes(t);
}

/* "name version" and attributes */
static struct leat_bytes scope_of(const char *name, const char *version, const char *list)
{
    struct leat_make m;

    leat_text_clear(&scope);
    leat_make_init(&m, &scope);
    leat_make_string(&m, 1, name);
    leat_make_string(&m, 2, version);
    put_attributes(&m, 3, list);
    return leat_text_bytes(&scope);
}

/* "name=value name=value" */
static const char *show(struct leat_prom_set set)
{
    leat_text_clear(&shown);
    for (uint32_t i = 0; i < set.count; i++) {
        if (i != 0) {
            leat_text_char(&shown, ' ');
            assert_true(leat_bytes_compare(set.label[i - 1].name, set.label[i].name) < 0);
        }
        leat_text_add(&shown, set.label[i].name.data, set.label[i].name.len);
        leat_text_char(&shown, '=');
        leat_text_add(&shown, set.label[i].value.data, set.label[i].value.len);
    }
    return leat_text_get(&shown);
}

static const struct leat_prom_label_conf write_conf = {.page = false};
static const struct leat_prom_label_conf page_conf = {.page = true};
static const struct leat_prom_label_conf write_only = {.no_scope = true};
static const struct leat_prom_label_conf page_only = {.page = true, .no_scope = true};

static void labels(const struct leat_prom_label_conf *conf, const char *r, const char *p,
                   const char *want)
{
    struct leat_prom_labels *b = leat_prom_labels_new(conf);

    assert_int_equal(leat_prom_labels_resource(b, attributes(&resource, 1, r)),
                     LEAT_PROM_LABELS_OK);
    assert_int_equal(leat_prom_labels_scope(b, leat_bytes(NULL, 0), leat_bytes(NULL, 0)),
                     LEAT_PROM_LABELS_OK);
    assert_int_equal(
        leat_prom_labels_point(b, attributes(&point, POINT_ATTRIBUTES, p), POINT_ATTRIBUTES),
        LEAT_PROM_LABELS_OK);
    assert_string_equal(show(leat_prom_labels_common(b)), want);
    leat_prom_labels_free(b);
}

static void refused(const struct leat_prom_label_conf *conf, const char *p,
                    enum leat_prom_labels_result want)
{
    struct leat_prom_labels *b = leat_prom_labels_new(conf);

    assert_int_equal(
        leat_prom_labels_point(b, attributes(&point, POINT_ATTRIBUTES, p), POINT_ATTRIBUTES), want);
    assert_int_equal(leat_prom_labels_common(b).count, 0);
    assert_int_equal(
        leat_prom_labels_point(b, attributes(&point, POINT_ATTRIBUTES, "a=1"), POINT_ATTRIBUTES),
        LEAT_PROM_LABELS_OK);
    leat_prom_labels_free(b);
}

/* --- attributes */

static void test_attributes(void **state)
{
    (void)state;
    labels(&write_only, "", "", "");
    labels(&write_only, "", "z=1&a=2&http.method=GET&B=3", "B=3 a=2 http_method=GET z=1");
    labels(&write_only, "", "_x=1&__y=2&9z=3&a..b=4", "a_b=4 key_9z=3 key_x=1 key_y=2");
    labels(&page_only, "", "_x=1&9z=3&a..b=4", "_x=1 a__b=4 key_9z=3");
    labels(&write_only, "", "__meta__=1", "__meta__=1");
    labels(&write_only, "", "__name__=evil&a=1", "a=1");
    labels(&write_only, "", "a=\xff(", "a=\xef\xbf\xbd(");
}

static void test_utf8(void **state)
{
    static const struct leat_prom_label_conf write_utf8 = {.no_scope = true, .utf8 = true};
    static const struct leat_prom_label_conf page_utf8 = {
        .page = true, .utf8 = true, .no_scope = true};

    (void)state;
    labels(&write_utf8, "", "a..b=1&_x=2&9=3&\xc3\xa9=4&a\xff=5",
           "9=3 _x=2 a..b=1 a\xef\xbf\xbd=5 \xc3\xa9=4");
    labels(&page_utf8, "", "a..b=1&_x=2&e=", "_x=2 a..b=1 e=");
    refused(&write_utf8, "__=1", LEAT_PROM_LABELS_NAME);
}

static void test_collisions(void **state)
{
    (void)state;
    labels(&write_only, "", "a.b=2&a-b=1&a_b=3", "a_b=1;2;3");
    labels(&write_only, "", "a.b=1&a-b=1", "a_b=1");
    labels(&write_only, "", "a.b=1&a-b=", "a_b=1");
    labels(&write_only, "", "a.b=&a-b=1&a_b=2", "a_b=1;2");
    labels(&write_only, "", "x=0&a.b=11&a-b=12&a/b=13&a_b=14&z=9", "a_b=12;11;13;14 x=0 z=9");
    labels(&write_only, "", "a=1&a=2", "a=1;2");
    labels(&page_only, "", "a.b=1&a-b=2&a_b=", "a_b=2;1");
    labels(&page_only, "", "a.b=&a-b=", "a_b=");
}

static void test_empty_values(void **state)
{
    (void)state;
    labels(&write_only, "", "a=&b=1", "b=1");
    labels(&write_only, "", "=&b=1", "b=1");
    labels(&write_only, "", "a=&__a=1", "key_a=1");
    labels(&page_only, "", "a=&b=1", "a= b=1");
}

static void test_refused(void **state)
{
    (void)state;
    refused(&write_only, "a=1&=2", LEAT_PROM_LABELS_NAME);
    refused(&write_only, "____=2", LEAT_PROM_LABELS_NAME);
    refused(&page_only, "=", LEAT_PROM_LABELS_NAME);
    refused(&page_only, "...=", LEAT_PROM_LABELS_NAME);
    refused(&page_only, "__x=1", LEAT_PROM_LABELS_RESERVED);
    refused(&page_only, "..x=1", LEAT_PROM_LABELS_RESERVED);
    refused(&page_only, "__name__=1", LEAT_PROM_LABELS_RESERVED);
    assert_string_equal(leat_prom_labels_why(LEAT_PROM_LABELS_NAME), "label_name");
    assert_string_equal(leat_prom_labels_why(LEAT_PROM_LABELS_RESERVED), "reserved_label");
    assert_string_equal(leat_prom_labels_why(LEAT_PROM_LABELS_TOO_MANY), "too_many_labels");
}

static void any_value(struct leat_make *m, const char *key)
{
    leat_make_open(m, POINT_ATTRIBUTES);
    leat_make_string(m, 1, key);
    leat_make_open(m, 2);
}

static void end_value(struct leat_make *m)
{
    leat_make_close(m);
    leat_make_close(m);
}

static void test_values(void **state)
{
    struct leat_prom_labels *b = leat_prom_labels_new(&write_only);
    struct leat_make m;

    (void)state;
    leat_text_clear(&point);
    leat_make_init(&m, &point);
    leat_make_attr_int(&m, POINT_ATTRIBUTES, "int", -42);
    leat_make_attr_double(&m, POINT_ATTRIBUTES, "d1", 2.50);
    leat_make_attr_double(&m, POINT_ATTRIBUTES, "d2", 1e21);
    leat_make_attr_double(&m, POINT_ATTRIBUTES, "d3", 1e-7);
    leat_make_attr_double(&m, POINT_ATTRIBUTES, "inf", 1e308 * 10);
    leat_make_attr_double(&m, POINT_ATTRIBUTES, "ninf", -1e308 * 10);
    leat_make_attr_bool(&m, POINT_ATTRIBUTES, "t", true);
    leat_make_attr_bool(&m, POINT_ATTRIBUTES, "f", false);
    any_value(&m, "bytes");
    leat_make_bytes(&m, 7, leat_bytes("\0\1\2", 3));
    end_value(&m);
    any_value(&m, "list");
    leat_make_open(&m, 5);
    leat_make_open(&m, 1);
    leat_make_string(&m, 1, "a\"b");
    leat_make_close(&m);
    leat_make_open(&m, 1);
    leat_make_varint(&m, 3, 7);
    leat_make_close(&m);
    leat_make_close(&m);
    end_value(&m);
    any_value(&m, "map");
    leat_make_open(&m, 6);
    leat_make_attr_int(&m, 1, "z", 1);
    leat_make_attr_bool(&m, 1, "a", true);
    leat_make_close(&m);
    end_value(&m);
    any_value(&m, "nothing");
    end_value(&m);
    assert_int_equal(leat_prom_labels_point(b, leat_text_bytes(&point), POINT_ATTRIBUTES),
                     LEAT_PROM_LABELS_OK);
    assert_string_equal(show(leat_prom_labels_common(b)),
                        "bytes=AAEC d1=2.5 d2=1e+21 d3=1e-7 f=false inf=Infinity int=-42 "
                        "list=[\"a\\\"b\",7] map={\"a\":true,\"z\":1} ninf=-Infinity t=true");
    leat_prom_labels_free(b);
}

/* --- resource */

static void test_service(void **state)
{
    (void)state;
    labels(&write_only, "service.name=shop", "", "job=shop");
    labels(&write_only, "service.name=shop&service.namespace=eu", "", "job=eu/shop");
    labels(&write_only, "service.name=shop&service.namespace=", "", "job=/shop");
    labels(&write_only, "service.name=&service.namespace=eu", "", "");
    labels(&write_only, "service.namespace=eu", "", "");
    labels(&write_only, "service.instance.id=i1&service.name=s", "", "instance=i1 job=s");
    labels(&write_only, "service.instance.id=", "instance=p", "instance=p");
    labels(&write_only, "service.name=s&service.instance.id=i", "job=p&instance=q",
           "instance=i job=s");
    labels(&write_only, "other=1", "job=p", "job=p");
    labels(&write_only, "service.name=\xff", "", "job=\xef\xbf\xbd");
    labels(&page_only, "service.name=&service.instance.id=", "", "instance= job=");
    labels(&page_only, "service.name=s&service.namespace=n", "job=p", "job=n/s");
}

static void test_resource_conversion(void **state)
{
    static const struct leat_prom_label_conf all = {.no_scope = true, .resource = true};
    static const struct leat_prom_label_conf others = {
        .no_scope = true, .resource = true, .exclude_service = true};

    (void)state;
    labels(&all, "service.name=s&host.name=h", "a=1", "a=1 host_name=h job=s service_name=s");
    labels(&others, "service.name=s&service.namespace=n&service.instance.id=i&service.version=2",
           "", "instance=i job=n/s service_version=2");
    labels(&all, "a=r&b=", "a=p&b=p", "a=r");
    labels(&all, "a.b=r", "a-b=p&a_b=q", "a_b=p;r;q");
    labels(&all, "job=r", "", "job=r");
}

static void test_resource_patterns(void **state)
{
    static const char *const some[] = {"k8s.*", "host.?d", "exact"};
    static const char *const none[] = {"*.uid", "k8s.*.x*y"};
    struct leat_prom_label_conf conf = {
        .no_scope = true, .resource = true, .included = some, .included_count = 3};
    const char *r = "k8s.pod=1&k8s.pod.uid=2&host.id=3&host.name=4&exact=5&exactly=6&k8s=7&"
                    "k8s.a.xbcy=8&k8s.a.xbc=9&host.\xc3\xa9"
                    "d=10";

    (void)state;
    labels(&conf, r, "",
           "exact=5 host_d=10 host_id=3 k8s_a_xbc=9 k8s_a_xbcy=8 k8s_pod=1 k8s_pod_uid=2");
    conf.excluded = none;
    conf.excluded_count = 2;
    labels(&conf, r, "", "exact=5 host_d=10 host_id=3 k8s_a_xbc=9 k8s_pod=1");
    conf.included_count = 0;
    labels(&conf, r, "",
           "exact=5 exactly=6 host_d=10 host_id=3 host_name=4 k8s=7 k8s_a_xbc=9 k8s_pod=1");
}

static void test_constants(void **state)
{
    static const struct leat_prom_label constants[] = {
        {{(const uint8_t *)"zone", 4}, {(const uint8_t *)"z1", 2}},
        {{(const uint8_t *)"a", 1}, {(const uint8_t *)"c", 1}},
        {{(const uint8_t *)"job", 3}, {(const uint8_t *)"cj", 2}},
    };
    struct leat_prom_label_conf conf = {
        .no_scope = true, .constants = constants, .constant_count = 3};

    (void)state;
    labels(&conf, "", "", "a=c job=cj zone=z1");
    labels(&conf, "service.name=s", "a=p", "a=p job=s zone=z1");
    labels(&conf, "", "a=&zone=", "a=c job=cj zone=z1"); /* empty: not there */
    conf.resource = true;
    labels(&conf, "a=&service.name=", "a=p&zone=z2", "a=c job=cj zone=z2");
    conf.resource = false;
    conf.page = true;
    labels(&conf, "service.name=s", "a=p", "a=p job=s zone=z1");
    labels(&conf, "", "a=", "a= job=cj zone=z1");
}

/* --- scope */

static void scopes(const struct leat_prom_label_conf *conf, const char *name, const char *version,
                   const char *list, const char *p, const char *want)
{
    struct leat_prom_labels *b = leat_prom_labels_new(conf);

    assert_int_equal(
        leat_prom_labels_scope(b, scope_of(name, version, list), leat_bytes_str("http://s")),
        LEAT_PROM_LABELS_OK);
    assert_int_equal(
        leat_prom_labels_point(b, attributes(&point, POINT_ATTRIBUTES, p), POINT_ATTRIBUTES),
        LEAT_PROM_LABELS_OK);
    assert_string_equal(show(leat_prom_labels_common(b)), want);
    leat_prom_labels_free(b);
}

static void test_scope(void **state)
{
    static const struct leat_prom_label_conf utf8 = {.utf8 = true};

    (void)state;
    scopes(&write_conf, "lib", "1.2", "", "", "otel_scope_name=lib otel_scope_version=1.2");
    scopes(&write_conf, "", "", "", "a=1", "a=1");
    scopes(&write_conf, "lib", "", "a..b=1&name=x&version=y&schema_url=z&e=", "",
           "otel_scope_a_b=1 otel_scope_name=lib");
    scopes(&write_conf, "lib", "", "a.b=1&a-b=2", "otel.scope.name=evil&otel_scope_a_b=evil",
           "otel_scope_a_b=2;1 otel_scope_name=lib");
    scopes(&write_conf, "lib", "", "_name=x", "", "otel_scope_name=lib");
    scopes(&utf8, "lib", "", "a.b=1", "", "otel_scope_a.b=1 otel_scope_name=lib");
    scopes(&write_only, "lib", "1", "a=1", "b=2", "b=2");
    scopes(&page_conf, "", "", "", "",
           "otel_scope_name= otel_scope_schema_url=http://s otel_scope_version=");
    scopes(&page_conf, "lib", "1", "a..b=1&e=&name=x", "",
           "otel_scope_a__b=1 otel_scope_e= otel_scope_name=lib otel_scope_schema_url=http://s "
           "otel_scope_version=1");
    scopes(&page_only, "lib", "1", "a=1", "", "");
}

/* One builder, many resources, scopes and points: nothing of one is left in the next. */
static void test_reuse(void **state)
{
    struct leat_prom_labels *b = leat_prom_labels_new(&write_conf);

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        char r[64], s[64], p[64], want[256];

        snprintf(r, sizeof r, "service.name=s%u", i / 9);
        snprintf(s, sizeof s, "x.y=%u&x-y=y%u", i / 3, i);
        snprintf(p, sizeof p, "a.b=%u&a-b=x%u", i, i);
        if (i % 9 == 0)
            assert_int_equal(leat_prom_labels_resource(b, attributes(&resource, 1, r)), 0);
        if (i % 3 == 0)
            assert_int_equal(leat_prom_labels_scope(b, scope_of("lib", "", s), leat_bytes(NULL, 0)),
                             0);
        assert_int_equal(
            leat_prom_labels_point(b, attributes(&point, POINT_ATTRIBUTES, p), POINT_ATTRIBUTES),
            0);
        snprintf(want, sizeof want, "a_b=x%u;%u job=s%u otel_scope_name=lib otel_scope_x_y=y%u;%u",
                 i, i, i / 9, i / 3 * 3, i / 3);
        assert_string_equal(show(leat_prom_labels_common(b)), want);
    }
    leat_prom_labels_free(b);
}

/* --- one series of a point */

static void series(struct leat_prom_labels *b, const char *name, const char *extra,
                   const char *value, const char *want)
{
    assert_string_equal(show(leat_prom_labels_series(b, leat_bytes_str(name), leat_bytes_str(extra),
                                                     leat_bytes_str(value))),
                        want);
}

static void test_series(void **state)
{
    struct leat_prom_labels *b = leat_prom_labels_new(&write_only);

    (void)state;
    leat_prom_labels_point(b, attributes(&point, POINT_ATTRIBUTES, "A=1&le=own&z=2&__name__=x"),
                           POINT_ATTRIBUTES);
    series(b, "m", "", "", "A=1 __name__=m le=own z=2");
    series(b, "m_bucket", "le", "0.5", "A=1 __name__=m_bucket le=0.5 z=2");
    series(b, "m_bucket", "le", "+Inf", "A=1 __name__=m_bucket le=+Inf z=2");
    series(b, "m", "quantile", "0.9", "A=1 __name__=m le=own quantile=0.9 z=2");
    series(b, "", "quantile", "0.9", "A=1 le=own quantile=0.9 z=2");
    series(b, "m", "B", "b", "A=1 B=b __name__=m le=own z=2");
    series(b, "", "", "", "A=1 le=own z=2");
    leat_prom_labels_point(b, leat_bytes(NULL, 0), POINT_ATTRIBUTES);
    series(b, "m", "le", "1", "__name__=m le=1");
    leat_prom_labels_free(b);
}

/* --- target_info */

static void info(const struct leat_prom_label_conf *conf, const char *r, const char *want)
{
    struct leat_prom_labels *b = leat_prom_labels_new(conf);
    enum leat_prom_labels_result result = leat_prom_labels_info(b, attributes(&resource, 1, r));

    assert_int_equal(result, want != NULL ? LEAT_PROM_LABELS_OK : LEAT_PROM_LABELS_NONE);
    assert_string_equal(show(leat_prom_labels_common(b)), want != NULL ? want : "");
    assert_int_equal(leat_prom_labels_scope(b, leat_bytes(NULL, 0), leat_bytes(NULL, 0)),
                     LEAT_PROM_LABELS_NONE);
    leat_prom_labels_free(b);
}

static void test_info(void **state)
{
    static const struct leat_prom_label constants[] = {
        {{(const uint8_t *)"zone", 4}, {(const uint8_t *)"z1", 2}},
    };
    static const struct leat_prom_label_conf write2 = {.info_as_series = true};
    struct leat_prom_label_conf with = {.constants = constants, .constant_count = 1};

    (void)state;
    info(&write_conf, "service.name=s&host.name=h", "host_name=h job=s");
    info(&write_conf, "service.instance.id=i&a..b=1&_x=2&9=3&e=", "_x=2 a__b=1 instance=i key_9=3");
    info(&write2, "service.instance.id=i&a..b=1&_x=2", "a_b=1 instance=i key_x=2");
    info(&write_conf, "service.name=s&service.namespace=n&service.instance.id=i", NULL);
    info(&write_conf, "host.name=h", NULL);
    info(&write_conf, "service.name=&host.name=h", NULL);
    info(&write_conf, "service.name=s&e=", "job=s");
    info(&write_conf, "", NULL);
    info(&write_conf, "job=j&a=1", "a=1 job=j");
    info(&with, "service.name=s&a=1", "a=1 job=s zone=z1");
    with.page = true;
    info(&with, "service.name=s&service.instance.id=i&a..b=1&e=", "a__b=1 e= instance=i job=s");
    info(&with, "service.name=s&service.instance.id=i", "instance=i job=s");
    info(&with, "service.name=s&a=1", NULL);
    info(&with, "service.name=s&instance=i&a=1", NULL);
    info(&with, "job=j&instance=i&a=1", NULL);
    info(&with, "service.name=s&service.instance.id=&a=1", NULL);
}

/* --- limits */

static void fill(struct leat_text *t, uint32_t field, unsigned count, size_t bytes)
{
    static char value[70000];
    char key[16];
    struct leat_make m;

    memset(value, 'v', bytes);
    value[bytes] = '\0';
    leat_text_clear(t);
    leat_make_init(&m, t);
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof key, "k%03u", count - 1 - i);
        leat_make_attr_string(&m, field, key, value);
    }
}

static void test_limits(void **state)
{
    static const struct leat_prom_label_conf all = {.no_scope = true, .resource = true};
    struct leat_prom_labels *b = leat_prom_labels_new(&all);

    (void)state;
    fill(&point, POINT_ATTRIBUTES, LEAT_PROM_LABELS, 1);
    assert_int_equal(leat_prom_labels_point(b, leat_text_bytes(&point), POINT_ATTRIBUTES),
                     LEAT_PROM_LABELS_OK);
    assert_int_equal(leat_prom_labels_common(b).count, LEAT_PROM_LABELS);
    assert_int_equal(
        leat_prom_labels_series(b, leat_bytes_str("m"), leat_bytes_str("le"), leat_bytes_str("1"))
            .count,
        LEAT_PROM_LABELS + 2);
    fill(&point, POINT_ATTRIBUTES, LEAT_PROM_LABELS + 1, 1);
    assert_int_equal(leat_prom_labels_point(b, leat_text_bytes(&point), POINT_ATTRIBUTES),
                     LEAT_PROM_LABELS_TOO_MANY);
    assert_int_equal(leat_prom_labels_common(b).count, 0);
    fill(&point, POINT_ATTRIBUTES, 1, LEAT_PROM_LABEL_BYTES - 4);
    assert_int_equal(leat_prom_labels_point(b, leat_text_bytes(&point), POINT_ATTRIBUTES),
                     LEAT_PROM_LABELS_OK);
    fill(&point, POINT_ATTRIBUTES, 1, LEAT_PROM_LABEL_BYTES - 3);
    assert_int_equal(leat_prom_labels_point(b, leat_text_bytes(&point), POINT_ATTRIBUTES),
                     LEAT_PROM_LABELS_TOO_MANY);
    fill(&resource, 1, LEAT_PROM_LABELS + 1, 1);
    assert_int_equal(leat_prom_labels_resource(b, leat_text_bytes(&resource)),
                     LEAT_PROM_LABELS_TOO_MANY);
    assert_int_equal(leat_prom_labels_scope(b, leat_bytes(NULL, 0), leat_bytes(NULL, 0)),
                     LEAT_PROM_LABELS_TOO_MANY);
    assert_int_equal(leat_prom_labels_point(b, leat_bytes(NULL, 0), POINT_ATTRIBUTES),
                     LEAT_PROM_LABELS_TOO_MANY);
    assert_int_equal(leat_prom_labels_info(b, leat_text_bytes(&resource)),
                     LEAT_PROM_LABELS_TOO_MANY);
    assert_int_equal(leat_prom_labels_resource(b, leat_bytes(NULL, 0)), LEAT_PROM_LABELS_OK);
    assert_int_equal(leat_prom_labels_point(b, leat_bytes(NULL, 0), POINT_ATTRIBUTES),
                     LEAT_PROM_LABELS_OK);
    leat_prom_labels_free(b);
}

/* Values that are made anew fill their room, not more: joined, in base64, not UTF-8. */
static void test_room(void **state)
{
    struct leat_prom_labels *b = leat_prom_labels_new(&write_only);
    struct leat_make m;
    static char value[40000], big[49160];

    (void)state;
    memset(value, '\xff', sizeof value);
    value[sizeof value - 1] = '\0';
    for (unsigned round = 0; round < 3; round++) {
        leat_text_clear(&point);
        leat_make_init(&m, &point);
        if (round == 0)
            leat_make_attr_string(&m, POINT_ATTRIBUTES, "a", value);
        for (unsigned i = 0; round == 1 && i < 200; i++) {
            char key[] = {'a', (char)('\x80' + i % 64), (char)(i / 64 + 1), '\0'};
            memset(value, 'a' + (int)i % 26, 400);
            value[400] = '\0';
            leat_make_attr_string(&m, POINT_ATTRIBUTES, key, value);
        }
        if (round == 2) {
            any_value(&m, "x");
            leat_make_bytes(&m, 7, leat_bytes(big, sizeof big));
            end_value(&m);
        }
        assert_int_equal(leat_prom_labels_point(b, leat_text_bytes(&point), POINT_ATTRIBUTES),
                         LEAT_PROM_LABELS_TOO_MANY);
        assert_int_equal(leat_prom_labels_common(b).count, 0);
    }
    leat_prom_labels_free(b);
}

static void test_no_allocation(void **state)
{
    struct leat_prom_labels *b = leat_prom_labels_new(&write_conf);
    struct leat_bytes r = attributes(&resource, 1, "service.name=s&service.namespace=n");
    struct leat_bytes s = scope_of("lib", "1", "a.b=1&a-b=2");
    struct leat_bytes p = attributes(&point, POINT_ATTRIBUTES, "x.y=1&x-y=2&z=\xff");
    uint64_t tries = leat_mem_tries();

    (void)state;
    leat_prom_labels_resource(b, r);
    leat_prom_labels_scope(b, s, leat_bytes(NULL, 0));
    leat_prom_labels_point(b, p, POINT_ATTRIBUTES);
    leat_prom_labels_series(b, leat_bytes_str("m"), leat_bytes_str("le"), leat_bytes_str("1"));
    leat_prom_labels_info(b, r);
    assert_int_equal(leat_mem_tries(), tries);
    leat_prom_labels_free(b);
    leat_prom_labels_free(NULL);
}

static int setup(void **state)
{
    (void)state;
    leat_text_init(&resource, MAX);
    leat_text_init(&scope, MAX);
    leat_text_init(&point, MAX);
    leat_text_init(&shown, MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    leat_text_done(&resource);
    leat_text_done(&scope);
    leat_text_done(&point);
    leat_text_done(&shown);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_collisions),
        cmocka_unit_test(test_empty_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_service),
        cmocka_unit_test(test_resource_conversion),
        cmocka_unit_test(test_resource_patterns),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_no_allocation),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
