/* arm64: numbers of system calls, where memory is that can be written, and three functions in assembly. */
enum {
    NR_ioctl = 29, NR_openat = 56, NR_close = 57, NR_read = 63, NR_write = 64, NR_exit_group = 94, NR_kill = 129,
    NR_rt_sigaction = 134, NR_rt_sigprocmask = 135, NR_rt_sigtimedwait = 137, NR_getpgid = 155, NR_clone = 220,
    NR_getdents64 = 61, NR_unlinkat = 35,
    NR_wait4 = 260, NR_ppoll = 73, NR_clock_gettime = 113, NR_getppid = 173, NR_clone3 = 435, NR_close_range = 436,
    NR_sendmsg = 211, NR_recvmsg = 212, MEMORY = 65536 /* a page may have so many bytes */
};

/* What x64.h says of each. TinyCC's assembler does not know these instructions: they are written as numbers. */
ASSEMBLY i64 sys(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f);
__asm__(".text\n"
        "sys:\n"
        " .int 0xaa0003e8\n"                                            /* mov x8, x0 */
        " .int 0xaa0103e0, 0xaa0203e1, 0xaa0303e2\n"                     /* mov x0, x1; mov x1, x2; mov x2, x3 */
        " .int 0xaa0403e3, 0xaa0503e4, 0xaa0603e5\n"                     /* mov x3, x4; mov x4, x5; mov x5, x6 */
        " .int 0xd4000001, 0xd65f03c0\n");                              /* svc #0; ret */

ASSEMBLY i64 fork(i64 nr, i64 a, i64 b, i64 c);
__asm__(".text\n"
        "fork:\n"
        " .int 0xaa0003e8, 0xaa0103e0, 0xaa0203e1, 0xaa0303e2\n"         /* mov x8, x0; mov x0, x1; and so on */
        " .int 0xd2800003, 0xd2800004, 0xd4000001\n"                    /* mov x3, #0; mov x4, #0; svc #0 */
        " .int 0xb50000c0\n"                                            /* cbnz x0, the ret */
        " .int 0xd280001d, 0xd280001e\n"                                /* mov x29, #0; mov x30, #0 */
        " .int 0xa8c103e1, 0xd63f0020, 0\n"                             /* ldp x1, x0, [sp], #16; blr x1; udf */
        " .int 0xd65f03c0\n");                                          /* ret */

ASSEMBLY void restore(void);
__asm__(".text\n"
        "restore:\n"
        " .int 0xd2801168, 0xd4000001\n");                              /* mov x8, #139; svc #0 */
