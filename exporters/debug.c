/* debug exporter: shows what passes, on the terminal.
 *
 * Source of keys and defaults: collector exporter/debugexporter. verbosity "pretty" is ours:
 * compact coloured lines for human eyes, used when Leat runs without a configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "flow/component.h"
#include "flow/sender.h"
#include "proto/otlp_text.h"

#define MAX_TEXT   ((size_t)64 * 1024 * 1024)
#define FEW_PIECES 64

enum { BASIC, NORMAL, DETAILED, PRETTY };
enum { LEVEL_DEBUG, LEVEL_INFO };
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const verbosities[] = {"basic", "normal", "detailed", "pretty", NULL};

struct debug_conf {
    int verbosity, loglevel;
    bool has_loglevel;
    uint32_t sampling_initial, sampling_thereafter;
    bool use_internal_logger;
    struct leat_strings output_paths;
    struct leat_sender_conf sender;
};

static const struct leat_field fields[] = {
    LEAT_ENUM(struct debug_conf, verbosity, "basic", verbosities,
              "basic: counts; normal: a line per record; detailed: every field; pretty: compact "
              "coloured lines."),
    LEAT_ENUM(struct debug_conf, loglevel, "info", levels,
              "the old key of 'logging': debug means verbosity detailed, info normal, others basic",
              .flags = LEAT_DEPRECATED, .alias = "logLevel",
              .present = LEAT_PRESENT(struct debug_conf, has_loglevel)),
    LEAT_UINT(struct debug_conf, sampling_initial, "2", "So many batches are shown each second, …"),
    LEAT_UINT(struct debug_conf, sampling_thereafter, "1",
              "… then every so manieth; 0: no more in that second."),
    LEAT_BOOL(struct debug_conf, use_internal_logger, "true",
              "Write to stderr among the program's own messages; off: to output_paths."),
    LEAT_STRINGS(struct debug_conf, output_paths, "stdout",
                 "Where to write without the internal logger: stdout, stderr or files."),
    LEAT_INLINE(struct debug_conf, sender, leat_sender_fields, struct leat_sender_conf,
                "Queue and retry.", .def = "sending_queue.enabled=false"),
    LEAT_END,
};

struct debug {
    const struct debug_conf *conf;
    const struct leat_env *env;
    FILE **outputs;
    uint32_t noutputs;
    int verbosity;
    bool colour;
    int64_t second; /* of the sampling */
    uint64_t seen;
};

/* What the old key meant. */
static int verbosity_of(const struct debug_conf *conf)
{
    if (!conf->has_loglevel)
        return conf->verbosity;
    return conf->loglevel == LEVEL_DEBUG ? DETAILED : conf->loglevel == LEVEL_INFO ? NORMAL : BASIC;
}

/* --- outputs */

static void close_outputs(struct debug *self)
{
    for (uint32_t i = 0; i < self->noutputs; i++) {
        if (self->outputs[i] != stdout && self->outputs[i] != stderr)
            fclose(self->outputs[i]);
    }
    leat_free(self->outputs);
    self->outputs = NULL;
    self->noutputs = 0;
}

static int add_output(struct debug *self, const char *path, struct leat_err *err)
{
    FILE *f = strcmp(path, "stdout") == 0   ? stdout
              : strcmp(path, "stderr") == 0 ? stderr
                                            : fopen(path, "ae");

    if (f == NULL)
        return leat_fail(err, "output_paths: cannot open %s for writing", path);
    self->outputs[self->noutputs++] = f;
    return 0;
}

static int open_outputs(struct debug *self, struct leat_err *err)
{
    const struct leat_strings *paths = &self->conf->output_paths;

    self->outputs = leat_new_array(paths->count + 1, sizeof(FILE *));
    if (self->verbosity == PRETTY)
        return add_output(self, "stdout", err);
    if (self->conf->use_internal_logger)
        return add_output(self, "stderr", err);
    for (uint32_t i = 0; i < paths->count; i++) {
        if (add_output(self, paths->items[i], err) < 0) {
            close_outputs(self);
            return -1;
        }
    }
    return 0;
}

