/* file exporter: OTLP requests in a file, as JSON lines or length-prefixed messages, with rotation.
 *
 * Source of keys, defaults and format: contrib exporter/fileexporter. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
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

struct rotation_conf {
    uint32_t max_megabytes, max_days, max_backups;
    bool localtime;
};

struct file_conf {
    const char *path;
    bool has_rotation;
    struct rotation_conf rotation;
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
    } group_by;
    struct leat_sender_conf sender;
};

static const struct leat_field rotation_fields[] = {
    LEAT_UINT(struct rotation_conf, max_megabytes, "100",
              "A new file is begun when this size would be passed.", .min = 1, .max = 1e9,
              .unit = "MiB"),
    LEAT_UINT(struct rotation_conf, max_days, "0", "Older files are removed; 0: never.",
              .max = 100000),
    LEAT_UINT(struct rotation_conf, max_backups, "100",
              "So many files are kept beside the current one; 0: all."),
    LEAT_BOOL(struct rotation_conf, localtime, "false",
              "Names of old files carry local time instead of UTC."),
    LEAT_END,
};

static const struct leat_field group_by_fields[] = {
    LEAT_BOOL(struct group_by_conf, enabled, "false", "A file per value of a resource attribute."),
    LEAT_NO_EFFECT("resource_attribute", "group_by is not supported"),
    LEAT_NO_EFFECT("max_open_files", "group_by is not supported"),
    LEAT_END,
};

static const struct leat_field compression_fields[] = {
    LEAT_INT(struct compression_conf, level, "0", "Level of zstd; 0: its default."),
    LEAT_END,
};

static const struct leat_field fields[] = {
    LEAT_STRING(struct file_conf, path, NULL, "The file.", .flags = LEAT_REQUIRED),
    LEAT_GROUP(struct file_conf, rotation, rotation_fields, struct rotation_conf,
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
    struct leat_file *file;
    struct leat_link records; /* being written */
    uint64_t size;            /* with what is queued */
    bool compress;
    int level;
    void (*drained)(void *house);
    void *house;
};

/* One request being written. */
struct record {
    struct leat_file_write write;
    struct leat_link link;
    struct file_exporter *owner; /* NULL: closed, the batch was ended without us */
    struct leat_batch *batch;
    struct leat_text text;
    struct leat_buf *packed; /* NULL: `text` is written */
};

/* "0755"; -1: no permissions. */
static long permissions(const char *text)
{
    char *end;
    long mode = strtol(text, &end, 8);

    return text[0] >= '0' && text[0] <= '7' && *end == '\0' && mode <= 0777 ? mode : -1;
}

static void check_more(const struct file_conf *conf, struct leat_check *c)
{
    struct leat_err err;

    if (conf->encoding != NULL && conf->encoding[0] != '\0')
        leat_check_error(c, "encoding",
                         "Leat has no encoding extensions: remove 'encoding' and set format to "
                         "json or proto");
    if (permissions(conf->directory_permissions) < 0)
        leat_check_error(c, "directory_permissions", "must be permissions in octal, like 0755");
    else if (leat_check_written(c, "directory_permissions") && !conf->create_directory)
        leat_check_error(c, "directory_permissions", "needs 'create_directory: true' beside it");
    if (conf->compression_params.level != 0 &&
        (conf->compression_params.level > INT32_MAX || conf->compression_params.level < INT32_MIN ||
         leat_codec_level_check(LEAT_CODEC_ZSTD, (int)conf->compression_params.level, &err) != 0))
        leat_check_error(c, "compression_params.level", "is no level of zstd");
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
        leat_check_error(c, "group_by.enabled",
                         "Leat writes one file per exporter: use one exporter per file");
    if (conf->append && conf->compression != NULL && conf->compression[0] != '\0')
        leat_check_error(c, "append", "cannot be used together with compression");
}

/* --- rotation: like lumberjack, name-2006-01-02T15-04-05.000.ext beside the file */

/* Splits "dir/name.ext"; *ret_dir_len with the slash, *ret_stem_len without the extension. */
static void split_path(const char *path, size_t *ret_dir_len, size_t *ret_stem_len)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');

    *ret_dir_len = slash ? (size_t)(slash - path) + 1 : 0;
    *ret_stem_len = dot != NULL && dot > path + *ret_dir_len ? (size_t)(dot - path) : strlen(path);
}

