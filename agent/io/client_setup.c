/* What a client is made of: endpoint, TLS, headers, credentials and limits out of its settings. */
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "io/client_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/auth.h"

#define PATH_MAX_BYTES ((size_t)16 * 1024)
#define GRPC_IDLE      (30 * 60 * LEAT_SEC) /* an unused gRPC connection is closed after this */
#define PING_TIMEOUT   (15 * LEAT_SEC)      /* where http2_ping_timeout is 0 */

static int parse_endpoint(struct leat_client *c, const char *text, struct leat_err *err)
{
    const struct leat_client_conf *conf = c->conf;
    bool target = c->grpc || (text != NULL && strncmp(text, "unix:", 5) == 0);

    if ((target ? leat_url_parse_grpc : leat_url_parse)(text, &c->url, err) != 0)
        return -1;
    if (c->url.dns_server)
        leat_warn(c->who,
                  "the name server in endpoint \"%s\" is not used: names are looked up by "
                  "the system's resolver",
                  text);
    if (c->grpc && !c->url.has_scheme)
        c->url.tls = !conf->tls.insecure;
    c->own_path = leat_url_join(&c->url, NULL);
    c->peer =
        c->url.unix_socket ? leat_format("unix:%s", c->url.host) : leat_strdup(c->url.authority);
    if (c->grpc || conf->proxy_url == NULL || *conf->proxy_url == '\0')
        return 0;
    if (leat_url_parse(conf->proxy_url, &c->proxy, err) != 0)
        return leat_fail_in(err, "proxy_url");
    return c->proxy.tls ? leat_fail(err, "proxy_url must be an http:// URL") : 0;
}

static int make_tls(struct leat_client *c, struct leat_err *err)
{
    static const char *const h2[] = {"h2", NULL}, *const h1[] = {"http/1.1", NULL},
                             *const both[] = {"h2", "http/1.1", NULL};

    if (!c->url.tls)
        return 0;
    c->tls = leat_tls_client_new(&c->conf->tls,
                                 c->grpc                        ? h2
                                 : c->conf->force_attempt_http2 ? both
                                                                : h1,
                                 err);
    return c->tls == NULL ? -1 : 0;
}

static char *lower(const char *text)
{
    char *out = leat_strdup(text);

    leat_lower(out, strlen(out));
    return out;
}

static int make_request(struct leat_client *c, const struct leat_auth_finder *finder,
                        struct leat_err *err)
{
    const struct leat_client_conf *conf = c->conf;
    const char *id = conf->auth.authenticator;
    struct leat_request *r = c->request = leat_new(sizeof *r);

    *r = (struct leat_request){.scheme = c->url.tls ? "https" : "http",
                               .authority = c->url.authority,
                               .user_agent = "leat/" LEAT_VERSION,
                               .grpc = c->grpc};
    if (c->grpc && conf->user_agent != NULL && *conf->user_agent != '\0')
        r->user_agent = conf->user_agent;
    r->conf.items = leat_new_array(conf->headers.count + 1, sizeof *r->conf.items);
    for (uint32_t i = 0; i < conf->headers.count; i++) {
        const struct leat_pair *h = &conf->headers.items[i];
        if (leat_request_check_header(leat_bytes_str(h->key), leat_bytes_str(h->value), err) != 0)
            return leat_fail_in(err, "headers");
        if (leat_bytes_is_nocase(leat_bytes_str(h->key), "host"))
            r->authority = h->value;
        else
            r->conf.items[r->conf.count++] =
                (struct leat_pair){.key = lower(h->key), .value = h->value};
    }
    if (c->grpc && conf->authority != NULL && *conf->authority != '\0')
        r->authority = conf->authority;
    if (!nghttp2_check_authority((const uint8_t *)r->authority, strlen(r->authority)))
        return leat_fail(err, "\"%.100s\" cannot be the name of a host in a request", r->authority);
    if (id == NULL || *id == '\0')
        return 0;
    r->auth = finder != NULL ? finder->find(finder->self, id) : NULL;
    if (r->auth == NULL)
        return leat_fail(err, "auth.authenticator: there is no authenticator extension \"%s\"", id);
    return r->auth->sign != NULL
               ? 0
               : leat_fail(err, "auth.authenticator: \"%s\" is for servers only", id);
}

static void set_limits(struct leat_client *c)
{
    const struct leat_client_conf *conf = c->conf;

    if (c->grpc) {
        c->idle_timeout = GRPC_IDLE;
        if (conf->has_keepalive) {
            c->ping_after = conf->keepalive.time;
            c->ping_timeout = conf->keepalive.timeout;
            c->ping_idle = conf->keepalive.permit_without_stream;
        }
        return;
    }
    c->no_keep_alive = conf->disable_keep_alives;
    c->idle_timeout = conf->idle_conn_timeout;
    c->max_conns = conf->max_conns_per_host;
    c->max_idle = conf->max_idle_conns_per_host;
    if (c->max_idle == 0 || (conf->max_idle_conns != 0 && conf->max_idle_conns < c->max_idle))
        c->max_idle = conf->max_idle_conns;
    c->ping_after = conf->http2_read_idle_timeout;
    c->ping_timeout = conf->http2_ping_timeout > 0 ? conf->http2_ping_timeout : PING_TIMEOUT;
    c->ping_idle = true;
}

void leat_client_done(struct leat_client *c)
{
    leat_timer_free(c->timer);
    leat_task_cancel(&c->task);
    leat_tls_free(c->tls);
    leat_codecs_free(c->codecs);
    if (c->request != NULL) {
        for (uint32_t i = 0; i < c->request->conf.count; i++)
            leat_free((char *)(uintptr_t)c->request->conf.items[i].key);
        leat_free(c->request->conf.items);
    }
    leat_free(c->request);
    leat_text_done(&c->path);
    leat_url_done(&c->url);
    leat_url_done(&c->proxy);
    leat_free(c->own_path);
    leat_free(c->peer);
    leat_free(c->who);
    leat_free(c);
}

struct leat_client *leat_client_new(const struct leat_client_conf *conf, const char *url,
                                    const struct leat_client_env *env, struct leat_err *err)
{
    struct leat_client *c = leat_new(sizeof *c);

    c->loop = env->loop;
    c->conf = conf;
    c->grpc = env->grpc;
    c->max_answer = env->max_answer;
    memcpy(c->keep, env->keep, sizeof c->keep);
    c->who = env->who != NULL ? leat_strdup(env->who) : NULL;
    c->task.run = leat_client_run;
    leat_list_init(&c->task.link);
    leat_list_init(&c->waiting);
    leat_list_init(&c->conns);
    leat_list_init(&c->deadlines);
    leat_list_init(&c->over);
    leat_list_init(&c->refused);
    leat_text_init(&c->path, PATH_MAX_BYTES);
    c->timer = leat_timer_new(c->loop, leat_client_fire, c);
    if (parse_endpoint(c, url != NULL ? url : conf->endpoint, err) != 0 || make_tls(c, err) != 0 ||
        make_request(c, env->auth, err) != 0) {
        leat_client_done(c);
        return NULL;
    }
    set_limits(c);
    return c;
}
