/* leat run: the main job. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "run/cli.h"
#include "run/service.h"

/* Three lines for who starts it without a file: where to send, what happens with it, how to keep
 * this. */
static void print_welcome(void *arg)
{
    const char *endpoint = getenv("OTEL_EXPORTER_OTLP_ENDPOINT");

    (void)arg;
    printf("Leat " LEAT_VERSION
           " takes OTLP: gRPC at localhost:4317, HTTP at http://localhost:4318\n");
    if (endpoint != NULL && endpoint[0] != '\0')
        printf("What comes in is forwarded to %s\n", endpoint);
    else
        printf(
            "What comes in is shown here; set OTEL_EXPORTER_OTLP_ENDPOINT to forward it instead\n");
    printf("Keep this set-up: leat print-config > leat.yaml   then: leat --config leat.yaml\n");
    fflush(stdout);
}

int leat_cmd_run(const struct leat_cli *cli)
{
    struct leat_plan *plan = leat_cli_load(cli, true);
    struct leat_service_conf conf = {.run_for = (int64_t)(cli->seconds * LEAT_SEC)};
    struct leat_err err = {{0}};
    int result = LEAT_EXIT_OK;

    if (plan == NULL)
        return LEAT_EXIT_CONFIG;
    conf.sources = cli->sources;
    conf.nsources = cli->nsources;
    if (cli->nsources == 0)
        conf.ready = print_welcome;
    if (leat_settings_open_log(&plan->telemetry.logs, &err) < 0 ||
        leat_service_run(plan, &conf, &err) < 0) {
        fprintf(stderr, "leat: %s\n", err.text);
        result = LEAT_EXIT_FAILED;
    }
    leat_plan_free(plan);
    leat_log_close();
    return result;
}
