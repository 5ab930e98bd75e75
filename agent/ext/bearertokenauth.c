/* bearertokenauth extension: a token, on receivers (checked) and on exporters (sent).
 *
 * Source of keys: collector contrib extension/bearertokenauthextension (config.go, README.md). */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "flow/component.h"
#include "io/auth.h"
#include "io/file.h"
#include "io/server.h"

#define TOKENS_MAX 1000              /* tokens that are valid at once */
#define FILE_MAX   ((size_t)1 << 20) /* bytes of the file */
#define LOOK_EVERY LEAT_SEC          /* how soon a changed file is noticed */

struct conf {
    const char *scheme, *token, *filename, *header;
    struct leat_strings tokens;
};

static const struct leat_field fields[] = {
    LEAT_STRING(struct conf, scheme, "Bearer",
                "The word before the token; may be empty, then the token stands alone."),
    LEAT_STRING(struct conf, token, NULL, "The token.", .flags = LEAT_SECRET),
    LEAT_STRINGS(struct conf, tokens, NULL,
                 "Several tokens: callers may use any of them, exporters send the first.",
                 .flags = LEAT_SECRET),
    LEAT_STRING(struct conf, filename, NULL,
                "File with one token per line; wins over token and tokens, read again when it "
                "changes."),
    LEAT_STRING(struct conf, header, "Authorization", "The header that carries the token."),
    LEAT_END,
};

struct tokens {
    char **items;
    size_t count;
};

struct bearer {
    const struct leat_env *env;
    const struct conf *conf;
    struct leat_authenticator auth;
    struct tokens tokens;
    char *header; /* in lower case */
    char *value;  /* what exporters send */
    struct leat_watch *watch;
    bool kept; /* the file has changed and could not be read */
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* Visible ASCII and blanks: what a header's value can carry unchanged. */
static bool is_value(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

/* A field name: RFC 9110 5.1, "token". */
static bool is_name(const char *text)
{
    static const char extra[] = "!#$%&'*+-.^_`|~";

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (!letter && !(*text >= '0' && *text <= '9') && strchr(extra, *text) == NULL)
            return false;
    }
    return true;
}

static void check(const void *conf_, struct leat_check *c)
{
    const struct conf *conf = conf_;
    static const char unclean[] = "has a character that a header cannot carry";

    if (!is_set(conf->token) && conf->tokens.count == 0 && !is_set(conf->filename))
        leat_check_error(c, "", "needs a token, tokens or a filename");
    if (is_set(conf->token) && conf->tokens.count > 0)
        leat_check_error(c, "tokens",
                         "token and tokens exclude each other: put all of them into tokens");
    if (conf->tokens.count > TOKENS_MAX)
        leat_check_error(c, "tokens", "are more than %d", TOKENS_MAX);
    if (is_set(conf->filename) && (is_set(conf->token) || conf->tokens.count > 0))
        leat_check_warn(c, "filename", "is given, so token and tokens are not used");
    if (!is_value(conf->scheme))
        leat_check_error(c, "scheme", "%s", unclean);
    if (!is_name(conf->header))
        leat_check_error(c, "header", "is not the name of a header");
    if (conf->token != NULL && !is_value(conf->token))
        leat_check_error(c, "token", "%s", unclean);
    for (uint32_t i = 0; i < conf->tokens.count; i++) {
        if (!is_set(conf->tokens.items[i]) || !is_value(conf->tokens.items[i]))
            leat_check_error(c, "tokens", "has an empty token, or one that %s", unclean);
    }
}

/* --- tokens */

static void tokens_done(struct tokens *t)
{
    for (size_t i = 0; i < t->count; i++)
        leat_free(t->items[i]);
    leat_free(t->items);
    *t = (struct tokens){0};
}

static int add_token(struct tokens *t, const char *text, size_t len, struct leat_err *err)
{
    char *copy = leat_try_format("%.*s", (int)len, text);

    if (t->items == NULL)
        t->items = leat_try_zeroed(TOKENS_MAX * sizeof *t->items);
    if (t->items == NULL || copy == NULL) {
        leat_free(copy);
        return leat_fail(err, "no memory for the tokens");
    }
    t->items[t->count++] = copy;
    return 0;
}

/* One token per line; blank lines do not count. */
static int add_lines(struct tokens *t, const char *file, const char *text, struct leat_err *err)
{
    for (unsigned number = 1; *text != '\0'; number++) {
        size_t len = strcspn(text, "\n");
        const char *next = text + len + (text[len] == '\n');
        size_t blank = strspn(text, " \t\r");
        if (blank < len) {
            text += blank;
            len -= blank;
            while (strchr(" \t\r", text[len - 1]) != NULL)
                len--;
            if (t->count == TOKENS_MAX)
                return leat_fail(err, "%s has more than %d tokens", file, TOKENS_MAX);
            if (add_token(t, text, len, err) < 0)
                return -1;
            if (!is_value(t->items[t->count - 1]))
                return leat_fail(err, "%s, line %u: a character that a header cannot carry", file,
                                 number);
        }
        text = next;
    }
    return t->count > 0 ? 0 : leat_fail(err, "%s has no token in it", file);
}

static int read_tokens(const char *file, struct tokens *t, struct leat_err *err)
{
    struct leat_text text;
    int result;

    leat_text_init(&text, FILE_MAX);
    result = leat_file_read(file, FILE_MAX, &text, err);
    if (result == 0 && strlen(leat_text_get(&text)) != text.len)
        result = leat_fail(err, "%s is not a text", file);
    if (result == 0)
        result = add_lines(t, file, leat_text_get(&text), err);
    leat_text_done(&text);
    return result;
}

static int collect(const struct conf *conf, struct tokens *t, struct leat_err *err)
{
    int result = 0;

    if (is_set(conf->filename))
        return read_tokens(conf->filename, t, err);
    if (is_set(conf->token))
        return add_token(t, conf->token, strlen(conf->token), err);
    for (uint32_t i = 0; i < conf->tokens.count && result == 0; i++)
        result = add_token(t, conf->tokens.items[i], strlen(conf->tokens.items[i]), err);
    return result;
}

static int load(struct bearer *self, struct leat_err *err)
{
    const struct conf *conf = self->conf;
    struct tokens tokens = {0};
    int result = collect(conf, &tokens, err);
    char *value = NULL;

    if (result == 0) {
        value = leat_try_format("%s%s%s", conf->scheme, *conf->scheme != '\0' ? " " : "",
                                tokens.items[0]);
        if (value == NULL)
            result = leat_fail(err, "no memory for the tokens");
    }
    if (result < 0) {
        tokens_done(&tokens);
        return -1;
    }
    tokens_done(&self->tokens);
    self->tokens = tokens;
    leat_free(self->value);
    self->value = value;
    return 0;
}

static bool on_changed(void *arg)
{
    struct bearer *self = arg;
    struct leat_err err;

    if (load(self, &err) < 0) {
        if (!self->kept) /* said once; it is tried again at every look */
            leat_warn(self->env->id, "keeps the tokens it read before: %s", err.text);
        self->kept = true;
        return false;
    }
    self->kept = false;
    if (self->env->worker == 0)
        leat_info(self->env->id, "has read %s again", self->conf->filename);
    return true;
}

/* --- what it does */

/* The token in the header's value, or false: it is not under our scheme. Schemes are compared
 * without case (RFC 9110 11.1). */
static bool find_token(const struct conf *conf, struct leat_bytes value, struct leat_bytes *ret)
{
    size_t len = strlen(conf->scheme);

    if (len > 0) {
        if (value.len <= len || value.data[len] != ' ' ||
            !leat_bytes_is_nocase(leat_bytes(value.data, len), conf->scheme))
            return false;
        value = leat_bytes(value.data + len, value.len - len);
    }
    while (value.len > 0 && value.data[0] == ' ')
        value = leat_bytes(value.data + 1, value.len - 1);
    *ret = value;
    return true;
}

static int admit(void *self_, const struct leat_call *call, struct leat_err *err)
{
    struct bearer *self = self_;
    struct leat_bytes value = leat_call_header(call, self->header), token;
    bool known = false;

    if (value.len == 0)
        return leat_fail(err, "this needs a token in the header %s", self->header);
    if (!find_token(self->conf, value, &token))
        return leat_fail(err, "the header %s does not start with '%s '", self->header,
                         self->conf->scheme);
    for (size_t i = 0; i < self->tokens.count; i++) /* all, so that time does not tell which */
        known |= leat_bytes_eq_secret(token, leat_bytes_str(self->tokens.items[i]));
    return known ? 0 : leat_fail(err, "the token is not valid");
}

static int sign(void *self_, void (*add)(void *arg, const char *name, const char *value), void *arg,
                struct leat_err *err)
{
    struct bearer *self = self_;

