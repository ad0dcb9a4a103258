/* 32-bit x86: numbers of system calls, where memory is that can be written, and three functions in assembly. */
enum {
    NR_read = 3, NR_write = 4, NR_close = 6, NR_kill = 37, NR_ioctl = 54, NR_wait4 = 114, NR_clone = 120,
    NR_getpgid = 132, NR_rt_sigaction = 174, NR_rt_sigprocmask = 175, NR_rt_sigtimedwait = 177, NR_exit_group = 252,
    NR_getdents64 = 220, NR_unlinkat = 301,
    NR_openat = 295, NR_ppoll = 309, NR_clock_gettime = 265, NR_getppid = 64, NR_clone3 = 435, NR_close_range = 436,
    NR_sendmsg = 370, NR_recvmsg = 372
};

/* What x64.h says of each. */
ASSEMBLY i64 sys(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f);
__asm__(".text\n"
        "sys:\n push %ebx\n push %esi\n push %edi\n push %ebp\n mov 20(%esp),%eax\n mov 28(%esp),%ebx\n"
        " mov 36(%esp),%ecx\n mov 44(%esp),%edx\n mov 52(%esp),%esi\n mov 60(%esp),%edi\n mov 68(%esp),%ebp\n"
        " int $0x80\n pop %ebp\n pop %edi\n pop %esi\n pop %ebx\n cltd\n ret\n");

ASSEMBLY i64 fork(i64 nr, i64 a, i64 b, i64 c);
__asm__(".text\n"
        "fork:\n push %ebx\n push %esi\n push %edi\n mov 16(%esp),%eax\n mov 24(%esp),%ebx\n mov 32(%esp),%ecx\n"
        " mov 40(%esp),%edx\n xor %esi,%esi\n xor %edi,%edi\n int $0x80\n test %eax,%eax\n jnz 1f\n"
        " xor %ebp,%ebp\n pop %eax\n pop %edx\n call *%eax\n hlt\n"
        "1: pop %edi\n pop %esi\n pop %ebx\n cltd\n ret\n");

ASSEMBLY void restore(void);
__asm__(".text\n"
        "restore:\n mov $173,%eax\n int $0x80\n");
