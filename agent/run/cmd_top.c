/* leat top, leat status: what a running program is doing. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/loop.h"
#include "run/cli.h"
#include "run/screen.h"
#include "run/top_feed.h"
#include "run/top_find.h"
#include "run/top_table.h"

#define INTERVAL_NS  LEAT_SEC
#define PATIENCE_NS  (10 * LEAT_SEC) /* with a program that does not answer any more, */
#define PATIENCE_ASK 3               /* and at least so many intervals */
#define TABLE_BYTES  ((size_t)4 * 1024 * 1024)
#define FIXED_LINES  4 /* header, titles, the last line */

/* --- which program */

static void say_none(const struct leat_cli *cli, const struct leat_top_finds *f)
{
    char who[64] = "no running Leat";

    if (cli->pid != 0)
        snprintf(who, sizeof who, "no running Leat with pid %d", (int)cli->pid);
    fprintf(stderr,
            "leat top: found %s; looked in %s.\n"
            "It may run as another user, or with 'leat: {admin: none}' in its configuration; "
            "where leat.admin names\na path, --socket PATH finds it.\n",
            who, leat_text_get(&f->looked));
}

static void say_several(const struct leat_top_finds *f)
{
    fprintf(stderr, "leat top: %zu programs are running; choose one with --pid:\n", f->n);
    for (size_t i = 0; i < f->n; i++) {
        struct leat_err err;
        struct leat_report *r = leat_top_ask(f->items[i].path, 0, &err);
        fprintf(stderr, "%9d ", (int)f->items[i].pid);
        for (size_t k = 0; r != NULL && k < r->nconfig; k++)
            fprintf(stderr, " %s", r->config[k]);
        if (r == NULL || r->nconfig == 0)
            fprintf(stderr, " (%s)", r == NULL ? err.text : "runs without a configuration");
        fputc('\n', stderr);
        leat_report_free(r);
    }
}

/* The socket to ask; the caller frees it. NULL: it was said why not, *ret_code is the exit code. */
static char *choose(const struct leat_cli *cli, int *ret_code)
{
    struct leat_admin_dirs dirs;
    struct leat_top_finds finds;
    char *path = NULL;

    if (cli->socket != NULL)
        return leat_strdup(cli->socket);
    leat_admin_dirs_init(&dirs);
    leat_top_find(&finds, &dirs, cli->pid);
    *ret_code = LEAT_EXIT_FAILED;
    if (finds.n == 1) {
        path = leat_strdup(finds.items[0].path);
    } else if (finds.n == 0) {
        say_none(cli, &finds);
    } else {
        say_several(&finds);
        *ret_code = LEAT_EXIT_USAGE;
    }
    leat_top_finds_done(&finds);
    leat_admin_dirs_done(&dirs);
    return path;
}

/* --- once */

static int print_once(const char *path, const struct leat_top_view *view, int64_t interval,
                      bool json)
{
    struct leat_err err;
    struct leat_report *r = leat_top_ask(path, interval, &err);
    struct leat_text out;
    int result = LEAT_EXIT_OK;

    if (r == NULL) {
        fprintf(stderr, "leat top: %s\n", err.text);
        return LEAT_EXIT_FAILED;
    }
    leat_text_init(&out, json ? LEAT_REPORT_BYTES : TABLE_BYTES);
    if (json) {
        leat_report_write(r, &out);
    } else {
        leat_top_header(r, view, &out);
        leat_top_rows(r, view, &out);
    }
    if (!leat_text_ok(&out) || fwrite(leat_text_get(&out), 1, out.len, stdout) != out.len ||
        fflush(stdout) != 0) {
        fprintf(stderr, "leat top: cannot write: %s\n", strerror(errno));
        result = LEAT_EXIT_FAILED;
    }
    leat_text_done(&out);
    leat_report_free(r);
    return result;
}

/* --- live */

struct top {
    struct leat_loop *loop;
    struct leat_screen *screen;
    struct leat_top_feed *feed;
    struct leat_timer *timer;
    struct leat_top_view view;
    const char *path;
    int64_t interval, silent_since; /* monotonic ns; 0: it answers */
    struct leat_report *last;       /* NULL: none yet */
    struct leat_err why;            /* of its silence */
    bool paused, given_up;
};

static void put_last_line(struct top *t, struct leat_text *out)
{
    struct leat_text line;

    leat_text_init(&line, 2048);
    if (t->silent_since != 0)
        leat_text_printf(&line, "no answer: %s; trying again", t->why.text);
    else if (t->paused)
        leat_text_str(&line, "paused: space goes on   q quits");
    else
        leat_text_str(&line, "q quits   < > sort   r reverses   space pauses");
    leat_top_cut(leat_text_bytes(&line), t->view.width, out);
    leat_text_done(&line);
}

static void draw(void *arg)
{
    struct top *t = arg;
    struct leat_text out;
    unsigned height;

    leat_screen_size(t->screen, &t->view.width, &height);
    t->view.height = height > FIXED_LINES ? height - FIXED_LINES : 1;
    leat_text_init(&out, TABLE_BYTES);
    if (t->last != NULL) {
        leat_top_header(t->last, &t->view, &out);
        leat_top_rows(t->last, &t->view, &out);
    }
    put_last_line(t, &out);
    if (leat_text_ok(&out))
        leat_screen_draw(t->screen, leat_text_bytes(&out));
    leat_text_done(&out);
}

