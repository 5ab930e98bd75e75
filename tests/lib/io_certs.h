/* Certificates and keys made on the spot, in files of a folder of their own. */
#ifndef LEAT_TESTS_IO_CERTS_H
#define LEAT_TESTS_IO_CERTS_H

#include <stdbool.h>

struct io_cert {
    char cert[160], key[160]; /* paths */
};

struct io_certs {
    char dir[64];
    struct io_cert ca, server, client, other_ca;
};

/* ca signs server (DNS localhost, IP 127.0.0.1 and ::1) and client; other_ca signs nothing. */
void io_certs_make(struct io_certs *c);
/* A certificate signed by `ca` (NULL: by itself), into the folder under `name`. `san`: in OpenSSL's
 * words, "DNS:localhost,IP:127.0.0.1"; NULL: a CA. Valid from `from` to `to` seconds from now. */
struct io_cert io_cert_make(const struct io_certs *c, const char *name, const struct io_cert *ca,
                            const char *san, long from, long to);
void io_certs_remove(struct io_certs *c); /* the folder and all that is in it */

#endif
