/* Sinks, a program that sends to them, and clients that send to it. */
#include "lib/path_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* `$H` and `$G` in the YAML become the first sink's address for HTTP and gRPC, `$I` the second's
 * for HTTP. */
static char *with_ports(struct path_world *w, const char *yaml)
{
    struct leat_text t;

    leat_text_init(&t, 65536);
    for (; *yaml != '\0'; yaml++) {
        if (yaml[0] == '$' && yaml[1] == 'H')
            leat_text_printf(&t, "http://127.0.0.1:%u", path_sink_port(&w->sinks[0]));
        else if (yaml[0] == '$' && yaml[1] == 'G')
            leat_text_printf(&t, "127.0.0.1:%u", path_sink_port(&w->sinks[0]));
        else if (yaml[0] == '$' && yaml[1] == 'I')
            leat_text_printf(&t, "http://127.0.0.1:%u", path_sink_port(&w->sinks[1]));
        else
            leat_text_char(&t, *yaml);
        yaml += yaml[0] == '$';
    }
    return leat_text_take(&t);
}

void path_world_open(struct path_world *w, const char *yaml)
{
    char *filled;

    memset(w, 0, sizeof *w);
    w->loop = leat_loop_new(NULL);
    for (int i = 0; i < PATH_SINKS; i++)
        path_sink_open(&w->sinks[i], w->loop);
    filled = with_ports(w, yaml);
    path_program_open(&w->program, w->loop, filled);
    leat_free(filled);
    path_client_open(&w->grpc, w->loop, true,
                     path_program_port(&w->program, "otlp", LEAT_OTLP_GRPC));
    path_client_open(&w->http, w->loop, false,
                     path_program_port(&w->program, "otlp", LEAT_OTLP_HTTP));
    leat_text_init(&w->body, 1 << 24);
}

void path_world_drain(struct path_world *w)
{
    w->drained = true;
    path_program_drain(&w->program);
}

void path_world_close(struct path_world *w)
{
    path_client_close(&w->grpc);
    path_client_close(&w->http);
    if (!w->drained)
        path_world_drain(w);
    path_program_close(&w->program);
    for (int i = 0; i < PATH_SINKS; i++)
        path_sink_close(&w->sinks[i]);
    leat_text_done(&w->body);
    leat_loop_free(w->loop);
}

struct leat_bytes path_world_request(struct path_world *w, enum leat_signal signal,
                                     const char *name, uint32_t items)
{
    leat_text_clear(&w->body);
    path_request(signal, name, items, &w->body);
    return leat_text_bytes(&w->body);
}

/* Sends one and waits for its answer. */
void path_world_ask(struct path_world *w, struct path_client *c, struct client_sent *s,
                    enum leat_signal signal, struct leat_bytes body)
{
    path_client_send(c, s, signal, body);
    PATH_UNTIL(w->loop, s->done);
    assert_int_equal(s->done, 1);
    assert_int_equal(s->a.net, LEAT_NET_OK);
}

/* The same with an exchange that was changed by hand. */
void path_world_ask_by_hand(struct path_world *w, struct path_client *c, struct client_sent *s)
{
    leat_client_send(c->client, &s->x);
    PATH_UNTIL(w->loop, s->done);
    assert_int_equal(s->a.net, LEAT_NET_OK);
}

void path_read_status(const struct client_sent *s, bool grpc, bool json,
                      struct leat_rpc_status *ret)
{
    struct leat_bytes bytes = leat_text_bytes(grpc ? &s->details : &s->body);

    memset(ret, 0, sizeof *ret);
    assert_int_equal(leat_rpc_status_read(bytes, json, ret), 0);
}
