/* file exporter: OTLP requests in a file, as JSON lines or length-prefixed messages, with rotation.
 *
 * Source of keys, defaults and format: contrib exporter/fileexporter. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "exporters/file_entry.h"
#include "exporters/file_group.h"
#include "exporters/file_out.h"
#include "exporters/file_path.h"
#include "flow/component.h"
#include "flow/sender.h"
#include "io/codec.h"
#include "io/file.h"
#include "proto/otlp_json.h"

#define MAX_TEXT     ((size_t)512 * 1024 * 1024)
#define RETRY_MS     1000
#define LENGTH_BYTES 4

enum { FORMAT_JSON, FORMAT_PROTO };
static const char *const formats[] = {"json", "proto", NULL};

struct file_conf {
    const char *path;
    bool has_rotation;
    struct leat_file_out_rotation rotation;
    int format;
    const char *compression;
    bool append;
    int64_t flush_interval;
    bool create_directory;
    const char *directory_permissions, *encoding;
    struct compression_conf {
        int64_t level;
    } compression_params;
    struct group_by_conf {
        bool enabled;
        const char *resource_attribute;
        uint32_t max_open_files;
    } group_by;
    struct leat_sender_conf sender;
};

static const struct leat_field rotation_fields[] = {
    LEAT_UINT(struct leat_file_out_rotation, max_megabytes, "100",
              "A new file is begun when this size would be passed.", .min = 1, .max = 1e9,
              .unit = "MiB"),
    LEAT_UINT(struct leat_file_out_rotation, max_days, "0", "Older files are removed; 0: never.",
              .max = 100000),
    LEAT_UINT(struct leat_file_out_rotation, max_backups, "100",
              "So many files are kept beside the current one; 0: all."),
    LEAT_BOOL(struct leat_file_out_rotation, localtime, "false",
              "Names of old files carry local time instead of UTC."),
    LEAT_END,
};

static const struct leat_field group_by_fields[] = {
    LEAT_BOOL(struct group_by_conf, enabled, "false", "A file per value of a resource attribute."),
    LEAT_STRING(struct group_by_conf, resource_attribute, "fileexporter.path_segment",
                "Its value stands for the '*' in the path; resources without it are rejected."),
    LEAT_UINT(struct group_by_conf, max_open_files, "100",
              "The least recently used file is closed when there are more.", .min = 1, .max = 1e6),
    LEAT_END,
};

static const struct leat_field compression_fields[] = {
    LEAT_INT(struct compression_conf, level, "0", "Level of zstd; 0: its default."),
    LEAT_END,
};

static const struct leat_field fields[] = {
    LEAT_STRING(struct file_conf, path, NULL, "The file; with group_by a pattern with one '*'.",
                .flags = LEAT_REQUIRED),
    LEAT_GROUP(struct file_conf, rotation, rotation_fields, struct leat_file_out_rotation,
               "When a new file is begun; on when this key is there.",
               .present = LEAT_PRESENT(struct file_conf, has_rotation)),
    LEAT_ENUM(struct file_conf, format, "json", formats,
              "json: one request per line; proto: messages with a 4-byte big-endian length."),
    LEAT_STRING(struct file_conf, compression, NULL,
                "zstd: each message is compressed, and has a length before it."),
    LEAT_GROUP(struct file_conf, compression_params, compression_fields, struct compression_conf,
               "Tuning of the compression."),
    LEAT_BOOL(struct file_conf, create_directory, "false",
              "Makes the folders of the path that are missing."),
    LEAT_STRING(struct file_conf, directory_permissions, "0755",
                "Permissions of the folders that are made, in octal."),
    LEAT_STRING(struct file_conf, encoding, NULL, "Not supported: refused when set."),
    LEAT_BOOL(struct file_conf, append, "false", "Go on at the end of an existing file."),
    LEAT_DURATION(struct file_conf, flush_interval, "1s",
                  "Accepted; Leat hands every request to the system at once.", .min = 0,
                  .max = 86400e9),
    LEAT_GROUP(struct file_conf, group_by, group_by_fields, struct group_by_conf,
               "A file per value of a resource attribute."),
    LEAT_INLINE(struct file_conf, sender, leat_sender_fields, struct leat_sender_conf,
                "Queue and retry.", .def = "sending_queue.enabled=false"),
    LEAT_END,
};

struct file_exporter {
    const struct file_conf *conf;
    const struct leat_env *env;
    struct leat_file_out *out;     /* NULL: `group` */
    struct leat_file_group *group; /* one file per value of an attribute */
    struct leat_link waiting;      /* jobs with records to begin, in the order they came in */
    struct leat_link running;      /* jobs whose records are all begun */
    bool advancing;
    bool compress;
    int level;
    void (*drained)(void *house);
    void *house;
};

