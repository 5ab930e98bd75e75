/* The terminal, taken over for a picture that renews itself and given back as it was: at the end,
 * at a stop (Ctrl-Z) and when the program aborts. */
#ifndef LEAT_RUN_SCREEN_H
#define LEAT_RUN_SCREEN_H

#include "base/bytes.h"
#include "base/err.h"

struct leat_loop;
struct leat_screen;

enum leat_key { LEAT_KEY_LEFT, LEAT_KEY_RIGHT, LEAT_KEY_CHAR };

struct leat_screen_events {
    void (*key)(void *arg, enum leat_key key, char c);
    void (*redraw)(void *arg); /* another size, or back from a stop */
    void (*ended)(void *arg);  /* SIGINT, SIGTERM, SIGHUP, SIGQUIT, or the terminal is gone */
};

/* Whether there is a terminal on both sides that can be drawn on. */
bool leat_screen_usable(void);
/* NULL and `err`: the terminal cannot be set. At most one at a time. */
struct leat_screen *leat_screen_open(struct leat_loop *loop,
                                     const struct leat_screen_events *events, void *arg,
                                     struct leat_err *err);
void leat_screen_size(const struct leat_screen *s, unsigned *ret_width, unsigned *ret_height);
/* Shows these lines (ended by '\n', none wider than the screen) from the top; the rest is emptied.
 */
void leat_screen_draw(struct leat_screen *s, struct leat_bytes lines);
void leat_screen_close(struct leat_screen *s); /* takes NULL */

/* Keys out of what a terminal sends, a byte at a time; *state starts at 0. False: no key yet. */
bool leat_key_feed(int *state, uint8_t byte, enum leat_key *ret, char *ret_c);

#endif
