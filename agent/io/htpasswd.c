/* Users and their password hashes, in the format of Apache's htpasswd. */
#include "io/htpasswd.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

#define USERS_MAX         10000
#define NAME_MAX_LEN      255     /* bytes of a user's name */
#define PASSWORD_MAX      1024    /* bytes of a password; longer ones are wrong */
#define HASH_MAX          383     /* what crypt(3) takes, and more than any method needs */
#define SALT_MAX          64      /* bytes of the salt of {SSHA} */
#define BCRYPT_COST_MAX   14      /* about a second of one core */
#define CRYPT_ROUNDS_MAX  1000000 /* of $5$ and $6$: about a second as well */
#define BAD_MAX           256     /* wrong guesses that are remembered */
#define PAUSE_AFTER_WRONG 2       /* times what the guess took */
#define APR1_ROUNDS       1000
#define MD5_LEN           16
#define DIGEST            SHA256_DIGEST_LENGTH

enum kind { PLAIN, SHA, SSHA, APR1, CRYPT };

struct user {
    enum kind kind;
    char *hash;
    bool has_good;
    uint8_t good[DIGEST]; /* of the password that was right */
};

struct leat_htpasswd {
    struct leat_map *users;
    struct crypt_data *crypt;
    uint8_t key[DIGEST];
    uint8_t bad[BAD_MAX][DIGEST]; /* a ring */
    size_t nbad;
    int64_t busy_until; /* monotonic ns */
};

/* --- reading */

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* -1 and `err`: crypt(3) does not know the method, or it would take too long. */
static int check_crypt(const char *hash, struct leat_err *err)
{
    const char *rounds = strstr(hash, "$rounds=");

    if (starts(hash, "$2") && strlen(hash) > 6 && strtol(hash + 4, NULL, 10) > BCRYPT_COST_MAX)
        return leat_fail(err, "a bcrypt cost above %d would hold up everything for seconds",
                         BCRYPT_COST_MAX);
    if (rounds != NULL && strtol(rounds + 8, NULL, 10) > CRYPT_ROUNDS_MAX)
        return leat_fail(err, "more than %d rounds would hold up everything for seconds",
                         CRYPT_ROUNDS_MAX);
#ifdef CRYPT_CHECKSALT_AVAILABLE
    if (crypt_checksalt(hash) == CRYPT_SALT_INVALID ||
        crypt_checksalt(hash) == CRYPT_SALT_METHOD_DISABLED)
        return leat_fail(err, "this system's crypt(3) does not know that kind of hash");
#endif
    return 0;
}

static int kind_of(const char *hash, enum kind *ret, struct leat_err *err)
{
    *ret = PLAIN;
    if (starts(hash, "{SHA}"))
        *ret = SHA;
    else if (starts(hash, "{SSHA}"))
        *ret = SSHA;
    else if (starts(hash, "$apr1$"))
        *ret = APR1;
    else if (*hash == '$')
        *ret = CRYPT;
    else if (*hash == '{')
        return leat_fail(err, "that kind of hash is not known; use bcrypt (htpasswd -B)");
    return *ret == CRYPT ? check_crypt(hash, err) : 0;
}

static void free_user(void *user)
{
    struct user *u = user;

    OPENSSL_cleanse(u->hash, strlen(u->hash));
    leat_free(u->hash);
    leat_free(u);
}

static int add_user(struct leat_htpasswd *h, struct leat_bytes name, struct leat_bytes hash,
                    struct leat_err *err)
{
    struct user *u;

    if (leat_map_get(h->users, name) != NULL)
        return 0;
    u = leat_try_zeroed(sizeof *u);
    if (u == NULL || (u->hash = leat_try_format("%.*s", LEAT_FMT(hash))) == NULL) {
        leat_free(u);
        return leat_fail(err, "no memory");
    }
    if (kind_of(u->hash, &u->kind, err) < 0) {
        free_user(u);
        return -1;
    }
    if (leat_map_set(h->users, name, u, NULL) < 0) {
        free_user(u);
        if (leat_map_count(h->users) < USERS_MAX)
            return leat_fail(err, "no memory");
        return leat_fail(err, "more than %d users", USERS_MAX);
    }
    return 0;
}

