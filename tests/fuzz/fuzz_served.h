/* A server for fuzzing sessions: bytes go in by a Unix socket in pieces, answers are read and
 * thrown away, held calls are answered late or after the client has gone; afterwards nothing may be
 * left.
 */
#ifndef LEAT_TESTS_FUZZ_SERVED_H
#define LEAT_TESTS_FUZZ_SERVED_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "lib/io_server.h"

static struct io_served fuzz_server;
static char fuzz_path[64];

static void fuzz_start(void)
{
    struct leat_log_conf quiet = {.level = LEAT_LOG_ERROR};

    if (fuzz_server.server != NULL)
        return;
    leat_log_setup(&quiet, NULL);
    io_served_init(&fuzz_server);
    snprintf(fuzz_path, sizeof fuzz_path, "/tmp/leat-fuzz-%d", (int)getpid());
    unlink(fuzz_path);
    fuzz_server.conf.transport = "unix";
    fuzz_server.conf.endpoint = fuzz_path;
    fuzz_server.conf.max_concurrent_streams = 20;
    io_served_start(&fuzz_server);
}

static void fuzz_answer_held(void)
{
    for (size_t i = 0; i < fuzz_server.nheld; i++)
        if (fuzz_server.held[i] != NULL)
            io_served_answer(&fuzz_server, i, NULL);
    fuzz_server.nheld = 0;
}

static void fuzz_open(struct io_raw *r)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    memset(r, 0, sizeof *r);
    leat_text_init(&r->in, 64 << 20);
    memcpy(to.sun_path, fuzz_path, strlen(fuzz_path) + 1);
    r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    LEAT_CHECK(r->fd >= 0 && connect(r->fd, (struct sockaddr *)&to, sizeof to) == 0);
    fcntl(r->fd, F_SETFL, O_NONBLOCK);
}

/* `how`: bit 0: calls are held; bit 1: answered before the client goes; the rest: size of the
 * pieces. */
static void fuzz_feed(const uint8_t *data, size_t len, uint8_t how)
{
    struct io_raw r;
    size_t piece = how >> 2 ? (size_t)(how >> 2) * (how >> 2) : len + 1;

    fuzz_start();
    fuzz_server.hold = how & 1;
    fuzz_open(&r);
    for (size_t at = 0; at < len && !r.closed; at += piece)
        io_raw_send_all(&r, fuzz_server.loop, data + at, len - at < piece ? len - at : piece);
    for (int i = 0; i < 4; i++) {
        if (i == 2 && (how & 2))
            fuzz_answer_held();
        leat_loop_turn(fuzz_server.loop);
        io_raw_poll(&r);
    }
    io_raw_done(&r);
    for (int i = 0; i < 4; i++)
        leat_loop_turn(fuzz_server.loop);
    fuzz_answer_held();
    while (leat_budget_used(&fuzz_server.budget) != 0) /* a leak hangs here */
        leat_loop_turn(fuzz_server.loop);
}

#endif
