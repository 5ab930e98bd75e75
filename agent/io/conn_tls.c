/* TLS as a filter of a connection.
 *
 * OpenSSL reads ciphertext where it lies in the loop's read buffer and writes it into one scratch
 * buffer per loop, so an idle connection holds no buffers. What the kernel does not take at once is
 * kept per connection, and nothing more is encrypted until it is gone. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/conn_internal.h"
#include "io/tls_internal.h"

#define RECORD        ((size_t)16 * 1024)  /* plaintext of a full record (RFC 8446, 5.1) */
#define PLAIN_BUFFER  ((size_t)64 * 1024)  /* plaintext of one `read` event */
#define CIPHER_BUFFER ((size_t)144 * 1024) /* ciphertext of one write */
#define CIPHER_AIM    ((size_t)112 * 1024) /* no further record is begun above */
/* Ciphertext waiting for the socket that is not the owner's data (handshake, alerts, key updates):
 * a peer that makes us answer but does not read is cut off here. */
#define QUEUE_MAX ((size_t)256 * 1024)

/* One per loop: valid from a call into OpenSSL to the flush after it. */
struct scratch {
    size_t cipher_len;
    uint8_t cipher[CIPHER_BUFFER];
    uint8_t plain[PLAIN_BUFFER];
    uint8_t stage[RECORD]; /* small pieces become one record here */
};

struct leat_tls_filter {
    SSL *ssl;
    struct leat_tls *tls; /* the session's settings, for ALPN */
    const uint8_t *in;    /* ciphertext that OpenSSL has not read yet */
    size_t in_len;
    uint8_t *kept; /* where `in` lies while the connection is paused; NULL: in the read buffer */
    uint8_t *sending, *queued; /* ciphertext in the raw write, and after it */
    size_t queued_len;
    struct leat_bytes *rest; /* the owner's pieces that are not encrypted yet */
    size_t nrest, at, skip;
    bool writing; /* the owner's write is pending */
    bool feeding;
    bool ready;        /* the handshake is done */
    bool broken;       /* OpenSSL gave a fatal error: no close_notify may be sent */
    bool said_goodbye; /* close_notify is sent */
    char alpn[32];
};

/* There since leat_filter_new(). */
static struct scratch *scratch_of(const struct leat_conn *c)
{
    return leat_loop_scratch(c->loop, sizeof(struct scratch));
}

/* --- OpenSSL's view of the connection */

static int bio_read(BIO *bio, char *out, int max)
{
    struct leat_tls_filter *f = ((struct leat_conn *)BIO_get_data(bio))->filter;
    size_t n = f->in_len < (size_t)max ? f->in_len : (size_t)max;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, f->in, n);
    f->in += n;
    f->in_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct scratch *s = scratch_of(BIO_get_data(bio));
    size_t room = CIPHER_BUFFER - s->cipher_len;
    size_t n = (size_t)len < room ? (size_t)len : room;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(s->cipher + s->cipher_len, data, n);
    s->cipher_len += n;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

/* The process has one; NULL: no memory, the next connection tries again. */
static const BIO_METHOD *bio_method(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static BIO_METHOD *the_one;
    BIO_METHOD *m;

    pthread_mutex_lock(&lock);
    if (the_one == NULL) {
        m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "leat connection");
        if (m != NULL) {
            BIO_meth_set_read(m, bio_read);
            BIO_meth_set_write(m, bio_write);
            BIO_meth_set_ctrl(m, bio_ctrl);
        }
        the_one = m;
    }
    m = the_one;
    pthread_mutex_unlock(&lock);
    return m;
}

