/* A batch on its way to the destination: its data points become samples, which go out in several
 * requests, and each point is taken, rejected or given up.
 *
 * A point makes many samples, in several requests perhaps; it is delivered when all of them are. So
 * a request knows which points it holds something of (a load), and a job which of its points are
 * lost already. */
#ifndef LEAT_EXPORTERS_PRW_JOB_H
#define LEAT_EXPORTERS_PRW_JOB_H

#include "base/text.h"
#include "flow/batch.h"

struct leat_strings;

struct leat_prw_job {
    struct leat_link link; /* in the order in which the batches came */
    struct leat_batch *batch;
    uint32_t part, point; /* where its translation stands; points count from 0 over all parts */
    uint32_t walked;      /* points beyond which it never was: those before are not counted again */
    uint32_t pending;     /* loads it is in, and one while it is translated */
    uint32_t dropped;     /* points that make no samples */
    uint32_t rejected, given_up;
    uint8_t *lost; /* a bit for each point of the two above; NULL: none yet */
    uint32_t code;
    char why[160]; /* of the first that was lost */
    char *key;     /* what keeps its requests apart from others', or NULL */
    size_t key_len;
    uint8_t *needed;  /* a bit for each point before `walked` that comes again; NULL: none does */
    bool needs_all;   /* no memory for those bits */
    bool comes_again; /* something of it was taken back: it does not end before it began again */
};

/* Takes the batch. `keys`: names of the headers that keep requests apart. NULL: no memory, the
 * batch is still the caller's. */
struct leat_prw_job *leat_prw_job_new(struct leat_batch *batch, const struct leat_strings *keys);
/* Another begin: it is translated once more, for the points that leat_prw_load_release() has taken
 * back and those that never came to be translated. */
void leat_prw_job_again(struct leat_prw_job *j);
/* The point was answered before that. */
bool leat_prw_job_has_answer(const struct leat_prw_job *j, uint32_t point);
/* One of its points makes no samples. */
void leat_prw_job_drop(struct leat_prw_job *j, const char *why);
/* One less pending. true: nothing is pending any more, it ends now. */
bool leat_prw_job_let_go(struct leat_prw_job *j);
bool leat_prw_job_same_key(const struct leat_prw_job *a, const struct leat_prw_job *b);
/* Ends the batch and frees the job. `cut_short`: what is not lost is not delivered either. */
void leat_prw_job_end(struct leat_prw_job *j, bool cut_short);

/* --- what a request holds */

struct leat_prw_entry {
    struct leat_prw_job *job;
    uint32_t last;    /* the last of its points here */
    size_t points_at; /* where its points begin in load->points */
    bool any;         /* holds a point */
};

struct leat_prw_load {
    struct leat_prw_entry *entries; /* in the order of the jobs */
    uint32_t n, cap;
    /* Varints: the first point of an entry, then differences. */
    uint8_t *points;
    size_t len, size;
    uint32_t npoints;
};

#define LEAT_PRW_NO_POINT UINT32_MAX

void leat_prw_load_init(struct leat_prw_load *l);
void leat_prw_load_done(struct leat_prw_load *l);
size_t leat_prw_load_memory(const struct leat_prw_load *l);
/* Room for one more: the next _add cannot fail. false: no memory, or no more fits. */
bool leat_prw_load_reserve(struct leat_prw_load *l);
/* A sample of this point, which is none before the last one of its job, or NO_POINT: of nothing
 * that is counted. */
void leat_prw_load_add(struct leat_prw_load *l, struct leat_prw_job *job, uint32_t point);
/* The request has its answer. `lost`: so many of its points are lost (more than there are: all),
 * given up or rejected; it is not known which ones, the first are taken. Afterwards the load is
 * empty and each job one less pending; jobs of which nothing is pending any more are handed to
 * `ended`, which must not touch the load. */
void leat_prw_load_settle(struct leat_prw_load *l, uint64_t lost, bool given_up, uint32_t code,
                          const char *why, void (*ended)(void *arg, struct leat_prw_job *j),
                          void *arg);
/* The request is not sent, or was as good as not sent: its jobs are one less pending, and need its
 * points again. */
void leat_prw_load_release(struct leat_prw_load *l);

#endif
