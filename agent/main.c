/* argv in, exit code out. */
#include "run/cli.h"

int main(int argc, char **argv)
{
    return leat_cli_main(argc, argv);
}
