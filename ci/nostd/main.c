/* Calls into the staticlib that ci/nostd.sh builds: it links, and it runs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t archstone_probe(void);

/* The prebuilt `alloc` mentions it; nothing unwinds here, and std, which defines it, is not there. */
void rust_eh_personality(void) { abort(); }

int main(void) {
    uint64_t h = archstone_probe();
    printf("archstone_probe() = %016llx\n", (unsigned long long)h);
    return h == 0;
}
