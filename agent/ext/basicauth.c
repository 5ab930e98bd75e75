/* basicauth extension: user and password, on receivers (checked) or on exporters (sent).
 *
 * Source of keys: collector contrib extension/basicauthextension (config.go, README.md). */
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "flow/component.h"
#include "io/auth.h"
#include "io/file.h"
#include "io/htpasswd.h"
#include "io/server.h"

#define HTPASSWD_MAX ((size_t)1 << 20) /* bytes of the file */
#define SECRET_MAX   ((size_t)4096)    /* bytes of a file with a name or password */
#define LOOK_EVERY   LEAT_SEC          /* how soon a changed file is noticed */

struct htpasswd_conf {
    const char *file, *text;
};

struct client_conf {
    const char *username, *username_file, *password, *password_file;
};

struct conf {
    bool has_htpasswd, has_client_auth;
    struct htpasswd_conf htpasswd;
    struct client_conf client_auth;
};

static const struct leat_field htpasswd_fields[] = {
    LEAT_STRING(struct htpasswd_conf, file, NULL,
                "htpasswd file with one 'user:hash' per line; read again when it changes."),
    {.name = "inline",
     .type = LEAT_F_STRING,
     .offset = LEAT_AT(struct htpasswd_conf, text, const char *),
     .doc = "The lines of such a file, here; they come before those of the file.",
     .flags = LEAT_SECRET},
    LEAT_END,
};

static const struct leat_field client_fields[] = {
    LEAT_STRING(struct client_conf, username, NULL, "The user to send."),
    LEAT_STRING(struct client_conf, username_file, NULL,
                "File with the user to send; wins over username, read again when it changes."),
    LEAT_STRING(struct client_conf, password, NULL, "The password to send.", .flags = LEAT_SECRET),
    LEAT_STRING(struct client_conf, password_file, NULL,
                "File with the password to send; wins over password, read again when it changes."),
    LEAT_END,
};

static const struct leat_field fields[] = {
    LEAT_GROUP(struct conf, htpasswd, htpasswd_fields, struct htpasswd_conf,
               "Who may send to a receiver that names this extension.",
               .present = LEAT_PRESENT(struct conf, has_htpasswd)),
    LEAT_GROUP(struct conf, client_auth, client_fields, struct client_conf,
               "What an exporter that names this extension sends.",
               .present = LEAT_PRESENT(struct conf, has_client_auth)),
    LEAT_END,
};

struct basicauth {
    const struct leat_env *env;
    const struct conf *conf;
    struct leat_authenticator auth;
    struct leat_htpasswd *users;
    char *header; /* "Basic …" */
    struct leat_watch *watches[2];
    bool kept; /* the file has changed and could not be read */
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

static void check_client(const struct client_conf *conf, struct leat_check *c)
{
    if (!is_set(conf->username) && !is_set(conf->username_file))
        leat_check_error(c, "client_auth", "needs a username or a username_file");
    else if (is_set(conf->username) && strchr(conf->username, ':') != NULL)
        leat_check_error(c, "client_auth.username", "must not have a colon in it (RFC 7617)");
    if (!is_set(conf->password) && !is_set(conf->password_file))
        leat_check_error(c, "client_auth", "needs a password or a password_file");
}

static void check(const void *conf_, struct leat_check *c)
{
    const struct conf *conf = conf_;
    struct leat_htpasswd *users;
    struct leat_err err;

    if (conf->has_htpasswd == conf->has_client_auth)
        leat_check_error(c, "",
                         conf->has_htpasswd
                             ? "has both htpasswd (for receivers) and client_auth (for exporters): "
                               "make two extensions of it, like basicauth/in and basicauth/out"
                             : "needs htpasswd (for receivers) or client_auth (for exporters)");
    if (conf->has_client_auth)
        check_client(&conf->client_auth, c);
    if (!conf->has_htpasswd)
        return;
    if (!is_set(conf->htpasswd.file) && !is_set(conf->htpasswd.text))
        leat_check_error(c, "htpasswd", "needs a file or inline lines");
    users = leat_htpasswd_new(leat_bytes_str(conf->htpasswd.text), leat_bytes(NULL, 0), &err);
    if (users == NULL)
        leat_check_error(c, "htpasswd.inline", "%s", err.text);
    leat_htpasswd_free(users);
}

/* --- receivers */

static int admit(void *self_, const struct leat_call *call, struct leat_err *err)
{
    struct basicauth *self = self_;
    struct leat_bytes header = leat_call_header(call, "authorization");

    if (header.len == 0)
        return leat_fail(err, "this needs a user and a password (HTTP basic authentication)");
    switch (leat_htpasswd_admit(self->users, header)) {
    case LEAT_HTPASSWD_OK:
        return 0;
    case LEAT_HTPASSWD_BUSY:
        return leat_fail(err, "too many wrong passwords at the moment; try again in a second");
    case LEAT_HTPASSWD_NO_MEMORY:
        return LEAT_AUTH_LATER;
    default:
        return leat_fail(err, "user or password is wrong");
    }
}

static int load_users(struct basicauth *self, struct leat_err *err)
{
    const struct htpasswd_conf *conf = &self->conf->htpasswd;
    struct leat_htpasswd *users;
    struct leat_text text;
    int result = 0;

    leat_text_init(&text, HTPASSWD_MAX);
    if (is_set(conf->file))
        result = leat_file_read(conf->file, HTPASSWD_MAX, &text, err);
    if (result == 0) {
        users = leat_htpasswd_new(leat_bytes_str(conf->text), leat_text_bytes(&text), err);
        if (users == NULL) {
            result = leat_fail_in(err, is_set(conf->file) ? conf->file : "htpasswd.inline");
        } else {
            leat_htpasswd_free(self->users);
            self->users = users;
        }
    }
    leat_text_done(&text);
    return result;
}

/* --- exporters */

static int sign(void *self_, void (*add)(void *arg, const char *name, const char *value), void *arg,
                struct leat_err *err)
{
    struct basicauth *self = self_;