static int add_line(struct leat_htpasswd *h, struct leat_bytes line, struct leat_err *err)
{
    const uint8_t *colon;
    struct leat_bytes name, hash;

    while (line.len > 0 && (line.data[line.len - 1] == '\r' || line.data[line.len - 1] == ' ' ||
                            line.data[line.len - 1] == '\t'))
        line.len--;
    while (line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
        line = leat_bytes(line.data + 1, line.len - 1);
    if (line.len == 0 || line.data[0] == '#')
        return 0;
    colon = memchr(line.data, ':', line.len);
    if (colon == NULL || colon == line.data || memchr(line.data, '\0', line.len) != NULL)
        return leat_fail(err, "it is not of the form user:hash");
    name = leat_bytes(line.data, (size_t)(colon - line.data));
    hash = leat_bytes(colon + 1, line.len - name.len - 1);
    if (hash.len == 0 || hash.len > HASH_MAX || name.len > NAME_MAX_LEN)
        return leat_fail(err, "its user or hash is empty or too long");
    return add_user(h, name, hash, err);
}

static int add_text(struct leat_htpasswd *h, struct leat_bytes text, struct leat_err *err)
{
    for (unsigned number = 1; text.len > 0; number++) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
        size_t skip = end != NULL ? len + 1 : len;
        char where[32];
        if (add_line(h, leat_bytes(text.data, len), err) < 0) {
            snprintf(where, sizeof where, "line %u", number);
            return leat_fail_in(err, where);
        }
        text = leat_bytes(text.data + skip, text.len - skip);
    }
    return 0;
}

struct leat_htpasswd *leat_htpasswd_new(struct leat_bytes first, struct leat_bytes second,
                                        struct leat_err *err)
{
    struct leat_htpasswd *h = leat_try_zeroed(sizeof *h);

    if (h == NULL || (h->users = leat_map_try_new(USERS_MAX)) == NULL) {
        leat_free(h);
        leat_fail(err, "no memory");
        return NULL;
    }
    if (RAND_bytes(h->key, sizeof h->key) != 1)
        leat_fail(err, "no random numbers from the system");
    else if (add_text(h, first, err) == 0 && add_text(h, second, err) == 0)
        return h;
    leat_htpasswd_free(h);
    return NULL;
}

void leat_htpasswd_free(struct leat_htpasswd *h)
{
    if (h == NULL)
        return;
    leat_map_free(h->users, free_user);
    if (h->crypt != NULL)
        OPENSSL_cleanse(h->crypt, sizeof *h->crypt);
    leat_free(h->crypt);
    OPENSSL_cleanse(h, sizeof *h);
    leat_free(h);
}

/* --- single methods */

static enum leat_htpasswd_result verdict(bool right)
{
    return right ? LEAT_HTPASSWD_OK : LEAT_HTPASSWD_WRONG;
}

static enum leat_htpasswd_result is_sha(const char *hash, const char *password, size_t len)
{
    uint8_t made[SHA_DIGEST_LENGTH], wanted[SHA_DIGEST_LENGTH + 2];
    struct leat_bytes text = leat_bytes_str(hash + strlen("{SHA}"));

    if (text.len > 28 || leat_base64_decode(text, wanted) != sizeof made)
        return LEAT_HTPASSWD_WRONG;
    if (SHA1((const uint8_t *)password, len, made) == NULL)
        return LEAT_HTPASSWD_NO_MEMORY;
    return verdict(CRYPTO_memcmp(made, wanted, sizeof made) == 0);
}

static enum leat_htpasswd_result is_ssha(const char *hash, const char *password, size_t len)
{
    uint8_t made[SHA_DIGEST_LENGTH], wanted[HASH_MAX], salted[PASSWORD_MAX + SALT_MAX];
    long n = leat_base64_decode(leat_bytes_str(hash + strlen("{SSHA}")), wanted);
    size_t salt;
    bool made_one;

    if (n < (long)sizeof made || n > (long)sizeof made + SALT_MAX)
        return LEAT_HTPASSWD_WRONG;
    salt = (size_t)n - sizeof made;
    memcpy(salted, password, len);
    memcpy(salted + len, wanted + sizeof made, salt);
    made_one = SHA1(salted, len + salt, made) != NULL;
    OPENSSL_cleanse(salted, sizeof salted);
    if (!made_one)
        return LEAT_HTPASSWD_NO_MEMORY;
    return verdict(CRYPTO_memcmp(made, wanted, sizeof made) == 0);
}

struct pieces {
    EVP_MD_CTX *md5;
    bool ok;
};

static void md5_start(struct pieces *p)
{
    p->ok = p->ok && EVP_DigestInit_ex(p->md5, EVP_md5(), NULL) == 1;
}

static void md5_add(struct pieces *p, const void *data, size_t len)
{
    p->ok = p->ok && EVP_DigestUpdate(p->md5, data, len) == 1;
}

static void md5_end(struct pieces *p, uint8_t out[MD5_LEN])
{
    p->ok = p->ok && EVP_DigestFinal_ex(p->md5, out, NULL) == 1;
}