static BIO *new_bio(struct leat_conn *c)
{
    const BIO_METHOD *method = bio_method();
    BIO *bio = method != NULL ? BIO_new(method) : NULL;

    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- ciphertext to the socket */

static int no_memory(struct leat_conn *c)
{
    leat_conn_fail(c, "no memory for the TLS connection with %s", c->peer);
    return -1;
}

static int enqueue(struct leat_conn *c, const uint8_t *data, size_t len)
{
    struct leat_tls_filter *f = c->filter;
    uint8_t *more;

    if (f->queued_len + len > QUEUE_MAX) {
        leat_conn_fail(c, "TLS with %s failed: the peer makes us write but does not read", c->peer);
        return -1;
    }
    more = leat_try_resize(f->queued, f->queued_len + len);
    if (more == NULL)
        return no_memory(c);
    memcpy(more + f->queued_len, data, len);
    f->queued = more;
    f->queued_len += len;
    return 0;
}

/* 1: with the kernel; 0: its rest is kept until it is; -1: the connection has failed. */
static int send_cipher(struct leat_conn *c, const uint8_t *data, size_t len)
{
    struct leat_tls_filter *f = c->filter;
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
    int rc = uv_try_write(&c->uv.stream, &buf, 1);
    size_t sent = rc > 0 ? (size_t)rc : 0;
    struct leat_bytes rest;

    if (rc < 0 && rc != UV_EAGAIN) {
        leat_conn_fail(c, "writing to %s failed: %s", c->peer, uv_strerror(rc));
        return -1;
    }
    c->bytes_out += sent;
    if (sent == len)
        return 1;
    f->sending = leat_try(len - sent);
    if (f->sending == NULL)
        return no_memory(c);
    memcpy(f->sending, data + sent, len - sent);
    rest = leat_bytes(f->sending, len - sent);
    rc = leat_conn_send(c, &rest, 1);
    if (rc == 1) { /* the kernel has found room meanwhile */
        leat_free(f->sending);
        f->sending = NULL;
    }
    return rc;
}

/* Sends what OpenSSL has written. -1: the connection has failed. */
static int flush(struct leat_conn *c)
{
    struct scratch *s = scratch_of(c);
    size_t len = s->cipher_len;

    s->cipher_len = 0;
    if (len == 0)
        return 0;
    if (c->state == LEAT_CONN_GONE)
        return -1;
    if (c->sending)
        return enqueue(c, s->cipher, len);
    return send_cipher(c, s->cipher, len) < 0 ? -1 : 0;
}

/* --- errors in words */

/* What OpenSSL has just said, as a sentence. */
static void describe(const struct leat_conn *c, struct leat_err *why)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(code);
    long verify = SSL_get_verify_result(c->filter->ssl);
    int reason = ERR_GET_REASON(code);

    if (verify != X509_V_OK && reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        leat_fail(why, "TLS with %s failed: its certificate is not accepted: %s", c->peer,
                  X509_verify_cert_error_string(verify));
    else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
        leat_fail(why, "TLS with %s failed: the peer does not speak TLS", c->peer);
    else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        leat_fail(why, "TLS with %s failed: the peer showed no certificate", c->peer);
    else if (reason > SSL_AD_REASON_OFFSET)
        leat_fail(why, "TLS with %s failed: the peer refused: %s", c->peer, text ? text : "alert");
    else
        leat_fail(why, "TLS with %s failed: %s", c->peer, text ? text : "it sent bad data");
    ERR_clear_error();
}

/* Ends the connection after the alert that tells the peer why. */
static void broken(struct leat_conn *c)
{
    struct leat_err why;

    describe(c, &why);
    c->filter->broken = true;
    if (flush(c) == 0)
        leat_conn_give_up(c, "%s", why.text);
}

/* --- reading */

static void handshake_done(struct leat_conn *c)
{
    struct leat_tls_filter *f = c->filter;
    const unsigned char *alpn;
    unsigned len;

    f->ready = true;
    SSL_get0_alpn_selected(f->ssl, &alpn, &len);
    if (len > 0 && len < sizeof f->alpn)
        memcpy(f->alpn, alpn, len);
    leat_conn_open_now(c);
}

/* True: go on with the data. */
static bool shake_hands(struct leat_conn *c)
{
    struct leat_tls_filter *f = c->filter;
    int rc, error;

    do {
        ERR_clear_error();
        rc = SSL_do_handshake(f->ssl);
        error = SSL_get_error(f->ssl, rc);
        if (rc != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            broken(c);
            return false;
        }
        if (flush(c) != 0)
            return false;
    } while (error == SSL_ERROR_WANT_WRITE);
    if (rc != 1)
        return false;
    handshake_done(c);
    return c->state == LEAT_CONN_OPEN;
}

/* Decrypts up to a buffer full; returns the length, and OpenSSL's word on why there is no more
 * (SSL_ERROR_NONE: the buffer is full). */
static size_t decrypt(SSL *ssl, uint8_t *out, int *ret_error)
{
    size_t len = 0, n;

    *ret_error = SSL_ERROR_NONE;
    while (len < PLAIN_BUFFER) {
        int rc;

        ERR_clear_error();
        rc = SSL_read_ex(ssl, out + len, PLAIN_BUFFER - len, &n);
        if (rc != 1) {
            *ret_error = SSL_get_error(ssl, rc);
            break;
        }
        len += n;
    }
    return len;
}

/* One round of reading. True: there may be more. */
static bool read_round(struct leat_conn *c)
{
    struct scratch *s = scratch_of(c);
    struct leat_err why;
    int error;
    size_t len = decrypt(c->filter->ssl, s->plain, &error);
    bool more = error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_WRITE;
    bool fatal = !more && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN;

    if (fatal) {
        describe(c, &why);
        c->filter->broken = true;
    }
    if (flush(c) != 0)
        return false;
    if (len > 0)
        c->events->read(c->self, s->plain, len);
    if (c->state != LEAT_CONN_OPEN)
        return false;
    if (fatal)
        leat_conn_give_up(c, "%s", why.text);
    else if (error == SSL_ERROR_ZERO_RETURN)
        leat_conn_peer_ended(c);
    return more;
}

/* The read buffer belongs to the next connection: what a paused one has not taken is copied. */
static void keep_rest(struct leat_conn *c)
{
    struct leat_tls_filter *f = c->filter;
    uint8_t *old = f->kept;

    f->kept = NULL;
    if (f->in_len > 0 && c->state == LEAT_CONN_OPEN && !c->eof) {
        f->kept = leat_try(f->in_len);
        if (f->kept != NULL)
            memcpy(f->kept, f->in, f->in_len);
        else
            no_memory(c);
    }
    f->in = f->kept;
    f->in_len = f->kept ? f->in_len : 0;
    leat_free(old);
}

void leat_filter_feed(struct leat_conn *c)
{
    struct leat_tls_filter *f = c->filter;
    bool more = true;

    if (f->feeding)
        return;
    f->feeding = true;
    if (!f->ready)
        more = shake_hands(c);
    while (more && c->state == LEAT_CONN_OPEN && !c->paused && !c->eof)
        more = read_round(c);
    f->feeding = false;
    keep_rest(c);
    leat_conn_update_reading(c);
}

void leat_filter_read(struct leat_conn *c, const uint8_t *data, size_t len)
{
    LEAT_CHECK(c->filter->in_len == 0); /* else nothing is read from the socket */
    c->filter->in = data;
    c->filter->in_len = len;
    leat_filter_feed(c);
}

void leat_filter_start(struct leat_conn *c)
{
    leat_filter_feed(c);
}

/* The end of the stream must be said in TLS, or somebody may have cut it short. */
void leat_filter_eof(struct leat_conn *c)
{
    c->filter->broken = true;
    if (c->state == LEAT_CONN_NEW)
        leat_conn_fail(c, "TLS with %s failed: the peer closed the connection in the handshake",
                       c->peer);
    else
        leat_conn_fail(c,
                       "%s has closed the connection without ending TLS: what it sent may be "
                       "cut off",
                       c->peer);
}

bool leat_filter_wants_raw(const struct leat_tls_filter *f)
{
    return f->in_len == 0;
}

/* --- writing */

/* The plaintext of the next record: as it lies when it is large, else small pieces put together. */
static struct leat_bytes next_record(struct leat_tls_filter *f, struct scratch *s,
                                     const struct leat_bytes *pieces)
{
    const struct leat_bytes *p = &pieces[f->at];
    size_t len = p->len - f->skip, filled = 0;

    if (len >= RECORD || f->at + 1 == f->nrest) {
        struct leat_bytes whole = leat_bytes(p->data + f->skip, len < RECORD ? len : RECORD);

        f->skip += whole.len;
        return whole;
    }
    while (f->at < f->nrest && filled < RECORD) {
        p = &pieces[f->at];
        len = p->len - f->skip < RECORD - filled ? p->len - f->skip : RECORD - filled;
        if (len > 0)
            memcpy(s->stage + filled, p->data + f->skip, len);
        filled += len;
        f->skip += len;
        if (f->skip < p->len)
            break;
        f->at++;
        f->skip = 0;
    }
    return leat_bytes(s->stage, filled);
}

static bool all_encrypted(struct leat_tls_filter *f, const struct leat_bytes *pieces)
{
    while (f->at < f->nrest && f->skip == pieces[f->at].len) {
        f->at++;
        f->skip = 0;
    }
    return f->at == f->nrest;
}

/* Encrypts and sends until all is done (1), the socket is full (0), or the connection fails (-1).
 */
static int pump(struct leat_conn *c, const struct leat_bytes *pieces)
{
    struct leat_tls_filter *f = c->filter;
    struct scratch *s = scratch_of(c);

    while (!c->sending && !all_encrypted(f, pieces)) {
        while (s->cipher_len < CIPHER_AIM && !all_encrypted(f, pieces)) {
            struct leat_bytes record = next_record(f, s, pieces);
            size_t n;

            ERR_clear_error();
            if (SSL_write_ex(f->ssl, record.data, record.len, &n) != 1) {
                broken(c);
                return -1;
            }
            LEAT_CHECK(n == record.len);
        }
        if (flush(c) != 0)
            return -1;
    }
    return c->sending ? 0 : 1;
}

static void drop_rest(struct leat_tls_filter *f)
{
    leat_free(f->rest);
    f->rest = NULL;
    f->nrest = f->at = f->skip = 0;
}

int leat_filter_write(struct leat_conn *c, const struct leat_bytes *pieces, size_t n)
{
    struct leat_tls_filter *f = c->filter;
    size_t left;
    int rc;

    f->nrest = n;
    f->at = f->skip = 0;
    rc = pump(c, pieces);
    if (rc != 0) {
        drop_rest(f);
        return rc;
    }
    left = n - f->at;
    if (left > 0) {
        f->rest = leat_try(left * sizeof *f->rest);
        if (f->rest == NULL)
            return no_memory(c);
        memcpy(f->rest, pieces + f->at, left * sizeof *f->rest);
    }
    f->nrest = left;
    f->at = 0;
    f->writing = true;
    return 0;
}

void leat_filter_sent(struct leat_conn *c)
{
    struct leat_tls_filter *f = c->filter;
    uint8_t *queued = f->queued;
    size_t len = f->queued_len;
    int rc = 1;

    leat_free(f->sending);
    f->sending = NULL;
    f->queued = NULL;
    f->queued_len = 0;
    if (len > 0)
        rc = send_cipher(c, queued, len);
    leat_free(queued);
    if (rc != 1 || !f->writing || pump(c, f->rest) != 1)
        return;
    drop_rest(f);
    f->writing = false;
    if (c->state == LEAT_CONN_OPEN)
        c->events->written(c->self);
}

bool leat_filter_pending(const struct leat_tls_filter *f)
{
    return f->writing;
}

void leat_filter_shutdown(struct leat_conn *c)
{
    struct leat_tls_filter *f = c->filter;

    if (f->said_goodbye || f->broken || !f->ready)
        return;
    f->said_goodbye = true;
    ERR_clear_error();
    SSL_shutdown(f->ssl);
    ERR_clear_error();
    flush(c);
}

/* --- beginning and end */

struct leat_tls_filter *leat_filter_new(struct leat_conn *c, struct leat_tls *tls, bool server,
                                        const char *name, struct leat_err *err)
{
    struct leat_tls_filter *f = leat_try_zeroed(sizeof *f);
    BIO *bio;

    (void)server;
    if (f == NULL) {
        leat_fail(err, "no memory");
        return NULL;
    }
    f->ssl = leat_tls_session(tls, name, err);
    bio = f->ssl && scratch_of(c) ? new_bio(c) : NULL;
    if (bio == NULL) {
        if (f->ssl != NULL)
            leat_fail(err, "no memory");
        SSL_free(f->ssl);
        leat_free(f);
        return NULL;
    }
    SSL_set_bio(f->ssl, bio, bio);
    f->tls = leat_tls_ref(tls);
    return f;
}

void leat_filter_free(struct leat_tls_filter *f)
{
    if (f == NULL)
        return;
    SSL_free(f->ssl);
    leat_tls_free(f->tls);
    leat_free(f->kept);
    leat_free(f->sending);
    leat_free(f->queued);
    leat_free(f->rest);
    leat_free(f);
}

const char *leat_filter_alpn(const struct leat_tls_filter *f)
{
    return f->alpn[0] != '\0' ? f->alpn : NULL;
}