static int debug_open(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct debug *self = self_;
    const char *no_colour = getenv("NO_COLOR");

    self->conf = env->conf;
    self->env = env;
    self->verbosity = verbosity_of(self->conf);
    self->colour = isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == '\0');
    return open_outputs(self, err);
}

/* --- showing */

static bool is_sampled(struct debug *self)
{
    int64_t second = leat_clock_mono() / LEAT_SEC;

    if (second != self->second) {
        self->second = second;
        self->seen = 0;
    }
    if (self->seen++ < self->conf->sampling_initial)
        return true;
    return self->conf->sampling_thereafter != 0 &&
           (self->seen - self->conf->sampling_initial) % self->conf->sampling_thereafter == 0;
}

/* Like a line of the program's log: time, level, component. */
static void add_prefix(const struct debug *self, struct leat_text *out)
{
    char text[LEAT_CLOCK_TEXT];

    leat_text_printf(out, "%s\tinfo\t%s\t", leat_clock_text(leat_clock_wall(), text),
                     self->env->id);
}

static void write_text(struct debug *self, const char *text, size_t len)
{
    for (uint32_t i = 0; i < self->noutputs; i++) {
        fwrite(text, 1, len, self->outputs[i]);
        fflush(self->outputs[i]);
    }
}

static void show(struct debug *self, enum leat_signal signal, const struct leat_bytes *pieces,
                 size_t n)
{
    static const char *const titles[] = {"Traces", "Metrics", "Logs"};
    struct leat_text text;
    char instead[64]; /* there may be no memory for a sentence either */

    leat_text_init(&text, MAX_TEXT);
    if (self->verbosity == PRETTY) {
        leat_otlp_text_pretty(signal, pieces, n, self->colour, &text);
    } else {
        if (self->conf->use_internal_logger)
            add_prefix(self, &text);
        leat_text_printf(&text, "%s\t", titles[signal]);
        leat_otlp_text_basic(signal, pieces, n, &text);
        if (text.len > 0 && text.data[text.len - 1] != '\n')
            leat_text_char(&text, '\n');
    }
    if (self->verbosity == NORMAL)
        leat_otlp_text_normal(signal, pieces, n, &text);
    if (self->verbosity == DETAILED)
        leat_otlp_text_detailed(signal, pieces, n, &text);
    if (!leat_text_ok(&text))
        write_text(self, instead,
                   (size_t)snprintf(instead, sizeof instead, "%s\ttoo much to show at once\n",
                                    titles[signal]));
    else if (text.len > 0)
        write_text(self, text.data, text.len);
    leat_text_done(&text);
}

static void debug_take(void *self_, struct leat_batch *batch)
{
    struct debug *self = self_;

    if (is_sampled(self)) {
        struct leat_bytes few[FEW_PIECES], *pieces = few;
        if (batch->nparts > FEW_PIECES)
            pieces = leat_try(batch->nparts * sizeof *pieces);
        if (pieces != NULL) {
            leat_batch_pieces(batch, pieces);
            show(self, batch->signal, pieces, batch->nparts);
        }
        if (pieces != few)
            leat_free(pieces);
    }
    leat_batch_done(batch, leat_delivered());
}

static void debug_close(void *self)
{
    close_outputs(self);
}

static const char *const aliases[] = {"logging", NULL};

const struct leat_component leat_exporter_debug = {
    .type = "debug",
    .aliases = aliases,
    .kind = LEAT_EXPORTER,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Shows what passes, on the terminal.",
    .fields = fields,
    .conf_size = sizeof(struct debug_conf),
    .self_size = sizeof(struct debug),
    .single = true,
    .sender = LEAT_SENDER(struct debug_conf, sender),
    .open = debug_open,
    .take = debug_take,
    .close = debug_close,
};