    (void)err;
    add(arg, "authorization", self->header);
    return 0;
}

/* A value, or the first line of a file. */
static int add_value(struct leat_text *t, const char *value, const char *file, struct leat_err *err)
{
    struct leat_text read;
    int result = 0;

    if (!is_set(file)) {
        leat_text_str(t, value);
        return 0;
    }
    leat_text_init(&read, SECRET_MAX);
    result = leat_file_read(file, SECRET_MAX, &read, err);
    if (result == 0) {
        size_t len = strcspn(leat_text_get(&read), "\r\n");
        leat_text_add(t, leat_text_get(&read), len);
        if (len == 0)
            result = leat_fail(err, "%s is empty", file);
    }
    leat_text_done(&read);
    return result;
}

static int load_header(struct basicauth *self, struct leat_err *err)
{
    const struct client_conf *conf = &self->conf->client_auth;
    struct leat_text plain;
    int result;

    leat_text_init(&plain, 2 * SECRET_MAX + 1);
    result = add_value(&plain, conf->username, conf->username_file, err);
    if (result == 0 && memchr(leat_text_get(&plain), ':', plain.len) != NULL)
        result = leat_fail(err, "the user in %s has a colon in it", conf->username_file);
    leat_text_char(&plain, ':');
    if (result == 0)
        result = add_value(&plain, conf->password, conf->password_file, err);
    if (result == 0 && !leat_text_ok(&plain))
        result = leat_fail(err, "user and password are too long, or there is no memory");
    if (result == 0) {
        char *header = leat_try_zeroed(strlen("Basic ") + 4 * (plain.len + 2) / 3 + 4);
        if (header != NULL) {
            memcpy(header, "Basic ", 6);
            leat_base64_encode(leat_text_bytes(&plain), header + 6);
            leat_free(self->header);
            self->header = header;
        } else {
            result = leat_fail(err, "no memory for user and password");
        }
    }
    leat_text_done(&plain);
    return result;
}

/* --- both */

static int load(struct basicauth *self, struct leat_err *err)
{
    return self->conf->has_htpasswd ? load_users(self, err) : load_header(self, err);
}

static bool on_changed(void *arg)
{
    struct basicauth *self = arg;
    struct leat_err err;

    if (load(self, &err) < 0) {
        if (!self->kept) /* said once; it is tried again at every look */
            leat_warn(self->env->id, "keeps what it read before: %s", err.text);
        self->kept = true;
        return false;
    }
    self->kept = false;
    if (self->env->worker == 0)
        leat_info(self->env->id, "has read its files again");
    return true;
}

static void watch(struct basicauth *self)
{
    const struct conf *conf = self->conf;
    const char *files[2] = {conf->has_htpasswd ? conf->htpasswd.file
                                               : conf->client_auth.username_file,
                            conf->has_htpasswd ? NULL : conf->client_auth.password_file};

    for (size_t i = 0; i < 2; i++) {
        if (is_set(files[i]))
            self->watches[i] =
                leat_watch_new(self->env->loop, files[i], LOOK_EVERY, on_changed, self);
    }
}

static void close_basicauth(void *self_)
{
    struct basicauth *self = self_;

    leat_watch_free(self->watches[0]);
    leat_watch_free(self->watches[1]);
    leat_htpasswd_free(self->users);
    leat_free(self->header);
}

static int open_basicauth(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct basicauth *self = self_;

    self->env = env;
    self->conf = env->conf;
    self->auth = (struct leat_authenticator){
        .self = self,
        .admit = self->conf->has_htpasswd ? admit : NULL,
        .sign = self->conf->has_client_auth ? sign : NULL,
        .challenge = "Basic realm=\"leat\", charset=\"UTF-8\"", /* RFC 7617 2 */
    };
    watch(self); /* before the files are read, so that no change is missed */
    if (load(self, err) == 0)
        return 0;
    close_basicauth(self);
    return -1;
}

static const struct leat_authenticator *authenticator(void *self_)
{
    struct basicauth *self = self_;

    return &self->auth;
}

const struct leat_component leat_extension_basicauth = {
    .type = "basicauth",
    .kind = LEAT_EXTENSION,
    .summary = "Authenticates callers of a receiver, or an exporter to its peer, with user and "
               "password.",
    .fields = fields,
    .conf_size = sizeof(struct conf),
    .self_size = sizeof(struct basicauth),
    .check = check,
    .open = open_basicauth,
    .close = close_basicauth,
    .authenticator = authenticator,
};
