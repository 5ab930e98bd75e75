/* The command line. */
#ifndef LEAT_RUN_CLI_H
#define LEAT_RUN_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes: sysexits.h's EX_USAGE and EX_CONFIG. */
enum leat_exit {
    LEAT_EXIT_OK = 0,
    LEAT_EXIT_FAILED = 1,
    LEAT_EXIT_USAGE = 64,
    LEAT_EXIT_CONFIG = 78
};

#define LEAT_CLI_MAX 100 /* of --config, and of --set */

/* What stands behind the command's name. Strings are argv's. */
struct leat_cli {
    const char *sources[LEAT_CLI_MAX];
    unsigned nsources;
    const char *sets[LEAT_CLI_MAX];
    unsigned nsets;
    double seconds;       /* 0: not given */
    const char *output;   /* "text", "json" */
    const char *mode;     /* print-config: "redacted", "unredacted" */
    const char *format;   /* print-config: "yaml", "json" */
    const char *endpoint; /* demo */
    int schema;           /* manual --schema */
    const char *socket;   /* top */
    int32_t pid;          /* top; 0: not given */
    const char *sort;     /* top: a column; NULL: the flow's order */
    int64_t interval;     /* top: ns; -1: not given */
    int once;             /* top --once */
    const char *rest[8];  /* words that are no option */
    unsigned nrest;
};

int leat_cli_main(int argc, char **argv);

/* The commands, one file each; they return an exit code. */
int leat_cmd_run(const struct leat_cli *cli);
int leat_cmd_validate(const struct leat_cli *cli);
int leat_cmd_components(const struct leat_cli *cli);
int leat_cmd_print_config(const struct leat_cli *cli);
int leat_cmd_manual(const struct leat_cli *cli);
int leat_cmd_demo(const struct leat_cli *cli);
int leat_cmd_top(const struct leat_cli *cli);
int leat_cmd_status(const struct leat_cli *cli);

/* Shared by them: loads the plan of --config, or the default one, and prints what is wrong with it;
 * to_start: on this machine too. NULL: exit code 78. */
struct leat_plan;
int leat_cli_colour(FILE *out); /* a terminal, and NO_COLOR does not forbid it */
struct leat_plan *leat_cli_load(const struct leat_cli *cli, bool to_start);

#endif
