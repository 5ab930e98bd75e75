/* What an authenticator extension offers to servers and clients. */
#ifndef LEAT_IO_AUTH_H
#define LEAT_IO_AUTH_H

struct leat_err;

struct leat_call;

/* What admit() says where it cannot tell for now (no memory): the caller is told to retry. */
#define LEAT_AUTH_LATER (-2)

struct leat_authenticator {
    void *self;
    /* Server side: 0 when the request may pass (leat_call_header() gives its headers); -1 and `err`
     * (shown to the caller: no secrets), or LEAT_AUTH_LATER. NULL: this authenticator is for
     * clients only. */
    int (*admit)(void *self, const struct leat_call *call, struct leat_err *err);
    /* Client side: calls `add` for each header a request needs. -1 and `err`: it has no credentials
     * now. NULL: servers only. */
    int (*sign)(void *self, void (*add)(void *arg, const char *name, const char *value), void *arg,
                struct leat_err *err);
    /* Server side: value of WWW-Authenticate on a 401 ("Basic", "Bearer"); NULL: none. */
    const char *challenge;
};

/* Finds the authenticator of an extension instance by id; NULL: no such extension, or it is none.
 */
struct leat_auth_finder {
    void *self;
    const struct leat_authenticator *(*find)(void *self, const char *id);
};

#endif
