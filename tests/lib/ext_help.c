/* For tests of extensions. */
#include "lib/ext_help.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/yaml.h"
#include "io/auth.h"
#include "io/codec.h"

#define SIGNATURE_MAX 200
#define TREE_MAX      ((size_t)1 << 20)
#define ANSWER_MAX    200000

/* Ends the test program: this file is linked where cmocka is not. */
static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static enum leat_house_state get_state(void *self)
{
    const struct ext *e = self;

    return e->state;
}

static void get_metrics(void *self, struct leat_text *out)
{
    (void)self;
    leat_text_str(out, "# TYPE a gauge\na{b=\"<c>\"} 1\n");
}

static const char *const two[] = {"otlp", "otlp/edge", NULL};
static const char *const none[] = {NULL};
static const char *const odd[] = {"debug/<b>\"", NULL};
static const struct leat_house_pipeline pipelines[] = {
    {.id = "traces", .signal = "traces", .receivers = two, .processors = none, .exporters = odd},
    {.id = "logs/2", .signal = "logs", .receivers = two, .processors = none, .exporters = odd},
};
static const struct leat_house_component components[] = {{"otlp", "otlp", "receiver"},
                                                         {"zpages", "zpages", "extension"},
                                                         {"debug/<b>", "debug", "exporter"}};

void ext_init(struct ext *e, const struct leat_component *component)
{
    struct leat_log_conf log = {.level = LEAT_LOG_DEBUG, .npaths = 1};
    const char *paths[1];
    struct leat_err err;
    int fd;

    memset(e, 0, sizeof *e);
    e->component = component;
    leat_arena_init(&e->arena, TREE_MAX);
    e->loop = leat_loop_new(&err);
    e->codecs = leat_codecs_new();
    snprintf(e->log, sizeof e->log, "/tmp/leat-test-ext-XXXXXX");
    fd = mkstemp(e->log);
    LEAT_CHECK(fd >= 0);
    close(fd);
    paths[0] = e->log;
    log.paths = paths;
    LEAT_CHECK(leat_log_setup(&log, &err) == 0);
    e->state = LEAT_READY;
    e->house = (struct leat_house){.self = e,
                                   .state = get_state,
                                   .version = "1.2.3",
                                   .components = components,
                                   .ncomponents = 3,
                                   .pipelines = pipelines,
                                   .npipelines = 2,
                                   .workers = 4,
                                   .metrics = get_metrics};
    e->env = (struct leat_env){.id = component->type,
                               .pipeline = "",
                               .loop = e->loop,
                               .codecs = e->codecs,
                               .house = &e->house,
                               .workers = 1};
}

/* The settings, or NULL with what is wrong in `diags`. */
static void *fill(const struct leat_component *component, const char *yaml,
                  struct leat_arena *arena, struct leat_diags *diags)
{
    struct leat_node *node = leat_yaml_parse("test", yaml, strlen(yaml), arena, diags);
    void *conf = leat_new(component->conf_size);
    struct leat_check *check = leat_check_new(node, component->type, diags);

    if (leat_schema_fill(component->fields, conf, node, component->type, arena, diags) == 0 &&
        component->check != NULL)
        component->check(conf, check);
    leat_check_free(check);
    if (leat_diags_errors(diags) == 0)
        return conf;
    leat_free(conf);
    return NULL;
}

static char *messages_of(const struct leat_diags *diags)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    for (size_t i = 0; i < leat_diags_count(diags); i++) {
        const struct leat_diag *d = leat_diags_at(diags, i);
        fprintf(f, "%s: %s: %s\n", d->is_error ? "error" : "warning", d->path, d->text);
    }
    fclose(f);
    return text;
}

char *ext_messages(const struct leat_component *component, const char *yaml)
{
    struct leat_diags *diags = leat_diags_new();
    struct leat_arena arena;
    char *text;

    leat_arena_init(&arena, TREE_MAX);
    leat_free(fill(component, yaml, &arena, diags));
    text = messages_of(diags);
    leat_diags_free(diags);
    leat_arena_done(&arena);
    return text;
}

void ext_expect_messages(const struct leat_component *component, const char *yaml,
                         const char *wanted)
{
    char *text = ext_messages(component, yaml);

    if (strcmp(text, wanted) != 0)
        give_up("other messages than expected", text);
    free(text);
}

int ext_open(struct ext *e, const char *yaml, struct leat_err *err)
{
    struct leat_diags *diags = leat_diags_new();
    int result;

    e->conf = fill(e->component, yaml, &e->arena, diags);
    if (e->conf == NULL)
        give_up("settings", messages_of(diags));
    leat_diags_free(diags);
    e->self = leat_new(e->component->self_size);
    e->env.conf = e->conf;
    result = e->component->open(e->self, &e->env, err);
    e->opened = result == 0;
    return result;
}

