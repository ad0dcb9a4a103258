/* x86-64: numbers of system calls, where memory is that can be written, and three functions in assembly. */
enum {
    NR_read = 0, NR_write = 1, NR_openat = 257, NR_close = 3, NR_rt_sigaction = 13, NR_rt_sigprocmask = 14, NR_ioctl = 16,
    NR_clone = 56, NR_wait4 = 61, NR_kill = 62, NR_getppid = 110, NR_getpgid = 121, NR_rt_sigtimedwait = 128,
    NR_getdents64 = 217, NR_unlinkat = 263,
    NR_clock_gettime = 228, NR_exit_group = 231, NR_ppoll = 271, NR_clone3 = 435, NR_close_range = 436, MEMORY = 12288,
    NR_sendmsg = 46, NR_recvmsg = 47
};

/* sys(nr, a, b, c, d, e, f): one raw system call; the kernel's own result, -errno when it fails */
ASSEMBLY i64 sys(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f);
__asm__(".text\n"
        "sys:\n mov %rdi,%rax\n mov %rsi,%rdi\n mov %rdx,%rsi\n mov %rcx,%rdx\n mov %r8,%r10\n mov %r9,%r8\n"
        " mov 8(%rsp),%r9\n syscall\n ret\n");

/* fork(nr, a, b, c): clone(2) or clone3(2); the child, on a stack of its own, takes a function and its argument from it */
ASSEMBLY i64 fork(i64 nr, i64 a, i64 b, i64 c);
__asm__(".text\n"
        "fork:\n mov %rdi,%rax\n mov %rsi,%rdi\n mov %rdx,%rsi\n mov %rcx,%rdx\n xor %r10d,%r10d\n xor %r8d,%r8d\n"
        " syscall\n test %rax,%rax\n jnz 1f\n"
        " xor %ebp,%ebp\n pop %rax\n pop %rdi\n call *%rax\n hlt\n"
        "1: ret\n");

/* restore(): where a signal handler returns to (sigreturn(2)) */
ASSEMBLY void restore(void);
__asm__(".text\n"
        "restore:\n mov $15,%eax\n syscall\n");
