/* For tests of extensions: one instance with a house around it, and a plain HTTP client on the same
 * loop. */
#ifndef LEAT_TESTS_EXT_HELP_H
#define LEAT_TESTS_EXT_HELP_H

#include "base/arena.h"
#include "flow/component.h"
#include "flow/house.h"
#include "io/auth.h"
#include "io/loop.h"
#include "io/server.h"

struct ext {
    const struct leat_component *component;
    struct leat_arena arena;
    struct leat_loop *loop;
    struct leat_codecs *codecs;
    struct leat_env env;
    struct leat_house house;
    enum leat_house_state state; /* what the house says */
    void *conf, *self;
    bool opened;
    char log[64]; /* where the log goes meanwhile */
};

/* Everything but the instance. */
void ext_init(struct ext *e, const struct leat_component *component);
/* Fills the settings from `yaml` (which must be right) and opens. -1 and `err`. */
int ext_open(struct ext *e, const char *yaml, struct leat_err *err);
void ext_done(struct ext *e);

/* What filling and checking say of `yaml`: "error: sentence" and "warning: sentence" lines. To be
 * freed with free(). */
char *ext_messages(const struct leat_component *component, const char *yaml);
/* Fails the test unless the messages are exactly these. */
void ext_expect_messages(const struct leat_component *component, const char *yaml,
                         const char *wanted);

const char *ext_log(struct ext *e); /* all that was logged; valid until the next call */
uint16_t ext_port(struct ext *e);   /* from the log's "listening on 127.0.0.1:…" */

/* Sends the text to the port, turning the loop, and returns the whole answer; valid until the next
 * call. The request must ask for the connection to be closed. */
const char *ext_exchange(struct leat_loop *loop, uint16_t port, const char *request);
/* GET `path` with one more header line (or ""). */
const char *ext_get(struct leat_loop *loop, uint16_t port, const char *path, const char *header);

/* A server that asks the extension whether callers may pass, and greets them. */
struct ext_guarded {
    struct leat_arena arena;
    struct leat_auth_finder finder;
    struct leat_service service;
    struct leat_server_conf *conf;
    struct leat_server *server;
    uint16_t port;
};
void ext_guarded_open(struct ext_guarded *g, struct ext *e);
void ext_guarded_done(struct ext_guarded *g);

/* The status of a GET with this header line. */
int ext_guarded_status(const struct ext_guarded *g, struct ext *e, const char *header);
/* "name: value", what the extension adds to a request of an exporter; valid until the next call. */
const char *ext_signature(struct ext *e);

/* Writes a file anew under the same name (another inode). */
void ext_write_file(const char *path, const char *text);

#endif