static void backup_name(const struct file_exporter *e, char *out, size_t size)
{
    int64_t now = leat_clock_wall();
    time_t seconds = (time_t)(now / LEAT_SEC);
    struct tm tm;
    char stamp[32];
    size_t dir, stem;

    split_path(e->conf->path, &dir, &stem);
    if (e->conf->rotation.localtime)
        localtime_r(&seconds, &tm);
    else
        gmtime_r(&seconds, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H-%M-%S", &tm);
    snprintf(out, size, "%.*s-%s.%03d%s", (int)stem, e->conf->path, stamp,
             (int)(now / LEAT_MS % 1000), e->conf->path + stem);
}

struct backups {
    char **names;
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a); /* newest first: the stamp sorts */
}

static bool is_backup(const char *name, const char *path, size_t dir, size_t stem)
{
    size_t len = stem - dir, ext = strlen(path + stem), n = strlen(name);

    return n == len + 1 + strlen("2006-01-02T15-04-05.000") + ext &&
           strncmp(name, path + dir, len) == 0 && name[len] == '-' && name[len + 11] == 'T' &&
           strcmp(name + n - ext, path + stem) == 0;
}

static struct backups list_backups(const char *path)
{
    struct backups found = {0};
    size_t dir, stem;
    struct dirent *d;
    char *folder;
    DIR *at;

    split_path(path, &dir, &stem);
    folder = dir ? leat_strndup(path, dir) : leat_strdup(".");
    at = opendir(folder);
    while (at != NULL && (d = readdir(at)) != NULL) {
        if (!is_backup(d->d_name, path, dir, stem))
            continue;
        found.names = leat_renew(found.names, (found.count + 1) * sizeof(char *));
        found.names[found.count++] = leat_format("%.*s%s", (int)dir, path, d->d_name);
    }
    if (at != NULL)
        closedir(at);
    leat_free(folder);
    if (found.count > 1)
        qsort(found.names, found.count, sizeof(char *), by_name);
    return found;
}

/* The day in a backup's name is older than max_days. */
static bool is_old(const struct file_exporter *e, const char *name)
{
    struct tm tm = {0};
    size_t dir, stem;

    if (e->conf->rotation.max_days == 0)
        return false;
    split_path(e->conf->path, &dir, &stem);
    if (strptime(name + stem + 1, "%Y-%m-%dT%H-%M-%S", &tm) == NULL)
        return false;
    return (int64_t)(e->conf->rotation.localtime ? mktime(&tm) : timegm(&tm)) <
           leat_clock_wall() / LEAT_SEC - (int64_t)e->conf->rotation.max_days * 86400;
}

static void remove_old(const struct file_exporter *e)
{
    struct backups found = list_backups(e->conf->path);

    for (size_t i = 0; i < found.count; i++) {
        bool many = e->conf->rotation.max_backups != 0 && i >= e->conf->rotation.max_backups;
        if ((many || is_old(e, found.names[i])) && unlink(found.names[i]) != 0)
            leat_warn(e->env->id, "cannot remove the old file %s", found.names[i]);
        leat_free(found.names[i]);
    }
    leat_free(found.names);
}

static void rotated(void *arg, int result)
{
    struct file_exporter *e = arg;

    if (result < 0)
        leat_error(e->env->id, "cannot begin a new file beside %s: %s", e->conf->path,
                   strerror(-result));
    else
        remove_old(e);
}

static void rotate_if_full(struct file_exporter *e, size_t more)
{
    char name[4096];

    if (!e->conf->has_rotation || e->size == 0 ||
        e->size + more <= (uint64_t)e->conf->rotation.max_megabytes << 20)
        return;
    backup_name(e, name, sizeof name);
    leat_file_rotate(e->file, name, rotated, e);
    e->size = 0;
}

/* --- writing */

static void check_drained(struct file_exporter *e)
{
    void (*drained)(void *house) = e->drained;

    if (drained == NULL || !leat_list_empty(&e->records))
        return;
    e->drained = NULL;
    drained(e->house);
}

static void record_free(struct record *r)
{
    leat_text_done(&r->text);
    leat_buf_unref(r->packed);
    leat_free(r);
}