/* One batch being written. It is over when every record is. */
struct job {
    struct leat_link link;
    struct file_exporter *owner; /* NULL: closed, the batch was ended without us */
    struct leat_batch *batch;
    struct leat_file_entry *entries; /* by segment, then by place; one file: NULL */
    struct leat_bytes *pieces;
    uint32_t next, count; /* of pieces: those before `next` are in records */
    uint32_t writing;     /* records */
    uint32_t rejected;    /* items without a file */
    bool failed;
    char why[512];
};

/* What goes into one file in one write. */
struct record {
    struct leat_file_write write;
    struct job *job;
    struct leat_file_out *out;
    struct leat_text text;
    struct leat_buf *packed; /* NULL: `text` is written */
};

static void check_more(const struct file_conf *conf, struct leat_check *c)
{
    struct leat_err err;

    if (conf->encoding != NULL && conf->encoding[0] != '\0')
        leat_check_error(c, "encoding",
                         "Leat has no encoding extensions: remove 'encoding' and set format to "
                         "json or proto");
    if (leat_file_mode(conf->directory_permissions) < 0)
        leat_check_error(c, "directory_permissions", "must be permissions in octal, like 0755");
    else if (leat_check_written(c, "directory_permissions") && !conf->create_directory)
        leat_check_error(c, "directory_permissions", "needs 'create_directory: true' beside it");
    if (conf->compression_params.level != 0 &&
        (conf->compression_params.level > INT32_MAX || conf->compression_params.level < INT32_MIN ||
         leat_codec_level_check(LEAT_CODEC_ZSTD, (int)conf->compression_params.level, &err) != 0))
        leat_check_error(c, "compression_params.level", "is no level of zstd");
}

static void check_group(const struct file_conf *conf, struct leat_check *c)
{
    const char *path = conf->path != NULL ? conf->path : "", *star = strchr(path, '*');
    size_t tail = star != NULL ? (size_t)(star - path) : 0;

    if (star == NULL || strchr(star + 1, '*') != NULL)
        leat_check_error(c, "path",
                         "must have exactly one '*' with group_by: there the value of "
                         "'resource_attribute' goes in");
    else if (star == path)
        leat_check_error(c, "path",
                         "must not begin with '*' with group_by: name a folder before "
                         "it, like ./out/*.json");
    else if ((tail == 2 || (tail > 2 && path[tail - 3] == '/')) && strncmp(star - 2, "..", 2) == 0)
        leat_check_error(c, "path", "must not have '..' right before the '*'");
    if (conf->group_by.resource_attribute == NULL || conf->group_by.resource_attribute[0] == '\0')
        leat_check_error(c, "group_by.resource_attribute", "must name an attribute");
    if (conf->has_rotation)
        leat_check_warn(c, "rotation", "has no effect with group_by: its files are not rotated");
}

static void check(const void *conf_, struct leat_check *c)
{
    const struct file_conf *conf = conf_;

    check_more(conf, c);

    if (conf->compression != NULL && conf->compression[0] != '\0' &&
        strcmp(conf->compression, "zstd") != 0)
        leat_check_error(c, "compression", "'%s' is not known here: zstd, or nothing",
                         conf->compression);
    if (conf->group_by.enabled)
        check_group(conf, c);
    if (conf->append && conf->compression != NULL && conf->compression[0] != '\0')
        leat_check_error(c, "append", "cannot be used together with compression");
}

