/* The life of the program with one plan: build, open, run, drain, close. */
#ifndef LEAT_RUN_SERVICE_H
#define LEAT_RUN_SERVICE_H

#include "run/plan.h"

struct leat_service_conf {
    int64_t run_for;            /* ns; ends by itself after that; 0: runs until told to stop */
    const char *const *sources; /* as given to --config, for who asks the admin socket */
    unsigned nsources;
    void (*ready)(void *arg); /* called once everything listens; NULL: nothing */
    void *arg;
};

/* Runs until SIGTERM, SIGINT or the time is up. 0: an orderly end; -1 and `err`: it did not start.
 */
int leat_service_run(const struct leat_plan *plan, const struct leat_service_conf *conf,
                     struct leat_err *err);

#endif
