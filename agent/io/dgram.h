/* Datagrams that arrive at one endpoint, received in batches: UDP and Unix.
 *
 * Every packet that was sent to a UDP socket is either handed over or counted as dropped by the
 * kernel: received + dropped = sent, exactly. Everything happens on the loop's thread. */
#ifndef LEAT_IO_DGRAM_H
#define LEAT_IO_DGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct leat_dgram;
struct leat_loop;

#define LEAT_DGRAM_BATCH 64                 /* packets handed over at once, at most */
#define LEAT_DGRAM_MAX   ((size_t)64 << 10) /* bytes of a packet; what is longer is cut */

struct leat_packet {
    struct leat_bytes data; /* valid during the call */
    struct leat_bytes from; /* the sender's IP address: 4 or 16 bytes (an IPv4 address that came
                               mapped into IPv6 has 4); empty: Unix, or nobody asked */
    bool truncated;         /* the packet was longer: its end is lost */
};

struct leat_dgram_conf {
    const char *endpoint; /* as of leat_listen_conf, or a path */
    int family;           /* AF_UNSPEC: both of IP; AF_INET; AF_INET6; AF_UNIX: a path */
    uint32_t permissions; /* of a Unix socket; 0: 0660 */
    /* Bytes of packets, with what the kernel needs for each, that may wait for us. The kernel may
     * allow less: leat_dgram_buffer(). 0: 4 MiB. Of a Unix socket it is the sender's buffer that
     * counts, and the number of packets is net.unix.max_dgram_qlen. */
    uint64_t buffer;
    /* Workers that give the same key have a socket each at one port, among which the kernel shares
     * out the senders. Of a Unix socket there is only one: give it to one worker. NULL: none. */
    const char *share;
    bool sources; /* fill `from` */
};

struct leat_dgram_events {
    /* 1 to LEAT_DGRAM_BATCH packets. Must not free the dgram. */
    void (*packets)(void *self, const struct leat_packet *packets, size_t n);
    /* The kernel had no room for `n` more packets at the nth address (leat_dgram_text()). May be
     * NULL. */
    void (*dropped)(void *self, size_t nth, uint64_t n);
};

/* Binds all addresses the endpoint means and begins to receive. An idle socket costs nothing; while
 * many packets come they are fetched at most every millisecond, and as long before the buffer is
 * full as the kernel's figures allow. NULL and `err`: a sentence with address and reason. */
struct leat_dgram *leat_dgram_open(struct leat_loop *l, const struct leat_dgram_conf *conf,
                                   const struct leat_dgram_events *events, void *self,
                                   struct leat_err *err);
/* Takes nothing new from now on (what still comes to a UDP port is counted as dropped) and hands
 * over, before it returns, all that had come; `dropped` is final afterwards. */
void leat_dgram_finish(struct leat_dgram *d);
void leat_dgram_free(struct leat_dgram *d); /* takes NULL */
/* Asks the kernel about drops now; `dropped` may be called. It is also asked about once a second
 * while packets come. */
void leat_dgram_ask(struct leat_dgram *d);

uint16_t leat_dgram_port(const struct leat_dgram *d); /* 0: Unix */
/* "127.0.0.1:8125, [::1]:8125" for messages. */
const char *leat_dgram_text(const struct leat_dgram *d);
size_t leat_dgram_addresses(const struct leat_dgram *d);
/* The nth address alone; the caller frees it. */
char *leat_dgram_address(const struct leat_dgram *d, size_t nth);
/* What the kernel has granted of `buffer`, as the setting counts it; 0: it does not say. */
uint64_t leat_dgram_buffer(const struct leat_dgram *d);

#endif