static void end(void *arg)
{
    struct top *t = arg;

    leat_loop_stop(t->loop);
}

/* It has gone: what was seen last stays, until nobody believes in its return any more. */
static void note_silence(struct top *t, const char *why)
{
    int64_t now = leat_clock_mono(), patience = PATIENCE_ASK * t->interval;

    patience = patience > PATIENCE_NS ? patience : PATIENCE_NS;
    leat_fail(&t->why, "%s", why);
    if (t->silent_since == 0)
        t->silent_since = now;
    if (t->last == NULL || now - t->silent_since > patience) {
        t->given_up = true;
        end(t);
    }
}

static void told(void *arg, struct leat_report *r, const char *why)
{
    struct top *t = arg;

    if (r == NULL) {
        note_silence(t, why);
    } else {
        if (t->last != NULL)
            leat_report_rate(r, t->last);
        t->silent_since = 0;
        leat_report_free(t->last);
        t->last = r;
    }
    draw(t);
}

static void tick(void *arg)
{
    struct top *t = arg;

    if (!t->paused)
        leat_top_feed_ask(t->feed);
}

static void key(void *arg, enum leat_key key, char c)
{
    struct top *t = arg;
    int step = 0;

    if (key == LEAT_KEY_LEFT || (key == LEAT_KEY_CHAR && c == '<'))
        step = -1;
    else if (key == LEAT_KEY_RIGHT || (key == LEAT_KEY_CHAR && c == '>'))
        step = 1;
    else if (c == 'q' || c == 'Q')
        end(t);
    else if (c == 'r')
        t->view.reverse = !t->view.reverse;
    else if (c == ' ')
        t->paused = !t->paused;
    else
        return;
    if (step != 0 && t->last != NULL)
        t->view.sort = leat_top_column_next(t->last, &t->view, step);
    draw(t);
}

static int watch(struct top *t, struct leat_err *err)
{
    static const struct leat_screen_events events = {.key = key, .redraw = draw, .ended = end};

    t->feed = leat_top_feed_new(t->loop, t->path, told, t, err);
    if (t->feed == NULL)
        return -1;
    t->screen = leat_screen_open(t->loop, &events, t, err);
    if (t->screen == NULL)
        return -1;
    t->timer = leat_timer_new(t->loop, tick, t);
    leat_timer_start(t->timer, 0, t->interval);
    leat_loop_run(t->loop);
    if (t->given_up)
        return leat_fail(err, "%s does not answer: %s", t->path, t->why.text);
    return 0;
}

static int run_live(const char *path, const struct leat_top_view *view, int64_t interval)
{
    struct top t = {.path = path, .view = *view, .interval = interval};
    struct leat_err err;
    int result = -1;

    t.loop = leat_loop_new(&err);
    if (t.loop != NULL) {
        result = watch(&t, &err);
        leat_screen_close(t.screen);
        leat_timer_free(t.timer);
        leat_top_feed_free(t.feed);
        leat_loop_free(t.loop);
    }
    leat_report_free(t.last);
    if (result < 0)
        fprintf(stderr, "leat top: %s\n", err.text);
    return result < 0 ? LEAT_EXIT_FAILED : LEAT_EXIT_OK;
}

/* --- the commands */

static int bad_sort(const char *name)
{
    struct leat_text names;

    leat_text_init(&names, 1024);
    leat_top_column_names(&names);
    fprintf(stderr, "leat top: --sort is one of %s, not '%s'\n", leat_text_get(&names), name);
    leat_text_done(&names);
    return LEAT_EXIT_USAGE;
}

static int refuse(const char *why)
{
    fprintf(stderr, "leat top: %s\n", why);
    return LEAT_EXIT_USAGE;
}

int leat_cmd_top(const struct leat_cli *cli)
{
    int64_t interval = cli->interval >= 0 ? cli->interval : INTERVAL_NS;
    bool json = strcmp(cli->output, "json") == 0;
    int sort = cli->sort != NULL ? leat_top_column_find(cli->sort) : LEAT_TOP_KIND;
    struct leat_top_view view = {.sort = (enum leat_top_column)sort};
    int code;
    char *path;

    if (sort < 0)
        return bad_sort(cli->sort);
    if (!cli->once && json)
        return refuse("--output json is for --once");
    if (!cli->once && !leat_screen_usable())
        return refuse("this is no terminal to draw on: use 'leat top --once', or 'leat top --once "
                      "--output json' in scripts");
    if (!cli->once && interval == 0)
        return refuse("--interval 0 is for --once");
    signal(SIGPIPE, SIG_IGN);
    path = choose(cli, &code);
    if (path == NULL)
        return code;
    view.totals = interval == 0;
    view.colour = !cli->once && leat_cli_colour(stdout);
    code = cli->once ? print_once(path, &view, interval, json) : run_live(path, &view, interval);
    leat_free(path);
    return code;
}

int leat_cmd_status(const struct leat_cli *cli)
{
    struct leat_cli once = *cli;

    once.once = 1;
    return leat_cmd_top(&once);
}
