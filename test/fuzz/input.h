/* The input of a target here: where it is taken from, and what is said when it shows a fault. */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sanitizer/asan_interface.h>

#undef WNOHANG /* of stdlib.h */

static const uint8_t *data;
static size_t left;
/* where a target goes on when the input is over */
static jmp_buf whole;

static void broken(const char *what) {
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* The input is over: everything dies, as of SIGKILL. */
static uint8_t take(void) {
    if (!left) longjmp(whole, 1);
    left--;
    return *data++;
}

static int64_t takeWord(void) {
    uint64_t word = 0;
    int i;
    for (i = 0; i < 8; i++) word |= (uint64_t)take() << 8 * i;
    return (int64_t)word;
}