void ext_done(struct ext *e)
{
    if (e->opened)
        e->component->close(e->self);
    leat_free(e->self);
    leat_free(e->conf);
    leat_codecs_free(e->codecs);
    leat_loop_free(e->loop);
    leat_arena_done(&e->arena);
    leat_log_close();
    unlink(e->log);
}

const char *ext_log(struct ext *e)
{
    static char text[ANSWER_MAX];
    int fd = open(e->log, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);

    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

uint16_t ext_port(struct ext *e)
{
    static const char before[] = "listening on 127.0.0.1:";
    const char *found = strstr(ext_log(e), before);

    LEAT_CHECK(found != NULL);
    return (uint16_t)strtoul(found + strlen(before), NULL, 10);
}

const char *ext_exchange(struct leat_loop *loop, uint16_t port, const char *request)
{
    static char answer[ANSWER_MAX];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t len = 0, sent = 0, total = strlen(request);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    LEAT_CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    LEAT_CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    for (;;) { /* the test program's time limit is the way out */
        ssize_t n;
        leat_loop_turn(loop);
        n = sent < total ? send(fd, request + sent, total - sent, MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (size_t)n : 0;
        n = recv(fd, answer + len, sizeof answer - 1 - len, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    answer[len] = '\0';
    return answer;
}

const char *ext_get(struct leat_loop *loop, uint16_t port, const char *path, const char *header)
{
    char *request = leat_format("GET %s HTTP/1.1\r\nhost: test\r\nconnection: close\r\n%s%s\r\n",
                                path, header, *header ? "\r\n" : "");
    const char *answer = ext_exchange(loop, port, request);

    leat_free(request);
    return answer;
}

static const struct leat_authenticator *find(void *self, const char *id)
{
    struct ext *e = self;

    return strcmp(id, e->component->type) == 0 ? e->component->authenticator(e->self) : NULL;
}

static void greet(void *self, struct leat_call *call)
{
    struct leat_reply reply = {.status = 200, .body = leat_bytes_str("welcome")};

    (void)self;
    leat_call_reply(call, &reply);
}

void ext_guarded_open(struct ext_guarded *g, struct ext *e)
{
    static const struct leat_route route = {.path = "/"};
    struct leat_server_env env = {.loop = e->loop, .who = "test", .auth = &g->finder};
    struct leat_diags *diags = leat_diags_new();
    char *yaml =
        leat_format("{endpoint: '127.0.0.1:0', auth: {authenticator: %s}}", e->component->type);
    struct leat_node *node;
    struct leat_err err;

    memset(g, 0, sizeof *g);
    leat_arena_init(&g->arena, TREE_MAX);
    g->conf = leat_new(sizeof *g->conf);
    node = leat_yaml_parse("test", yaml, strlen(yaml), &g->arena, diags);
    LEAT_CHECK(leat_schema_fill(leat_server_http_fields, g->conf, node, "test", &g->arena, diags) ==
               0);
    leat_diags_free(diags);
    leat_free(yaml);
    g->finder = (struct leat_auth_finder){e, find};
    g->service = (struct leat_service){.routes = &route, .nroutes = 1, .take = greet};
    g->server = leat_server_new(g->conf, &g->service, &env, &err);
    if (g->server == NULL)
        give_up("a server", err.text);
    g->port = leat_server_port(g->server);
}

void ext_guarded_done(struct ext_guarded *g)
{
    leat_server_free(g->server);
    leat_free(g->conf);
    leat_arena_done(&g->arena);
}

void ext_write_file(const char *path, const char *text)
{
    char *other = leat_format("%s.new", path);
    FILE *f = fopen(other, "we");

    LEAT_CHECK(f != NULL);
    fputs(text, f);
    fclose(f);
    LEAT_CHECK(rename(other, path) == 0);
    leat_free(other);
}

int ext_guarded_status(const struct ext_guarded *g, struct ext *e, const char *header)
{
    const char *answer = ext_get(e->loop, g->port, "/", header);

    LEAT_CHECK(strncmp(answer, "HTTP/1.1 ", 9) == 0);
    return (int)strtol(answer + 9, NULL, 10);
}

static void keep_header(void *arg, const char *name, const char *value)
{
    snprintf(arg, SIGNATURE_MAX, "%s: %s", name, value);
}

const char *ext_signature(struct ext *e)
{
    static char sent[SIGNATURE_MAX];
    const struct leat_authenticator *a = e->component->authenticator(e->self);
    struct leat_err err;

    LEAT_CHECK(a->sign(a->self, keep_header, sent, &err) == 0);
    return sent;
}