/* One of the thousand rounds: which pieces go in depends on the round's number only. */
static void apr1_round(struct pieces *p, int i, struct leat_bytes password, struct leat_bytes salt,
                       uint8_t sum[MD5_LEN])
{
    struct leat_bytes last = leat_bytes(sum, MD5_LEN);
    struct leat_bytes first = i & 1 ? password : last, end = i & 1 ? last : password;

    md5_start(p);
    md5_add(p, first.data, first.len);
    if (i % 3 != 0)
        md5_add(p, salt.data, salt.len);
    if (i % 7 != 0)
        md5_add(p, password.data, password.len);
    md5_add(p, end.data, end.len);
    md5_end(p, sum);
}

/* The digest of $apr1$: Poul-Henning Kamp's MD5 crypt with another magic. */
static bool apr1_digest(struct leat_bytes password, struct leat_bytes salt, uint8_t sum[MD5_LEN])
{
    struct pieces p = {EVP_MD_CTX_new(), true};

    p.ok = p.md5 != NULL;
    md5_start(&p);
    md5_add(&p, password.data, password.len);
    md5_add(&p, salt.data, salt.len);
    md5_add(&p, password.data, password.len);
    md5_end(&p, sum);
    md5_start(&p);
    md5_add(&p, password.data, password.len);
    md5_add(&p, "$apr1$", 6);
    md5_add(&p, salt.data, salt.len);
    for (size_t left = password.len; left > 0; left -= left < MD5_LEN ? left : MD5_LEN)
        md5_add(&p, sum, left < MD5_LEN ? left : MD5_LEN);
    for (size_t bits = password.len; bits != 0; bits >>= 1)
        md5_add(&p, bits & 1 ? (const uint8_t *)"" : password.data, 1);
    md5_end(&p, sum);
    for (int i = 0; i < APR1_ROUNDS; i++)
        apr1_round(&p, i, password, salt, sum);
    EVP_MD_CTX_free(p.md5);
    return p.ok;
}

/* The digest as 22 letters, three bytes to four of them, in an order of its own. */
static void apr1_letters(const uint8_t sum[MD5_LEN], char out[23])
{
    static const char letters[] =
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const uint8_t order[5][3] = {{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}};

    for (int i = 0; i < 5; i++) {
        uint32_t v =
            (uint32_t)sum[order[i][0]] << 16 | (uint32_t)sum[order[i][1]] << 8 | sum[order[i][2]];
        for (int k = 0; k < 4; k++, v >>= 6)
            *out++ = letters[v & 63];
    }
    *out++ = letters[sum[11] & 63];
    *out++ = letters[sum[11] >> 6];
    *out = '\0';
}

static enum leat_htpasswd_result is_apr1(const char *hash, const char *password, size_t len)
{
    const char *salt = hash + strlen("$apr1$"), *end = strchr(salt, '$');
    uint8_t sum[MD5_LEN];
    char made[23];
    size_t salt_len;

    if (end == NULL)
        return LEAT_HTPASSWD_WRONG;
    salt_len = (size_t)(end - salt) < 8 ? (size_t)(end - salt) : 8;
    if (!apr1_digest(leat_bytes(password, len), leat_bytes(salt, salt_len), sum))
        return LEAT_HTPASSWD_NO_MEMORY;
    apr1_letters(sum, made);
    return verdict(leat_bytes_eq_secret(leat_bytes_str(made), leat_bytes_str(end + 1)));
}

static enum leat_htpasswd_result is_crypt(struct leat_htpasswd *h, const char *hash,
                                          const char *password)
{
    const char *made;

    errno = 0;
    made = crypt_r(password, hash, h->crypt);
    if ((made == NULL || *made == '*') && errno == ENOMEM)
        return LEAT_HTPASSWD_NO_MEMORY;
    return verdict(made != NULL && *made != '*' &&
                   leat_bytes_eq_secret(leat_bytes_str(made), leat_bytes_str(hash)));
}

/* --- checking */

/* What is remembered of a user and a password: useless without the key, which lives in memory only.
 * False: no memory, and `out` holds nothing. */
static bool digest_of(const struct leat_htpasswd *h, struct leat_bytes user, const char *password,
                      uint8_t out[DIGEST])
{
    uint8_t both[NAME_MAX_LEN + 1 + PASSWORD_MAX];
    size_t len = strlen(password);
    bool made;

    memcpy(both, user.data, user.len);
    both[user.len] = '\0';
    memcpy(both + user.len + 1, password, len);
    made = HMAC(EVP_sha256(), h->key, sizeof h->key, both, user.len + 1 + len, out, NULL) != NULL;
    OPENSSL_cleanse(both, sizeof both);
    return made;
}

