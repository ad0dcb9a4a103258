/* 32-bit ARM: numbers of system calls, where memory is that can be written, and three functions in assembly. */
enum {
    NR_read = 3, NR_write = 4, NR_close = 6, NR_kill = 37, NR_ioctl = 54, NR_wait4 = 114, NR_clone = 120,
    NR_getpgid = 132, NR_rt_sigaction = 174, NR_rt_sigprocmask = 175, NR_rt_sigtimedwait = 177, NR_exit_group = 248,
    NR_getdents64 = 217, NR_unlinkat = 328,
    NR_openat = 322, NR_ppoll = 336, NR_clock_gettime = 263, NR_getppid = 64, NR_clone3 = 435, NR_close_range = 436,
    NR_sendmsg = 296, NR_recvmsg = 297
};

/* What x64.h says of each. Of 64-bit arguments the kernel gets the lower halves; its result is sign-extended. */
ASSEMBLY i64 sys(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f);
__asm__(".text\n .balign 4\n"
        "sys:\n push {r4, r5, r7, lr}\n mov r7, r0\n mov r0, r2\n ldr r1, [sp, #16]\n ldr r2, [sp, #24]\n"
        " ldr r3, [sp, #32]\n ldr r4, [sp, #40]\n ldr r5, [sp, #48]\n svc #0\n asr r1, r0, #31\n"
        " pop {r4, r5, r7, pc}\n");

ASSEMBLY i64 fork(i64 nr, i64 a, i64 b, i64 c);
__asm__(".text\n"
        "fork:\n push {r4, r5, r7, lr}\n mov r7, r0\n mov r0, r2\n ldr r1, [sp, #16]\n ldr r2, [sp, #24]\n"
        " mov r3, #0\n mov r4, #0\n svc #0\n cmp r0, #0\n bne 1f\n"
        " mov r11, #0\n pop {r1, r2}\n pop {r0, r2}\n blx r1\n udf #0\n"
        "1: asr r1, r0, #31\n pop {r4, r5, r7, pc}\n");

ASSEMBLY void restore(void);
__asm__(".text\n"
        "restore:\n mov r7, #173\n svc #0\n");
