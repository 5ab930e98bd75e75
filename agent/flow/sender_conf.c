/* The settings of the sender: sending_queue, retry_on_failure, timeout. */
#include <string.h>
#include <strings.h>

#include "flow/sender.h"

#define DAY_NS 86400e9

static const char *const sizers[] = {"requests", "items", "bytes", NULL};
static const char *const batch_sizers[] = {"requests", "items", "bytes", NULL};

static const struct leat_field partition_fields[] = {
    LEAT_STRINGS(struct leat_partition_conf, metadata_keys, NULL,
                 "Requests with different values of these request headers are batched apart."),
    LEAT_END,
};

static const struct leat_field batch_fields[] = {
    LEAT_DURATION(struct leat_queue_batch_conf, flush_timeout, "200ms",
                  "A batch is sent at the latest this long after its first item came.", .min = 1,
                  .max = DAY_NS),
    LEAT_INT(struct leat_queue_batch_conf, min_size, "8192",
             "A batch is sent as soon as it has this size, in units of its sizer.", .min = 0,
             .max = 1e15),
    LEAT_INT(struct leat_queue_batch_conf, max_size, "0",
             "Larger batches are cut, in units of its sizer; 0: never.", .min = 0, .max = 1e15),
    LEAT_ENUM(struct leat_queue_batch_conf, sizer, "items", batch_sizers,
              "What is counted: items or bytes.",
              .present = LEAT_PRESENT(struct leat_queue_batch_conf, has_sizer)),
    LEAT_GROUP(struct leat_queue_batch_conf, partition, partition_fields,
               struct leat_partition_conf, "What keeps batches apart."),
    LEAT_END,
};

static const struct leat_field queue_fields[] = {
    LEAT_BOOL(struct leat_queue_conf, enabled, "true",
              "Off: the caller waits until the destination has answered."),
    LEAT_UINT(struct leat_queue_conf, num_consumers, "10",
              "How many requests are under way at once, shared over the workers.", .min = 1,
              .max = 100000),
    LEAT_INT(struct leat_queue_conf, queue_size, "1000",
             "Room of the queue in units of its sizer, shared over the workers.", .min = 1,
             .max = 1e15),
    LEAT_ENUM(struct leat_queue_conf, sizer, "requests", sizers,
              "What is counted: requests, items or bytes.",
              .present = LEAT_PRESENT(struct leat_queue_conf, has_sizer)),
    LEAT_BOOL(struct leat_queue_conf, block_on_overflow, "false",
              "When the queue is full the caller waits for room instead of being told to retry.",
              .alias = "blocking"),
    LEAT_BOOL(struct leat_queue_conf, wait_for_result, "false",
              "The caller is answered only when the destination has confirmed."),
    LEAT_STRING(struct leat_queue_conf, storage, NULL,
                "A storage extension that keeps the queue on disk."),
    LEAT_GROUP(struct leat_queue_conf, batch, batch_fields, struct leat_queue_batch_conf,
               "Joins requests before they are sent; on when this key is there.",
               .present = LEAT_PRESENT(struct leat_queue_conf, has_batch)),
    LEAT_END,
};

const struct leat_field leat_retry_fields[] = {
    LEAT_BOOL(struct leat_retry_conf, enabled, "true", "Off: the first failure is final."),
    LEAT_DURATION(struct leat_retry_conf, initial_interval, "5s",
                  "The wait before the second attempt.", .min = 0, .max = DAY_NS),
    LEAT_DURATION(struct leat_retry_conf, max_interval, "30s", "The longest wait before jitter.",
                  .min = 0, .max = DAY_NS),
    LEAT_DURATION(struct leat_retry_conf, max_elapsed_time, "300s",
                  "After this long since the first attempt data is dropped; 0: never.", .min = 0,
                  .max = 365 * DAY_NS),
    LEAT_FLOAT(struct leat_retry_conf, multiplier, "1.5", "How fast the wait grows.", .min = 0,
               .max = 1000),
    LEAT_FLOAT(struct leat_retry_conf, randomization_factor, "0.5",
               "The wait is drawn from interval * (1 - f … 1 + f).", .min = 0, .max = 1),
    LEAT_END,
};

const struct leat_field leat_sender_fields[] = {
    LEAT_DURATION(struct leat_sender_conf, timeout, "5s", "Limit of one attempt; 0: none.",
                  .min = 0, .max = DAY_NS),
    LEAT_GROUP(struct leat_sender_conf, sending_queue, queue_fields, struct leat_queue_conf,
               "What waits for the destination."),
    LEAT_GROUP(struct leat_sender_conf, retry_on_failure, leat_retry_fields, struct leat_retry_conf,
               "When a failed request is sent again."),
    LEAT_END,
};

static void check_partition(const struct leat_strings *keys, struct leat_check *c)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcasecmp(keys->items[i], keys->items[k]) == 0)
                leat_check_error(c, "sending_queue.batch.partition.metadata_keys",
                                 "the key '%s' stands here twice (case does not count)",
                                 keys->items[i]);
        }
    }
}

static void check_batch(const struct leat_queue_conf *q, struct leat_check *c)
{
    const struct leat_queue_batch_conf *b = &q->batch;
    int sizer = b->has_sizer || !q->has_sizer ? b->sizer : q->sizer;

    if (sizer == LEAT_SIZER_REQUESTS)
        leat_check_error(c, b->has_sizer ? "sending_queue.batch.sizer" : "sending_queue.batch",
                         "a batch is measured in 'items' or 'bytes', not in requests; write "
                         "batch.sizer: items");
    if (b->max_size != 0 && b->max_size < b->min_size)
        leat_check_error(c, "sending_queue.batch.max_size",
                         "must not be below min_size (%lld), or 0 for no limit",
                         (long long)b->min_size);
    if (sizer == q->sizer && b->min_size > q->queue_size)
        leat_check_error(c, "sending_queue.batch.min_size",
                         "must not be above queue_size (%lld): the queue would never fill a batch",
                         (long long)q->queue_size);
    check_partition(&b->partition.metadata_keys, c);
}

void leat_retry_check(const struct leat_retry_conf *r, struct leat_check *c)
{
    if (!r->enabled || r->max_elapsed_time == 0)
        return;
    if (r->max_elapsed_time < r->initial_interval)
        leat_check_error(c, "retry_on_failure.max_elapsed_time",
                         "must not be below initial_interval, or 0 for no limit");
    else if (r->max_elapsed_time < r->max_interval)
        leat_check_error(c, "retry_on_failure.max_elapsed_time",
                         "must not be below max_interval, or 0 for no limit");
}

void leat_sender_check(const struct leat_sender_conf *conf, struct leat_check *c)
{
    const struct leat_queue_conf *q = &conf->sending_queue;

    if (q->enabled && q->storage != NULL)
        leat_check_error(c, "sending_queue.storage",
                         "Leat has no queue on disk yet: remove 'storage' to keep the queue in "
                         "memory, or set wait_for_result: true so that callers keep their data "
                         "until it is delivered");
    if (q->enabled && q->has_batch)
        check_batch(q, c);
    leat_retry_check(&conf->retry_on_failure, c);
}

enum leat_promise leat_sender_promise(const struct leat_sender_conf *conf)
{
    const struct leat_queue_conf *q = &conf->sending_queue;

    return q->enabled && !q->wait_for_result ? LEAT_PROMISE_HELD : LEAT_PROMISE_DELIVERED;
}