static void written(struct leat_file_write *w, int result)
{
    struct record *r = LEAT_OWNER(w, struct record, write);
    struct file_exporter *e = r->owner;
    struct leat_batch *batch = r->batch;
    char why[512];

    leat_list_remove(&r->link);
    record_free(r);
    if (e == NULL)
        return;
    if (result < 0) {
        snprintf(why, sizeof why, "cannot write to %.300s: %s", e->conf->path, strerror(-result));
        leat_batch_done(batch, leat_retry(14, RETRY_MS, why));
    } else {
        leat_batch_done(batch, leat_delivered());
    }
    check_drained(e);
}

static void put_length(struct leat_text *text, size_t len)
{
    uint8_t be[LENGTH_BYTES] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                                (uint8_t)len};

    leat_text_add(text, be, sizeof be);
}

/* The message without what stands around it. */
static void encode(const struct file_exporter *e, const struct leat_batch *b,
                   const struct leat_bytes *pieces, struct leat_text *out)
{
    if (e->conf->format == FORMAT_JSON) {
        leat_otlp_to_json(b->signal, pieces, b->nparts, out);
        return;
    }
    for (uint32_t i = 0; i < b->nparts; i++)
        leat_text_add(out, pieces[i].data, pieces[i].len);
}

/* JSON uncompressed: a line. Everything else: length and message. */
static int frame(struct file_exporter *e, struct record *r)
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

static struct record *record_new(struct file_exporter *e, struct leat_batch *b)
{
    struct record *r = leat_try_zeroed(sizeof *r);
    struct leat_bytes *pieces = leat_try(b->nparts * sizeof *pieces);
    int ok = -1;

    if (r != NULL && pieces != NULL) {
        leat_text_init(&r->text, MAX_TEXT);
        leat_batch_pieces(b, pieces);
        encode(e, b, pieces, &r->text);
        ok = leat_text_ok(&r->text) ? frame(e, r) : -1;
    }
    leat_free(pieces);
    if (ok < 0 && r != NULL)
        record_free(r);
    return ok < 0 ? NULL : r;
}

static void file_take(void *self, struct leat_batch *batch)
{
    struct file_exporter *e = self;
    struct record *r = record_new(e, batch);

    if (r == NULL) {
        leat_batch_done(batch, leat_retry(14, RETRY_MS, "no memory to write with"));
        return;
    }
    r->owner = e;
    r->batch = batch;
    r->write.bytes = leat_text_bytes(&r->text);
    r->write.done = written;
    rotate_if_full(e, r->write.bytes.len);
    e->size += r->write.bytes.len;
    leat_list_append(&e->records, &r->link);
    leat_file_write(e->file, &r->write);
}

/* --- life */

/* The folders that `path` stands in, from the top. */
static int make_folders(const struct file_conf *conf, struct leat_err *err)
{
    char *path = leat_strdup(conf->path);
    mode_t mode = (mode_t)permissions(conf->directory_permissions);
    int result = 0;

    for (char *slash = strchr(path + 1, '/'); slash != NULL && result == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, mode) != 0 && errno != EEXIST)
            result = leat_fail(err, "cannot make the folder %s: %s", path, strerror(errno));
        *slash = '/';
    }
    leat_free(path);
    return result;
}

static int file_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    struct file_exporter *e = self;
    const struct file_conf *conf = env->conf;

    e->conf = conf;
    e->env = env;
    leat_list_init(&e->records);
    e->compress = conf->compression != NULL && conf->compression[0] != '\0';
    e->level = conf->compression_params.level != 0 ? (int)conf->compression_params.level
                                                   : LEAT_LEVEL_DEFAULT;
    if (conf->create_directory && make_folders(conf, err) < 0)
        return -1;
    e->file = leat_file_open(env->loop, conf->path, !conf->append && !conf->has_rotation, err);
    if (e->file == NULL)
        return -1;
    e->size = leat_file_size(e->file);
    return 0;
}

static void file_drain(void *self, void (*drained)(void *house), void *house)
{
    struct file_exporter *e = self;

    e->drained = drained;
    e->house = house;
    check_drained(e);
}

static void file_close(void *self)
{
    struct file_exporter *e = self;

    e->drained = NULL;
    while (!leat_list_empty(&e->records)) {
        struct record *r = LEAT_OWNER(leat_list_pop(&e->records), struct record, link);
        r->owner = NULL; /* its bytes are its own until the write is over */
        leat_batch_done(r->batch, leat_retry(14, RETRY_MS, "shutting down"));
    }
    leat_file_close(e->file, NULL, NULL);
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