static bool is_known_bad(const struct leat_htpasswd *h, const uint8_t digest[DIGEST])
{
    size_t n = h->nbad < BAD_MAX ? h->nbad : BAD_MAX;

    for (size_t i = 0; i < n; i++) {
        if (CRYPTO_memcmp(h->bad[i], digest, DIGEST) == 0)
            return true;
    }
    return false;
}

static enum leat_htpasswd_result check_slowly(struct leat_htpasswd *h, struct user *u,
                                              struct leat_bytes user, const char *password)
{
    uint8_t digest[DIGEST];
    int64_t start = leat_clock_mono(), end;
    enum leat_htpasswd_result result;

    if (!digest_of(h, user, password, digest))
        return LEAT_HTPASSWD_NO_MEMORY;
    if (u->has_good && CRYPTO_memcmp(u->good, digest, DIGEST) == 0)
        return LEAT_HTPASSWD_OK;
    if (is_known_bad(h, digest))
        return LEAT_HTPASSWD_WRONG;
    if (h->crypt == NULL)
        h->crypt = leat_try_zeroed(sizeof *h->crypt);
    if (h->crypt == NULL)
        return LEAT_HTPASSWD_NO_MEMORY;
    if (start < h->busy_until)
        return LEAT_HTPASSWD_BUSY;
    result = u->kind == APR1 ? is_apr1(u->hash, password, strlen(password))
                             : is_crypt(h, u->hash, password);
    if (result == LEAT_HTPASSWD_NO_MEMORY)
        return result; /* nothing is known: a right password must not be remembered as a bad one */
    if (result == LEAT_HTPASSWD_OK) {
        memcpy(u->good, digest, DIGEST);
        u->has_good = true;
        return LEAT_HTPASSWD_OK;
    }
    end = leat_clock_mono();
    h->busy_until = end + PAUSE_AFTER_WRONG * (end - start);
    memcpy(h->bad[h->nbad++ % BAD_MAX], digest, DIGEST);
    return LEAT_HTPASSWD_WRONG;
}

static enum leat_htpasswd_result check_user(struct leat_htpasswd *h, struct user *u,
                                            struct leat_bytes user, const char *password)
{
    size_t len = strlen(password);

    switch (u->kind) {
    case PLAIN:
        return verdict(leat_bytes_eq_secret(leat_bytes_str(u->hash), leat_bytes(password, len)));
    case SHA:
        return is_sha(u->hash, password, len);
    case SSHA:
        return is_ssha(u->hash, password, len);
    default:
        return check_slowly(h, u, user, password);
    }
}

enum leat_htpasswd_result leat_htpasswd_check(struct leat_htpasswd *h, struct leat_bytes user,
                                              struct leat_bytes password)
{
    char text[PASSWORD_MAX + 1];
    enum leat_htpasswd_result result;
    struct user *u;

    if (user.len == 0 || user.len > NAME_MAX_LEN || password.len > PASSWORD_MAX)
        return LEAT_HTPASSWD_WRONG;
    u = leat_map_get(h->users, user);
    if (u == NULL || (password.len > 0 && memchr(password.data, '\0', password.len) != NULL))
        return LEAT_HTPASSWD_WRONG;
    if (password.len > 0)
        memcpy(text, password.data, password.len);
    text[password.len] = '\0';
    result = check_user(h, u, user, text);
    OPENSSL_cleanse(text, sizeof text);
    return result;
}

enum leat_htpasswd_result leat_htpasswd_admit(struct leat_htpasswd *h, struct leat_bytes header)
{
    static const char scheme[] = "basic ";
    uint8_t plain[NAME_MAX_LEN + 1 + PASSWORD_MAX + 8];
    enum leat_htpasswd_result result = LEAT_HTPASSWD_WRONG;
    const uint8_t *colon;
    long len;

    if (header.len < sizeof scheme - 1 ||
        !leat_bytes_is_nocase(leat_bytes(header.data, sizeof scheme - 1), scheme))
        return LEAT_HTPASSWD_WRONG;
    header = leat_bytes(header.data + sizeof scheme - 1, header.len - (sizeof scheme - 1));
    while (header.len > 0 && header.data[0] == ' ')
        header = leat_bytes(header.data + 1, header.len - 1);
    if (header.len / 4 * 3 + 2 > sizeof plain)
        return LEAT_HTPASSWD_WRONG;
    len = leat_base64_decode(header, plain);
    colon = len > 0 ? memchr(plain, ':', (size_t)len) : NULL;
    if (colon != NULL)
        result = leat_htpasswd_check(h, leat_bytes(plain, (size_t)(colon - plain)),
                                     leat_bytes(colon + 1, (size_t)(plain + len - colon - 1)));
    OPENSSL_cleanse(plain, sizeof plain);
    return result;
}
