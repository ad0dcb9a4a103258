/* Catching signals, for a process whose threads are not its own. A part of launcher.c, for ns itself. */
/* In the first page of the code, which begins a page: by it the code knows where it is. */
static void anchor(void) {}

/* Runs in whatever thread gets the signal, up to the moment of an exec: the pipe outlives that, the thread does not. The
 * byte's highest bit tells that the kernel sent it: the terminal, to all of its foreground process group. */
static void onSignal(int signal, int *info) {
    u8 byte = signal | (info[2] == SI_KERNEL ? FROM_KERNEL : 0);
    i64 *descriptor = (i64 *)(((i64)anchor & -PAGE) + MEMORY);
    sys3(NR_write, *descriptor, (i64)&byte, 1);
}

static i64 catchSignal(i64 signal) {
    enum { SA_SIGINFO = 4, SA_RESTORER = 0x4000000, SA_RESTART = 0x10000000 };
    struct {
        void (*handler)(int, int *);
        unsigned long flags;
        void (*restorer)(void);
        u32 mask[2];
    } action;
    action.handler = onSignal;
    action.flags = SA_SIGINFO | SA_RESTORER | SA_RESTART;
    action.restorer = restore;
    action.mask[0] = action.mask[1] = -1;
    return sys(NR_rt_sigaction, signal, (i64)&action, 0, 8, 0, 0);
}