    (void)err;
    add(arg, self->header, self->value);
    return 0;
}

static void close_bearer(void *self_)
{
    struct bearer *self = self_;

    leat_watch_free(self->watch);
    tokens_done(&self->tokens);
    leat_free(self->header);
    leat_free(self->value);
}

static int open_bearer(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct bearer *self = self_;

    self->env = env;
    self->conf = env->conf;
    self->header = leat_strdup(self->conf->header);
    leat_lower(self->header, strlen(self->header));
    self->auth = (struct leat_authenticator){
        .self = self,
        .admit = admit,
        .sign = sign,
        .challenge = is_name(self->conf->scheme) ? self->conf->scheme : NULL,
    };
    if (is_set(self->conf->filename)) /* before it is read, so that no change is missed */
        self->watch = leat_watch_new(env->loop, self->conf->filename, LOOK_EVERY, on_changed, self);
    if (load(self, err) == 0)
        return 0;
    close_bearer(self);
    return -1;
}

static const struct leat_authenticator *authenticator(void *self_)
{
    struct bearer *self = self_;

    return &self->auth;
}

const struct leat_component leat_extension_bearertokenauth = {
    .type = "bearertokenauth",
    .kind = LEAT_EXTENSION,
    .summary = "Authenticates callers of a receiver, or an exporter to its peer, with a token.",
    .fields = fields,
    .conf_size = sizeof(struct conf),
    .self_size = sizeof(struct bearer),
    .check = check,
    .open = open_bearer,
    .close = close_bearer,
    .authenticator = authenticator,
};
