/* argv in, exit code out. */
#include "base/mem.h"
#include "run/cli.h"

int main(int argc, char **argv)
{
    leat_mem_setup();
    return leat_cli_main(argc, argv);
}
