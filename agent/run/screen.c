/* The terminal, taken over and given back. */
#include "run/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "io/loop_uv.h"

#define FRAME_MAX ((size_t)4 * 1024 * 1024)
#define WIDTH     80 /* of a terminal that does not say */
#define HEIGHT    24
#define WIDTH_MAX 1000
/* The other screen, no cursor, no wrapping; and all back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
#define NSIGNALS (sizeof signals / sizeof *signals)

struct leat_screen {
    const struct leat_screen_events *events;
    void *arg;
    struct termios before;
    uv_poll_t keys;
    uv_signal_t signals[NSIGNALS];
    unsigned closing;
    int key_state;
    bool gone; /* nobody can be written to any more */
};

/* For the handler of SIGABRT. */
static const struct leat_screen *to_restore;

/* --- keys */

bool leat_key_feed(int *state, uint8_t byte, enum leat_key *ret, char *ret_c)
{
    enum { GROUND, ESCAPE, SEQUENCE };

    *ret = LEAT_KEY_CHAR;
    *ret_c = (char)byte;
    switch (*state) {
    case ESCAPE: /* ESC [ … or ESC O …; another ESC begins anew */
        *state = byte == '[' || byte == 'O' ? SEQUENCE : byte == 0x1b ? ESCAPE : GROUND;
        return *state == GROUND;
    case SEQUENCE: /* ends at a letter or ~ (ECMA-48 section 5.4) */
        if (byte >= 0x40)
            *state = GROUND;
        *ret = byte == 'D' ? LEAT_KEY_LEFT : LEAT_KEY_RIGHT;
        return byte == 'C' || byte == 'D';
    default:
        *state = byte == 0x1b ? ESCAPE : GROUND;
        return *state == GROUND;
    }
}

/* --- modes */

static bool write_all(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, data, len);
        struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            poll(&p, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return false;
        }
    }
    return true;
}

static int enter(struct leat_screen *s)
{
    struct termios raw = s->before;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
        return -1;
    write_all(ENTER, sizeof ENTER - 1);
    return 0;
}

static void leave(const struct leat_screen *s)
{
    write_all(LEAVE, sizeof LEAVE - 1);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
}

/* What it calls may be called in a handler (POSIX 2.4.3). */
static void on_abort(int number)
{
    if (to_restore != NULL)
        leave(to_restore);
    signal(number, SIG_DFL);
    raise(number);
}

bool leat_screen_usable(void)
{
    const char *term = getenv("TERM");

    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

/* --- events */

static void on_keys(uv_poll_t *handle, int status, int events)
{
    struct leat_screen *s = handle->data;
    char bytes[256];
    ssize_t n = status < 0 ? 0 : read(STDIN_FILENO, bytes, sizeof bytes);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        uv_poll_stop(&s->keys);
        s->gone = true;
        s->events->ended(s->arg);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        enum leat_key key;
        char c;
        if (leat_key_feed(&s->key_state, (uint8_t)bytes[i], &key, &c))
            s->events->key(s->arg, key, c);
    }
}

/* Stops as if nothing had been caught, with the terminal as it was. */
static void stop_here(struct leat_screen *s)
{
    leave(s);
    raise(SIGSTOP);
    if (enter(s) < 0)
        s->events->ended(s->arg);
    else
        s->events->redraw(s->arg);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct leat_screen *s = handle->data;

    if (number == SIGTSTP)
        stop_here(s);
    else if (number == SIGWINCH)
        s->events->redraw(s->arg);
    else
        s->events->ended(s->arg);
}

/* --- life */

struct leat_screen *leat_screen_open(struct leat_loop *loop,
                                     const struct leat_screen_events *events, void *arg,
                                     struct leat_err *err)
{
    struct leat_screen *s = leat_new(sizeof *s);

    s->events = events;
    s->arg = arg;
    if (tcgetattr(STDIN_FILENO, &s->before) != 0 || enter(s) < 0) {
        leat_fail(err, "cannot set the terminal: %s", strerror(errno));
        leat_free(s);
        return NULL;
    }
    to_restore = s;
    signal(SIGABRT, on_abort);
    uv_poll_init(leat_loop_uv(loop), &s->keys, STDIN_FILENO);
    s->keys.data = s;
    uv_poll_start(&s->keys, UV_READABLE, on_keys);
    for (size_t i = 0; i < NSIGNALS; i++) {
        uv_signal_init(leat_loop_uv(loop), &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, signals[i]);
    }
    return s;
}

void leat_screen_size(const struct leat_screen *s, unsigned *ret_width, unsigned *ret_height)
{
    struct winsize size = {.ws_col = 0};

    (void)s;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        size = (struct winsize){.ws_col = WIDTH, .ws_row = HEIGHT};
    *ret_width = size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
    *ret_height = size.ws_row;
}

void leat_screen_draw(struct leat_screen *s, struct leat_bytes lines)
{
    struct leat_text frame;
    bool first = true;

    leat_text_init(&frame, FRAME_MAX);
    leat_text_str(&frame, "\033[H");
    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.data, '\n', lines.len);
        size_t len = end != NULL ? (size_t)(end - lines.data) : lines.len;
        leat_text_str(&frame, first ? "" : "\r\n");
        leat_text_add(&frame, lines.data, len);
        leat_text_str(&frame, "\033[K"); /* the rest of the line */
        first = false;
        len += end != NULL;
        lines = leat_bytes(lines.data + len, lines.len - len);
    }
    leat_text_str(&frame, "\033[J"); /* all below */
    if (!s->gone && leat_text_ok(&frame) && !write_all(leat_text_get(&frame), frame.len)) {
        s->gone = true;
        s->events->ended(s->arg);
    }
    leat_text_done(&frame);
}

static void one_closed(uv_handle_t *handle)
{
    struct leat_screen *s = handle->data;

    if (--s->closing == 0)
        leat_free(s);
}

void leat_screen_close(struct leat_screen *s)
{
    if (s == NULL)
        return;
    signal(SIGABRT, SIG_DFL);
    to_restore = NULL;
    leave(s);
    s->closing = 1 + (unsigned)NSIGNALS;
    uv_close((uv_handle_t *)&s->keys, one_closed);
    for (size_t i = 0; i < NSIGNALS; i++)
        uv_close((uv_handle_t *)&s->signals[i], one_closed);
}