/* --- writing */

static void check_drained(struct file_exporter *e)
{
    void (*drained)(void *house) = e->drained;

    if (drained == NULL || !leat_list_empty(&e->waiting) || !leat_list_empty(&e->running))
        return;
    e->drained = NULL;
    drained(e->house);
}

static void put_length(struct leat_text *text, size_t len)
{
    uint8_t be[LENGTH_BYTES] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                                (uint8_t)len};

    leat_text_add(text, be, sizeof be);
}

/* The message without what stands around it. */
static void encode(const struct file_exporter *e, enum leat_signal signal,
                   const struct leat_bytes *pieces, uint32_t n, struct leat_text *out)
{
    if (e->conf->format == FORMAT_JSON) {
        leat_otlp_to_json(signal, pieces, n, out);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        leat_text_add(out, pieces[i].data, pieces[i].len);
}

/* JSON uncompressed: a line. Everything else: length and message. */
static int frame(const struct file_exporter *e, struct record *r)
{
    struct leat_text message = r->text;
    struct leat_bytes plain = leat_text_bytes(&message);
    struct leat_err err;

    if (e->conf->format == FORMAT_JSON && !e->compress) {
        leat_text_char(&r->text, '\n');
        return leat_text_ok(&r->text) ? 0 : -1;
    }
    leat_text_init(&r->text, MAX_TEXT);
    if (e->compress) {
        if (leat_deflate(e->env->codecs, LEAT_CODEC_ZSTD, e->level, &plain, 1, e->env->scratch,
                         &r->packed, &err) != LEAT_CODEC_OK) {
            leat_text_done(&message);
            return -1;
        }
        plain = leat_bytes(r->packed->data, r->packed->len);
    }
    put_length(&r->text, plain.len);
    leat_text_add(&r->text, plain.data, plain.len);
    leat_text_done(&message);
    return leat_text_ok(&r->text) ? 0 : -1;
}

static void record_free(struct record *r)
{
    leat_text_done(&r->text);
    leat_buf_unref(r->packed);
    leat_free(r);
}

static struct record *record_new(const struct file_exporter *e, enum leat_signal signal,
                                 const struct leat_bytes *pieces, uint32_t n)
{
    struct record *r = leat_try_zeroed(sizeof *r);

    if (r == NULL)
        return NULL;
    leat_text_init(&r->text, MAX_TEXT);
    encode(e, signal, pieces, n, &r->text);
    if (leat_text_ok(&r->text) && frame(e, r) == 0)
        return r;
    record_free(r);
    return NULL;
}

static void job_free(struct job *j)
{
    leat_free(j->entries);
    leat_free(j->pieces);
    leat_free(j);
}

/* Nothing more of this batch is written; what is under way goes on. */
static void job_fail(struct job *j, const char *why)
{
    if (!j->failed)
        snprintf(j->why, sizeof j->why, "%s", why);
    j->failed = true;
    j->next = j->count;
}

static void job_done(struct job *j)
{
    struct leat_status st = leat_delivered();

    leat_list_remove(&j->link);
    if (j->failed) {
        st = leat_retry(14, RETRY_MS, j->why);
    } else if (j->rejected != 0) {
        st.rejected = j->rejected;
        st.code = 3;
        if (j->why[0] == '\0')
            snprintf(j->why, sizeof j->why, "the resource has no string attribute '%.200s'",
                     j->owner->conf->group_by.resource_attribute);
        st.why = j->why;
    }
    leat_batch_done(j->batch, st);
    job_free(j);
}

static void advance(void *self);

static void written(struct leat_file_write *w, int result)
{
    struct record *r = LEAT_OWNER(w, struct record, write);
    struct job *j = r->job;
    struct file_exporter *e = j->owner;
    char why[512];

    leat_file_out_written(r->out);
    if (result < 0) {
        snprintf(why, sizeof why, "cannot write to %.300s: %s", r->out->path, strerror(-result));
        job_fail(j, why);
    }
    record_free(r);
    j->writing--;
    if (e == NULL && j->writing == 0)
        job_free(j);
    if (e == NULL)
        return;
    e->advancing = true; /* what comes in by the end of the batch is begun below, not inside */
    if (j->next == j->count && j->writing == 0)
        job_done(j);
    e->advancing = false;
    advance(e);
}

/* How many pieces from `next` on go into the same file. */
static uint32_t run_of(const struct job *j)
{
    uint32_t n = 1;

    if (j->entries == NULL)
        return j->count;
    while (j->next + n < j->count &&
           leat_bytes_eq(j->entries[j->next].segment, j->entries[j->next + n].segment))
        n++;
    return n;
}

/* As leat_file_group_get(). */
static int find_out(struct file_exporter *e, const struct job *j, struct leat_file_out **ret,
                    struct leat_err *err)
{
    char *path;
    int found;

    *ret = e->out;
    if (e->group == NULL)
        return 1;
    path = leat_file_path(e->conf->path, j->entries[j->next].segment, err);
    found = path != NULL ? leat_file_group_get(e->group, path, ret, err) : -1;
    leat_free(path);
    return found;
}

/* Writes the next record. false: it has to wait for a file. */
static bool job_step(struct file_exporter *e, struct job *j)
{
    uint32_t n = run_of(j);
    struct leat_file_out *out;
    struct leat_err err;
    struct record *r;
    int found = find_out(e, j, &out, &err);

    if (found == 0)
        return false;
    if (found < 0) {
        job_fail(j, err.text);
        return true;
    }
    r = record_new(e, j->batch->signal, j->pieces + j->next, n);
    if (r == NULL) {
        job_fail(j, "no memory to write with");
        return true;
    }
    r->job = j;
    r->out = out;
    r->write.bytes = leat_text_bytes(&r->text);
    r->write.done = written;
    j->next += n;
    j->writing++;
    leat_file_out_write(out, &r->write);
    return true;
}

/* Begins what can be begun, in order. The end of a batch may bring the next one in: it is begun
 * here too, not further down the stack. */
static void advance(void *self)
{
    struct file_exporter *e = self;

    if (e->advancing)
        return;
    e->advancing = true;
    while (!leat_list_empty(&e->waiting)) {
        struct job *j = LEAT_OWNER(e->waiting.next, struct job, link);

        while (j->next < j->count && job_step(e, j))
            ;
        if (j->next < j->count)
            break;
        leat_list_remove(&j->link);
        leat_list_append(&e->running, &j->link);
        if (j->writing == 0)
            job_done(j);
    }
    e->advancing = false;
    check_drained(e);
}

/* --- taking */

static bool has_name(const struct file_exporter *e, struct leat_bytes segment, struct leat_err *err)
{
    char *path = leat_file_path(e->conf->path, segment, err);

    leat_free(path);
    return path != NULL;
}

/* Takes out what no file can be named after: it never will, so its records are rejected. False: no
 * memory to tell. */
static bool drop_nameless(const struct file_exporter *e, struct job *j)
{
    struct leat_file_entry *kept = j->entries;
    struct leat_bytes last = {NULL, 0};
    struct leat_err err;
    bool named = false, no_memory = false;

    for (uint32_t i = 0; i < j->count; i++) {
        const struct leat_file_entry *at = &j->entries[i];

        if (i == 0 || !leat_bytes_eq(last, at->segment)) {
            named = has_name(e, at->segment, &err);
            no_memory = !named && errno == ENOMEM;
        }
        last = at->segment;
        if (named) {
            *kept++ = *at;
            continue;
        }
        if (no_memory)
            return false;
        j->rejected += leat_file_entry_items(j->batch, at);
        snprintf(j->why, sizeof j->why, "%s", err.text);
    }
    j->count = (uint32_t)(kept - j->entries);
    return true;
}

/* NULL: no memory. */
static struct job *job_new(struct file_exporter *e, struct leat_batch *batch)
{
    uint32_t n = e->group != NULL ? leat_file_entries_count(batch) : batch->nparts;
    struct job *j = leat_try_zeroed(sizeof *j);

    if (j == NULL)
        return NULL;
    j->owner = e;
    j->batch = batch;
    j->pieces = leat_try((n + 1) * sizeof *j->pieces);
    if (e->group != NULL)
        j->entries = leat_try((n + 1) * sizeof *j->entries);
    if (j->pieces == NULL || (e->group != NULL && j->entries == NULL)) {
        job_free(j);
        return NULL;
    }
    if (e->group != NULL) {
        j->count = leat_file_entries_sort(batch, e->conf->group_by.resource_attribute, j->entries,
                                          &j->rejected);
        if (!drop_nameless(e, j)) {
            job_free(j);
            return NULL;
        }
        for (uint32_t i = 0; i < j->count; i++)
            j->pieces[i] = j->entries[i].bytes;
    } else {
        leat_batch_pieces(batch, j->pieces);
        j->count = n;
    }
    return j;
}

static void file_take(void *self, struct leat_batch *batch)
{
    struct file_exporter *e = self;
    struct job *j = job_new(e, batch);

    if (j == NULL) {
        leat_batch_done(batch, leat_retry(14, RETRY_MS, "no memory to write with"));
        return;
    }
    leat_list_append(&e->waiting, &j->link);
    advance(e);
}

/* --- life */

static int file_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    struct file_exporter *e = self;
    const struct file_conf *conf = env->conf;
    mode_t mode = (mode_t)leat_file_mode(conf->directory_permissions);

    e->conf = conf;
    e->env = env;
    leat_list_init(&e->waiting);
    leat_list_init(&e->running);
    e->compress = conf->compression != NULL && conf->compression[0] != '\0';
    e->level = conf->compression_params.level != 0 ? (int)conf->compression_params.level
                                                   : LEAT_LEVEL_DEFAULT;
    if (conf->group_by.enabled) {
        e->group = leat_file_group_new(env, conf->group_by.max_open_files, !conf->append, mode,
                                       advance, e);
        return 0;
    }
    if (conf->create_directory && leat_file_folders(conf->path, mode, err) < 0)
        return -1;
    e->out = leat_file_out_open(env, conf->path, conf->has_rotation ? &conf->rotation : NULL,
                                !conf->append && !conf->has_rotation, err);
    return e->out != NULL ? 0 : -1;
}

static void file_drain(void *self, void (*drained)(void *house), void *house)
{
    struct file_exporter *e = self;

    e->drained = drained;
    e->house = house;
    check_drained(e);
}

static void give_back(struct leat_link *jobs)
{
    struct leat_link *l;

    while ((l = leat_list_pop(jobs)) != NULL) {
        struct job *j = LEAT_OWNER(l, struct job, link);
        j->owner = NULL; /* its records are its own until they are written */
        leat_batch_done(j->batch, leat_retry(14, RETRY_MS, "shutting down"));
        if (j->writing == 0)
            job_free(j);
    }
}

static void file_close(void *self)
{
    struct file_exporter *e = self;

    e->drained = NULL;
    give_back(&e->running);
    give_back(&e->waiting);
    leat_file_group_free(e->group);
    leat_file_out_close(e->out, NULL);
}

const struct leat_component leat_exporter_file = {
    .type = "file",
    .kind = LEAT_EXPORTER,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Writes OTLP requests into a file, with rotation.",
    .fields = fields,
    .conf_size = sizeof(struct file_conf),
    .self_size = sizeof(struct file_exporter),
    .single = true,
    .sender = LEAT_SENDER(struct file_conf, sender),
    .check = check,
    .open = file_open,
    .take = file_take,
    .drain = file_drain,
    .close = file_close,
};
