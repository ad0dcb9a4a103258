/* The launcher: the only machine code of ns's own. It knows no container; src/plan/ decides everything.
 *
 * Layout, mirrored by src/plan/encode.ts (all little-endian, a task is 8-byte aligned):
 *   task: 56 bytes: cloneFlags, stack, pidfd, report, base, count, rescue, all 64 bits; the ops; then the saved results, 64 bits each
 *   op:    64 bytes: nr (32 bits); save, refs, flags, guard (8 bits each); fine[8] (8 bits each); arg[6] (64 bits each)
 * An op is one system call, or one of those below. Bit j of refs makes arg[j] the number of a saved result; save
 * (255: nowhere) keeps the result; an errno in fine is no failure. Flag 1 ends the task quietly when the result is 0;
 * flag 2 runs the op only if the wait status saved as `guard` tells of SIGKILL (or 137); flag 4 skips the next op on success;
 * flag 8 repeats it on EAGAIN, a thousand times in a task; flag 16 runs the op only if what is saved as `guard` is above 0.
 * After its first failure a task goes on with the op number `rescue`, if that is not 0. Otherwise the failure is reported as two
 * 32-bit numbers, base plus the op's index and its errno.
 *
 * Rules: no libc, no headers, no globals, no string literals, no data, so that the code runs wherever it is
 * mapped. scripts/build.ts refuses a launcher that is not position-independent.
 */
#if defined(__arm__) || defined(__i386__)
typedef long long i64; /* the layout is the same on 32 bits */
#else
typedef long i64;
#endif
typedef unsigned int u32;
typedef unsigned char u8;

struct op {
    int nr;
    u8 save, refs, flags, guard;
    u8 fine[8];
    i64 arg[6];
};

struct task {
    i64 cloneFlags, stack, pidfd, report, base, count, rescue;
    struct op ops[1];
};

enum {
    STOP_AT_ZERO = 1, ONLY_IF_KILLED = 2, SKIP_NEXT = 4, TRY_AGAIN = 8, ONLY_IF_SAVED = 16,
    NOWHERE = 255, MAX_ERRNO = 4095, SETUP_FAILED = 125
};

/* A process that a keeper (keep(), below) has started or is to start, mirrored by src/run/job.ts. */
struct job {
    struct job *next;
    /* run by the keeper itself; one of its ops starts the process and saves its id first of all */
    struct task *launch;
    /* run by the keeper when the parent is dead and so is the process; 0: none */
    struct task *end;
    /* descriptor on which the process tells of a failure, and its end of file of success; -1 when that is over */
    i64 report;
    /* the process leads a process group, which is signalled as a whole */
    i64 group;
    i64 pid, reported, ended, status;
    u32 failure[2];
};

struct board {
    /* descriptors: where commands come from, where a byte is written when a job has news; the parent's process id */
    i64 commands, wake, parent;
    struct job *first;
};

/* What an op can do that no system call does: start(task), supervise(pid, rules, status file), exit(wait status),
 * decimal(value, where), foreground(group), keep(board, signals' descriptor), send(socket, master, slave),
 * relay(ends, socket, input, output, signals' descriptor, status file), settings(group, termios). As entries, launcher(OP_RUN, task) becomes a
 * task, launcher(OP_CATCH, signal) has the signal written as a byte to the descriptor that stands MEMORY bytes behind the code, and launcher(OP_START, task),
 * launcher(OP_SUPERVISE, pid, rules, status file), launcher(OP_FOREGROUND, group) and launcher(OP_SETTINGS, group, termios) do
 * what the ops do. */
enum {
    OP_START = -1, OP_RUN = -2, OP_SUPERVISE = -3, OP_EXIT = -4, OP_DECIMAL = -5, OP_CATCH = -6, OP_FOREGROUND = -7,
    OP_KEEP = -8, OP_SEND = -9, OP_RELAY = -10, OP_SETTINGS = -11
};
/* What a program that stands alone (src/plan/frozen/) does besides, each beside its function below. As an entry,
 * launcher(OP_BEGIN, task, stack) becomes a task, with the program's first stack as its first saved result. */
enum {
    OP_LISTEN = -20, OP_HEED = -21, OP_CHECK = -22, OP_TELL = -23, OP_DIGITS = -24, OP_STORE = -25, OP_SAYS = -26,
    OP_ARGUMENTS = -27, OP_DUE = -28, OP_LATE = -29, OP_BEGIN = -30, OP_REMOVE = -31, OP_BOTH = -32, OP_BEHIND = -33, OP_JUMP = -34
};
enum { PAGE = 4096, FROM_KERNEL = 128, SI_KERNEL = 128, SIGCHLD = 17, ESRCH = 3, EAGAIN = 11, EBUSY = 16, EINVAL = 22, TRIES = 1000 };

/* How to wait for a child, mirrored by src/plan/supervise.ts. Times are milliseconds of CLOCK_MONOTONIC. */
struct rules {
    /* what wait4(2) waits for: the child, or -1, which reaps orphans too */
    i64 who;
    /* mask of the signals to pass on, all of them blocked; 0: they come through `caught` alone */
    i64 signals;
    /* descriptor of the pipe with signals that were caught; -1: none */
    i64 caught;
    /* as many SIGTERM and SIGINT as kill the child, 0: no number; how many there were */
    i64 patience, impatience;
    /* what is sent for SIGTERM */
    i64 stopSignal;
    /* from the first SIGTERM or SIGINT to SIGKILL, and from the deadline to it; -1: none */
    i64 grace, lastGrace;
    /* when the child is asked to stop or, if it has been asked (1, or TIMED_OUT: by the deadline), killed; 0: never */
    i64 deadline, stopping;
    /* when to give up waiting, with -EAGAIN; 0: never */
    i64 until;
    /* the process that gets the signals of this mask in the child's place: the one at the terminal; 0: none */
    i64 other, others;
    /* signals go to the process group that the child leads */
    i64 group;
    /* mask of the signals that ask to stop; the first of them that came */
    i64 stops, stopped;
};

/* Between whom a relay stands, mirrored by src/plan/relay.ts. */
struct ends {
    /* process ids: of ns, and its process group */
    i64 parent, group;
    /* the caller's terminal is made raw; otherwise its lines are taken as they come */
    i64 raw;
};

i64 launcherBegin(void) { return 0; }

/* In the first page of the code, which begins a page: by it the code knows where it is. */
static void anchor(void) {}

/* A function in assembly. clang would look up one that is only declared static in a table of addresses. */
#if defined(__clang__)
#define ASSEMBLY __attribute__((visibility("hidden")))
#else
#define ASSEMBLY static
#endif

#if defined(__x86_64__)
enum {
    NR_read = 0, NR_write = 1, NR_openat = 257, NR_close = 3, NR_rt_sigaction = 13, NR_rt_sigprocmask = 14, NR_ioctl = 16,
    NR_clone = 56, NR_wait4 = 61, NR_kill = 62, NR_getppid = 110, NR_getpgid = 121, NR_rt_sigtimedwait = 128,
    NR_getdents64 = 217, NR_unlinkat = 263,
    NR_clock_gettime = 228, NR_exit_group = 231, NR_ppoll = 271, NR_clone3 = 435, NR_close_range = 436, MEMORY = 16384,
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

#elif defined(__aarch64__)
enum {
    NR_ioctl = 29, NR_openat = 56, NR_close = 57, NR_read = 63, NR_write = 64, NR_exit_group = 94, NR_kill = 129,
    NR_rt_sigaction = 134, NR_rt_sigprocmask = 135, NR_rt_sigtimedwait = 137, NR_getpgid = 155, NR_clone = 220,
    NR_getdents64 = 61, NR_unlinkat = 35,
    NR_wait4 = 260, NR_ppoll = 73, NR_clock_gettime = 113, NR_getppid = 173, NR_clone3 = 435, NR_close_range = 436,
    NR_sendmsg = 211, NR_recvmsg = 212, MEMORY = 65536 /* a page may have so many bytes */
};

/* The same three. TinyCC's assembler does not know these instructions: they are written as numbers. */
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

#elif defined(__arm__)
enum {
    NR_read = 3, NR_write = 4, NR_close = 6, NR_kill = 37, NR_ioctl = 54, NR_wait4 = 114, NR_clone = 120,
    NR_getpgid = 132, NR_rt_sigaction = 174, NR_rt_sigprocmask = 175, NR_rt_sigtimedwait = 177, NR_exit_group = 248,
    NR_getdents64 = 217, NR_unlinkat = 328,
    NR_openat = 322, NR_ppoll = 336, NR_clock_gettime = 263, NR_getppid = 64, NR_clone3 = 435, NR_close_range = 436,
    NR_sendmsg = 296, NR_recvmsg = 297, MEMORY = 16384
};

/* The same three. Of 64-bit arguments the kernel gets the lower halves; its result is sign-extended. */
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

#elif defined(__i386__)
enum {
    NR_read = 3, NR_write = 4, NR_close = 6, NR_kill = 37, NR_ioctl = 54, NR_wait4 = 114, NR_clone = 120,
    NR_getpgid = 132, NR_rt_sigaction = 174, NR_rt_sigprocmask = 175, NR_rt_sigtimedwait = 177, NR_exit_group = 252,
    NR_getdents64 = 220, NR_unlinkat = 301,
    NR_openat = 295, NR_ppoll = 309, NR_clock_gettime = 265, NR_getppid = 64, NR_clone3 = 435, NR_close_range = 436,
    NR_sendmsg = 370, NR_recvmsg = 372, MEMORY = 16384
};

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
#else
#error "this architecture has no system call stub yet"
#endif

/* The same with three arguments: a call of it takes half the code. */
static i64 sys3(i64 nr, i64 a, i64 b, i64 c) { return sys(nr, a, b, c, 0, 0, 0); }

static i64 isFine(struct op *op, i64 errnum) {
    i64 i;
    for (i = 0; i < 8; i++)
        if (op->fine[i] == errnum) return 1;
    return 0;
}

static i64 start(struct task *task);
#if !defined(ALONE)
/* Not inlined: its list of descriptors would then be on the stack of every task. */
__attribute__((noinline)) static i64 keep(struct board *board, i64 signals);
#endif

/* Beside the 16 bits of a wait status: the deadline had passed. */
enum { TIMED_OUT = 1 << 16, TIMED_OUT_STATUS = 124, KILLED = 137 };

static i64 exitStatus(i64 waitStatus) {
    if (waitStatus & TIMED_OUT) return TIMED_OUT_STATUS;
    return waitStatus & 127 ? 128 + (waitStatus & 127) : waitStatus >> 8 & 255;
}

static i64 decimal(u32 value, u8 *where) {
    u32 digits = 1, rest = value;
    while (rest >= 10) {
        rest = rest / 10;
        digits++;
    }
    where[digits] = 0;
    while (digits > 0) {
        where[--digits] = 48 + value % 10;
        value = value / 10;
    }
    return 0;
}

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

/* Does the process have a handler for the signal, by the line "SigCgt:" of its /proc/PID/status? */
static i64 catches(i64 statusFile, i64 signal) {
    u8 text[4096], *at = text, *end;
    u32 mask = 0;
    i64 fd = sys3(NR_openat, -1, statusFile, 0);
    i64 size = sys3(NR_read, fd, (i64)text, 4096);
    sys3(NR_close, fd, 0, 0);
    if (size < 24) return 0;
    for (end = text + size - 24; at < end; at++)
        if (at[0] == 'C' && at[1] == 'g' && at[2] == 't' && at[3] == ':') break;
    if (at >= end) return 0;
    for (at += 5; *at > 32; at++) mask = mask << 4 | (*at <= '9' ? *at - '0' : *at - 'a' + 10);
    return mask >> (signal - 1) & 1;
}

/* Gives the terminal on standard input back to this process group, if the one that has it is dead: a shell inside, which
 * took it for its own group, cannot name ours (pid namespaces). */
static i64 foreground(i64 group) {
    enum { SIGTTOU_BIT = 1 << 21, TIOCGPGRP = 0x540f, TIOCSPGRP = 0x5410 };
    i64 blocked = SIGTTOU_BIT;
    int now = 0, ours = group;
    if (sys3(NR_ioctl, 0, TIOCGPGRP, (i64)&now) < 0 || now == ours) return 0;
    if (now > 0 && sys3(NR_kill, -now, 0, 0) != -ESRCH) return 0;
    sys(NR_rt_sigprocmask, 0, (i64)&blocked, 0, 8, 0, 0);
    sys3(NR_ioctl, 0, TIOCSPGRP, (i64)&ours);
    return 0;
}

static i64 milliseconds(void) {
    enum { CLOCK_MONOTONIC = 1 };
    long time[2];
    sys3(NR_clock_gettime, CLOCK_MONOTONIC, (i64)time, 0);
    return (i64)time[0] * 1000 + time[1] / 1000000;
}

/* Waits for the next signal, with the highest bit set if the terminal sent it; 0: something else has happened. */
static i64 nextSignal(struct rules *rules) {
    int info[32];
    u8 byte;
    long time[2];
    i64 signal, timeout = 0, due = rules->deadline;
    struct { int fd; short events, revents; } pipe;
    if (rules->caught >= 0 && sys3(NR_read, rules->caught, (i64)&byte, 1) == 1) return byte;
    if (rules->until && (!due || rules->until < due)) due = rules->until;
    if (due) {
        signal = due - milliseconds();
        if (signal <= 0) return 0;
        time[0] = (long)signal / 1000;
        time[1] = (long)signal % 1000 * 1000000;
        timeout = (i64)time;
    }
    if (rules->signals == 0) {
        pipe.fd = rules->caught;
        pipe.events = 1;
        sys(NR_ppoll, (i64)&pipe, 1, timeout, 0, 8, 0);
        return 0;
    }
    rules->caught = -1;
    signal = sys(NR_rt_sigtimedwait, (i64)&rules->signals, (i64)info, timeout, 8, 0, 0);
    if (signal <= 0) return 0;
    return signal | (info[2] == SI_KERNEL ? FROM_KERNEL : 0);
}

/* Waits for the end of a child, passes signals on to it, and stops it when its time is up or when it has been asked to
 * stop often enough or long ago. What the terminal sends to its whole process group has reached a child of the same group
 * already; if it has a handler for it, or there is no status file to tell, that is all. */
static i64 supervise(i64 pid, struct rules *rules, i64 statusFile) {
    enum { WNOHANG = 1, SIGINT = 2, SIGKILL = 9, SIGTERM = 15 };
    i64 signal, fromTerminal, whom = rules->group ? -pid : pid;
    int status = 0;
    for (;;) {
        signal = sys3(NR_wait4, rules->who, (i64)&status, WNOHANG);
        if (signal == pid) return status | (rules->stopping & TIMED_OUT);
        if (signal < 0) return SETUP_FAILED << 8;
        if (signal > 0) continue;
        if (rules->until && milliseconds() >= rules->until) return -EAGAIN;
        if (rules->deadline && milliseconds() >= rules->deadline) {
            signal = SIGKILL;
            rules->deadline = 0;
            if (!rules->stopping) {
                signal = rules->stopSignal;
                rules->deadline = milliseconds() + rules->lastGrace;
                rules->stopping = TIMED_OUT;
            }
            sys3(NR_kill, whom, signal, 0);
            continue;
        }
        signal = nextSignal(rules);
        fromTerminal = signal & FROM_KERNEL;
        signal = signal & ~FROM_KERNEL;
        if (signal == 0 || signal == SIGCHLD) continue;
        if (rules->other && rules->others >> (signal - 1) & 1) {
            sys3(NR_kill, rules->other, signal, 0);
            continue;
        }
        if (!rules->stopped && rules->stops >> (signal - 1) & 1) rules->stopped = signal;
        if (fromTerminal && sys3(NR_getpgid, pid, 0, 0) != sys3(NR_getpgid, 0, 0, 0)) fromTerminal = 0;
        if (fromTerminal && (!statusFile || catches(statusFile, signal))) continue;
        if ((signal == SIGTERM || signal == SIGINT) && rules->patience) {
            if (!rules->stopping && rules->grace >= 0) {
                rules->stopping = 1;
                rules->deadline = milliseconds() + rules->grace;
            }
            if (++rules->impatience >= rules->patience) {
                sys3(NR_kill, whom, SIGKILL, 0);
                continue;
            }
        }
        if (fromTerminal) continue;
        sys3(NR_kill, whom, signal == SIGTERM ? rules->stopSignal : signal, 0);
    }
}

#if !defined(ALONE) /* ns freeze: its files have neither a relay nor a keeper */
/* Sends or receives a pty's two descriptors over a socket (unix(7), SCM_RIGHTS); more than 0 when that is done. */
static i64 passPty(i64 nr, i64 socket, int *pty) {
    enum { SOL_SOCKET = 1, SCM_RIGHTS = 1 };
    u8 byte = 0;
    struct { long size; int level, type, pty[2]; } control;
    struct { u8 *base; long size; } part;
    struct { long name, nameSize; void *parts; long count; void *control; long controlSize, flags; } message;
    i64 result;
    part.base = &byte;
    part.size = 1;
    control.size = sizeof(long) + 16;
    control.level = SOL_SOCKET;
    control.type = SCM_RIGHTS;
    control.pty[0] = pty[0];
    control.pty[1] = pty[1];
    message.name = message.nameSize = message.flags = 0;
    message.parts = &part;
    message.count = 1;
    message.control = &control;
    message.controlSize = sizeof(long) + 16;
    result = sys3(nr, socket, (i64)&message, 0);
    pty[0] = control.pty[0];
    pty[1] = control.pty[1];
    return result;
}

static i64 sendPty(i64 socket, i64 master, i64 slave) {
    int pty[2];
    pty[0] = master;
    pty[1] = slave;
    return passPty(NR_sendmsg, socket, pty);
}

enum { TCGETS = 0x5401, TCSETS = 0x5402, TIOCGPGRP = 0x540f, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414 };

/* What the kernel calls struct termios. */
struct settings {
    u32 input, output, control, local;
    u8 line, keys[19];
};

static i64 ioctl(i64 fd, i64 request, void *what) { return sys3(NR_ioctl, fd, request, (i64)what); }

/* Is this process group in the terminal's foreground? Yes, if it is not this session's terminal, or none. */
static i64 isForeground(i64 fd, i64 group) {
    int now = group;
    ioctl(fd, TIOCGPGRP, &now);
    return now == group;
}

/* Gives the terminal on standard input its settings back, if it is still this process group's. */
static i64 giveSettings(i64 group, void *settings) {
    i64 ttou = 1 << 21;
    sys(NR_rt_sigprocmask, 0, (i64)&ttou, 0, 8, 0, 0);
    if (isForeground(0, group)) ioctl(0, TCSETS, settings);
    return 0;
}

/* May the relay read what is typed now? Takes the terminal, if it is one, for that. */
static i64 takeTerminal(struct ends *ends, i64 input, struct settings *before) {
    enum { ICANON = 2 };
    struct settings raw;
    if (!isForeground(input, ends->group)) return 0;
    if (ioctl(input, TCGETS, before) < 0) return 1;
    /* another program of a pipe line has taken it */
    if (!ends->raw) return before->local & ICANON;
    ioctl(input, TCGETS, &raw); /* again: a copy would be a call of memcpy */
    raw.input &= ~0x5eb; /* IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON: as cfmakeraw(3) does */
    raw.output &= ~1; /* OPOST */
    raw.local &= ~0x804b; /* ECHO ECHONL ICANON ISIG IEXTEN */
    raw.control = (raw.control & ~0x130) | 0x30; /* CSIZE PARENB; CS8 */
    raw.keys[6] = 1; /* VMIN */
    raw.keys[5] = 0; /* VTIME */
    ioctl(input, TCSETS, &raw);
    return 1;
}

/* Bytes on their way. */
enum { STREAM = 4096 };
struct stream {
    i64 at, end;
    u8 bytes[STREAM];
};

static i64 fill(struct stream *stream, i64 fd) {
    i64 size = sys3(NR_read, fd, (i64)stream->bytes, STREAM);
    stream->at = 0;
    stream->end = size > 0 ? size : 0;
    return size;
}

static i64 drain(struct stream *stream, i64 fd) {
    i64 size = sys3(NR_write, fd, (i64)(stream->bytes + stream->at), stream->end - stream->at);
    if (size > 0) stream->at += size;
    if (stream->at == stream->end) stream->end = 0;
    return size;
}

/* One entry of ppoll(2)'s list as a word: what is waited for, on which descriptor. What has come is in the top 16 bits:
 * none for -1, which is nothing to wait for. */
#define WANTS(fd, events) ((fd) | (i64)(events) << 32)

/* Stands between the caller's terminal, or what he has in its place, and the container's pty, whose master nobody else has.
 * All signals are blocked; SIGTERM, from ns or its death, ends it when what init has written is out, or at once the second
 * time. It has the slave open too, so that one end of the pty lasts as long as the other. A SIGINT that is typed is told to
 * ns as well if init has no handler for it, as its status file says: enough of them end it. */
static i64 relay(struct ends *ends, i64 socket, i64 input, i64 output, i64 signals, i64 statusFile) {
    enum { POLLIN = 1, POLLOUT = 4, POLLHUP = 16, EIO = 5, TIOCGPTPEER = 0x5441, O_RDWR_NOCTTY = 0402 };
    enum { ISIG = 1, VINTR = 0, VEOF = 4, AGAIN = 250000000, LAST = 1 << 18 };
    enum { SIGINT = 2, SIGTERM = 15, SIGCONT = 18, SIGSTOP = 19, SIGTSTP = 20, SIGWINCH = 28 };
    struct stream typed, shown;
    struct settings before, inside;
    int pty[2];
    u32 info[32];
    long time[2];
    i64 list[4], size, n, mine = 0, paused = 0, left = 0, tty = ioctl(input, TCGETS, &before) == 0, resized = 1;
    if (passPty(NR_recvmsg, socket, pty) <= 0) return 0;
    typed.end = shown.end = 0;
    time[0] = 0;
    time[1] = AGAIN;
    while (sys3(NR_getppid, 0, 0, 0) == ends->parent) {
        if (!mine && !paused && input >= 0 && takeTerminal(ends, input, &before)) mine = resized = 1;
        if (resized && (!ioctl(output, TIOCGWINSZ, &size) || !ioctl(input, TIOCGWINSZ, &size)))
            ioctl(pty[0], TIOCSWINSZ, &size);
        resized = 0;
        if (left && !shown.end) {
            n = fill(&shown, pty[0]);
            left -= n;
            if (n <= 0 || left <= 0) break;
        }
        list[0] = WANTS(signals, POLLIN);
        list[1] = list[2] = list[3] = -1;
        if (!paused) {
            if (mine && !left && !typed.end) list[1] = WANTS(input, POLLIN);
            if (shown.end) list[2] = WANTS(output, POLLOUT);
            n = (shown.end ? 0 : POLLIN) | (typed.end ? POLLOUT : 0);
            if (n && pty[1] >= 0) list[3] = WANTS(pty[0], n);
        }
        if (sys(NR_ppoll, (i64)list, 4, mine || paused || input < 0 ? 0 : (i64)time, 0, 8, 0) < 0) continue;
        if (list[0] >> 48) {
            sys3(NR_read, signals, (i64)info, 128);
            n = info[0];
            if (n == SIGTERM) {
                if (left) break;
                left = LAST;
            }
            if (n == SIGWINCH) resized = 1;
            if (n == SIGTERM || n == SIGCONT) paused = 0;
            if (n == SIGTSTP && !paused && !left) {
                if (mine && ends->raw) giveSettings(ends->group, &before);
                mine = 0;
                paused = 1;
                sys3(NR_kill, ends->parent, SIGSTOP, 0);
            }
            continue;
        }
        if (list[2] >> 48 && (n = drain(&shown, output)) < 0 && n != -EAGAIN) break;
        if (list[1] >> 48) {
            mine = ends->raw ? isForeground(input, ends->group) : takeTerminal(ends, input, &before);
            if (!mine) continue;
            n = fill(&typed, input);
            ioctl(pty[1], TCGETS, &inside);
            if (n == 1 && typed.bytes[0] == inside.keys[VINTR] && inside.local & ISIG && ends->raw && statusFile &&
                !catches(statusFile, SIGINT))
                sys3(NR_kill, ends->parent, SIGINT, 0);
            if (n == 0) {
                /* the end of the file, as one types it: first of a line that is not whole, if it can be */
                typed.bytes[0] = typed.bytes[1] = inside.keys[VEOF];
                typed.end = tty ? 1 : 2;
            }
            if (n <= 0 && n != -EAGAIN) {
                /* a terminal that has been hung up: so shall the container's be */
                if (tty && list[1] >> 48 & POLLHUP) break;
                if (!tty) input = -1;
                mine = 0;
            }
        }
        if (list[3] >> 48) {
            if (typed.end) drain(&typed, pty[0]);
            if (!shown.end && fill(&shown, pty[0]) == -EIO) {
                /* somebody inside has hung it up (vhangup(2)); it can be opened again */
                sys3(NR_close, pty[1], 0, 0);
                pty[1] = sys3(NR_ioctl, pty[0], TIOCGPTPEER, O_RDWR_NOCTTY);
            }
        }
    }
    if (mine && ends->raw) giveSettings(ends->group, &before);
    return 0;
}
#endif

/* The process as a program that stands alone: what its caller ignores is no longer ignored but blocked, and not for the
 * child; what is to be passed on to that is blocked until it is waited for, the others of the mask for ever. */
static i64 listen(struct rules *rules, i64 others) {
    enum { SIG_IGN = 1, LAST_SIGNAL = 64 };
    long byDefault[8], before[8];
    i64 signal, bit, blocked = rules->signals | others;
    for (signal = 0; signal < 8; signal++) byDefault[signal] = 0;
    for (signal = 1; signal <= LAST_SIGNAL; signal++) {
        bit = (i64)1 << (signal - 1);
        before[0] = 0;
        sys(NR_rt_sigaction, signal, (i64)byDefault, (i64)before, 8, 0, 0);
        if (before[0] != SIG_IGN) continue;
        blocked = blocked | bit;
        if (signal != SIGCHLD) rules->signals = rules->signals & ~bit;
    }
    return sys(NR_rt_sigprocmask, 2, (i64)&blocked, 0, 8, 0, 0);
}

/* Writes the digits of a number so that the last one stands right before `end`. */
static i64 digits(u32 value, u8 *end) {
    do {
        *--end = 48 + value % 10;
        value = value / 10;
    } while (value);
    return 0;
}

/* Leaves of so many words what is in both. */
static i64 both(u32 *words, u32 *others, i64 count) {
    i64 i;
    for (i = 0; i < count; i++) words[i] = words[i] & others[i];
    return 0;
}

/* What stands in a text behind that word, which ends with a slash, up to the line's end: as a path that begins with "./". */
static i64 behind(u8 *text, u8 *word) {
    enum { ENOENT = 2, NEWLINE = 10, DOT = 46, SLASH = 47 };
    i64 i;
    u8 *end;
    for (; *text; text++) {
        for (i = 0; word[i] && text[i] == word[i]; i++) {}
        if (word[i]) continue;
        text = text + i - 2;
        text[0] = DOT;
        text[1] = SLASH;
        for (end = text; *end && *end != NEWLINE; end++) {}
        *end = 0;
        return (i64)text;
    }
    return -ENOENT;
}

/* Was the program given this one word as argument? */
static i64 says(long *stack, u8 *text) {
    u8 *word = (u8 *)stack[2];
    if (stack[0] != 2) return 0;
    for (; *word && *word == *text; text++) word++;
    return *word == *text;
}

/* Makes a list of those words and of the program's arguments, which begin with "--", if they are not too many. */
static i64 takeArguments(long *stack, long *list, i64 most, long *words) {
    enum { E2BIG = 7, DASH = 45 };
    u8 *word = (u8 *)stack[2];
    i64 i;
    while (*words) *list++ = *words++;
    *list = 0;
    if (stack[0] < 2) return 0;
    if (word[0] != DASH || word[1] != DASH || word[2]) return -EINVAL;
    if (stack[0] - 2 > most) return -E2BIG;
    for (i = 0; i < stack[0] - 2; i++) list[i] = stack[3 + i];
    list[i] = 0;
    return 0;
}

/* Removes a directory of which only directories have to be removed: a cgroup, with those below it, so many deep.
 * @param flags with which a directory is opened */
static i64 removeTree(i64 at, u8 *name, i64 flags, i64 depth) {
    enum { AT_REMOVEDIR = 512, DT_DIR = 4, LENGTH = 16, TYPE = 18, NAME = 19, DOT = 46, ENOTEMPTY = 39 };
    u8 list[1024], *entry;
    i64 fd, size, result = sys3(NR_unlinkat, at, (i64)name, AT_REMOVEDIR);
    if ((result != -EBUSY && result != -ENOTEMPTY) || depth == 0) return result;
    fd = sys3(NR_openat, at, (i64)name, flags);
    while ((size = sys3(NR_getdents64, fd, (i64)list, 1024)) > 0)
        for (entry = list; entry < list + size; entry += entry[LENGTH] | entry[LENGTH + 1] << 8)
            /* a cgroup may have no name that begins with a dot */
            if (entry[TYPE] == DT_DIR && entry[NAME] != DOT) removeTree(fd, entry + NAME, flags, depth - 1);
    sys3(NR_close, fd, 0, 0);
    return sys3(NR_unlinkat, at, (i64)name, AT_REMOVEDIR);
}

/* The same, until the kernel has let go of the last process that was in it, for half a second at most. */
static i64 removeCgroup(u8 *name, i64 flags, i64 depth) {
    enum { PAUSES = 50, PAUSE = 10000000 };
    long time[2];
    i64 result, i = 0;
    while ((result = removeTree(-1, name, flags, depth)) == -EBUSY && i++ < PAUSES) {
        time[0] = 0;
        time[1] = PAUSE;
        sys(NR_ppoll, 0, 0, (i64)time, 0, 0, 0);
    }
    return result;
}

/* What a task says of its failure: for the ops up to that number which no row before is for, what was tried, and the exit
 * status that stands for it. */
struct row {
    u32 last, status;
    i64 text;
};

struct table {
    /* strings: the errors' words one after the other, words before a status and a signal, what closes a line */
    i64 names, exited, stopped, end;
    struct row rows[1];
};

/* Beside errnos: the failure of a process by its exit status, and a signal that asked to stop. */
enum { FAILED = -65536, BY_STATUS = 4096, BY_SIGNAL = 8192 };

static void say(u8 *text) {
    i64 size = 0;
    while (text[size]) size++;
    sys3(NR_write, 2, (i64)text, size);
}

/* Tells the failure on standard error; its exit status, as a wait status. */
static i64 tell(u32 *failure, struct table *table) {
    struct row *row = table->rows;
    u8 number[16], *name = (u8 *)table->names;
    i64 error = failure[1], i;
    while (row->last < failure[0]) row++;
    say((u8 *)row->text);
    decimal(error & (BY_STATUS - 1), number);
    if (error >= BY_STATUS) {
        say((u8 *)(error >= BY_SIGNAL ? table->stopped : table->exited));
        name = number;
    } else {
        for (i = 1; i < error && *name; i++)
            while (*name++) {}
        if (*name < 32) name = number;
    }
    say(name);
    say((u8 *)table->end);
    return (error >= BY_SIGNAL ? 128 + error - BY_SIGNAL : (i64)row->status) << 8;
}

/* Did a process end well, and did nobody ask to stop meanwhile? */
static i64 check(i64 waitStatus, struct rules *rules, u32 *failure) {
    failure[1] = rules->stopped ? BY_SIGNAL + rules->stopped : BY_STATUS + exitStatus(waitStatus);
    return rules->stopped || waitStatus ? FAILED : 0;
}

static i64 perform(i64 nr, i64 *arg, u32 *failure) {
    if (nr >= 0) return sys(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    if (nr == OP_START) return start((struct task *)arg[0]);
    if (nr == OP_SUPERVISE) return supervise(arg[0], (struct rules *)arg[1], arg[2]);
    if (nr == OP_FOREGROUND) return foreground(arg[0]);
    if (nr == OP_EXIT) return sys3(NR_exit_group, exitStatus(arg[0]), 0, 0);
    if (nr == OP_DECIMAL) return decimal(arg[0], (u8 *)arg[1]);
#if !defined(ALONE)
    if (nr == OP_KEEP) return keep((struct board *)arg[0], arg[1]);
    if (nr == OP_SEND) return sendPty(arg[0], arg[1], arg[2]);
    if (nr == OP_RELAY) return relay((struct ends *)arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    if (nr == OP_SETTINGS) return giveSettings(arg[0], (void *)arg[1]);
#endif
    if (nr == OP_LISTEN) return listen((struct rules *)arg[0], arg[1]);
    /* heed(descriptor): what a process tells of its failure is this task's own */
    if (nr == OP_HEED) return sys3(NR_read, arg[0], (i64)failure, 8) == 8 ? FAILED : 0;
    if (nr == OP_CHECK) return check(arg[0], (struct rules *)arg[1], failure);
    if (nr == OP_DIGITS) return digits(arg[0], (u8 *)arg[1]);
    /* store(where, a, b): a - b, for an op of another task */
    if (nr == OP_STORE) return *(i64 *)arg[0] = arg[1] - arg[2], 0;
    if (nr == OP_SAYS) return says((long *)arg[0], (u8 *)arg[1]);
    if (nr == OP_ARGUMENTS) return takeArguments((long *)arg[0], (long *)arg[1], arg[2], (long *)arg[3]);
    if (nr == OP_BEHIND) return behind((u8 *)arg[0], (u8 *)arg[1]);
    if (nr == OP_BOTH) return both((u32 *)arg[0], (u32 *)arg[1], arg[2]);
    if (nr == OP_REMOVE) return removeCgroup((u8 *)arg[0], arg[1], arg[2]);
    /* due(rules): the deadline counts from now; late(wait status): it had passed */
    if (nr == OP_DUE) return ((struct rules *)arg[0])->deadline += milliseconds(), 0;
    return nr == OP_LATE ? arg[0] & TIMED_OUT : -EINVAL;
}

static i64 *savedOf(struct task *task) { return (i64 *)(task->ops + task->count); }

/* Runs the ops in order. 0, or 1 when one has failed, which `failure` then tells. */
static i64 runOps(struct task *task, u32 *failure) {
    i64 i, j, arg[6], result, tries = 0, rescue = task->rescue, *saved = savedOf(task);
    u32 now[2];
    for (i = 0; i < task->count; i++) {
        struct op *op = &task->ops[i];
        if (op->flags & ONLY_IF_KILLED && exitStatus(saved[op->guard]) != KILLED) continue;
        if (op->flags & ONLY_IF_SAVED && saved[op->guard] <= 0) continue;
        /* jump(by): so many ops are left out or, below 0, done once more */
        if (op->nr == OP_JUMP && tries++ < TRIES) {
            i += op->arg[0];
            continue;
        }
        for (j = 0; j < 6; j++) arg[j] = op->refs >> j & 1 ? saved[op->arg[j]] : op->arg[j];
        now[0] = task->base + i;
        result = op->nr == OP_TELL ? tell(failure, (struct table *)arg[0]) : perform(op->nr, arg, now);
        if (result == -EAGAIN && op->flags & TRY_AGAIN && tries++ < TRIES) {
            i--;
            continue;
        }
        if (result < 0 && result >= -MAX_ERRNO && !isFine(op, -result)) {
            now[1] = -result;
            result = FAILED;
        }
        if (result == FAILED) {
            failure[0] = now[0];
            failure[1] = now[1];
            if (!rescue) return 1;
            i = rescue - 1;
            rescue = 0;
            continue;
        }
        if (result == 0 && op->flags & STOP_AT_ZERO) break;
        if (op->save != NOWHERE) saved[op->save] = result;
        if (result >= 0 && op->flags & SKIP_NEXT) i++;
    }
    return 0;
}

/* A process's whole life; never returns. A started task runs on its own stack, in memory shared with the parent. */
static void runTask(struct task *task) {
    u32 failure[2];
    i64 failed = runOps(task, failure);
    if (failed && task->report >= 0) sys3(NR_write, task->report, (i64)failure, 8);
    sys3(NR_exit_group, failed ? SETUP_FAILED : 0, 0, 0);
}

/* Starts a task; its process id, or -errno. No signal reaches the child before its own ops let it: the handlers it
 * inherits belong to the parent's runtime. With CLONE_INTO_CGROUP, which only clone3(2) knows, task->pidfd is the cgroup
 * before it is the pidfd. */
static i64 start(struct task *task) {
    enum { CLONE_INTO_CGROUP_HIGH = 2, STACK = 512, CLONE_ARGS = 88 };
    i64 all = -1, before, pid, i, *stack = (i64 *)task->stack - 2, args[11];
    stack[0] = (i64)runTask;
    stack[1] = (i64)task;
    sys(NR_rt_sigprocmask, 2, (i64)&all, (i64)&before, 8, 0, 0);
    if (task->cloneFlags >> 32 & CLONE_INTO_CGROUP_HIGH) {
        for (i = 0; i < 11; i++) args[i] = 0;
        args[0] = task->cloneFlags & ~255;
        args[1] = (i64)&task->pidfd;
        args[4] = task->cloneFlags & 255;
        args[5] = (i64)stack - STACK;
        args[6] = STACK;
        args[10] = task->pidfd;
        pid = fork(NR_clone3, (i64)args, CLONE_ARGS, 0);
    } else {
        pid = fork(NR_clone, task->cloneFlags, (i64)stack, (i64)&task->pidfd);
    }
    sys(NR_rt_sigprocmask, 2, (i64)&before, 0, 8, 0, 0);
    return pid;
}

#if !defined(ALONE)
/* The parent is dead: so shall be all that it had started. Its descriptors, shared until now, are let go of first. */
static void endAll(struct board *board) {
    enum { CLOSE_RANGE_UNSHARE = 2, SIGKILL = 9, WALL = 0x40000000 };
    struct job *job;
    u32 failure[2];
    i64 everything = 0xffffffff;
    sys3(NR_close_range, 3, everything, CLOSE_RANGE_UNSHARE);
    for (job = board->first; job; job = job->next) sys3(NR_kill, job->group ? -job->pid : job->pid, SIGKILL, 0);
    while (sys3(NR_wait4, -1, 0, WALL) > 0) {}
    for (job = board->first; job; job = job->next)
        if (job->end) runOps(job->end, failure);
    sys3(NR_exit_group, 0, 0, 0);
}

static void takeReport(struct job *job) {
    i64 size;
    if (job->report < 0) return;
    size = sys3(NR_read, job->report, (i64)job->failure, 8);
    sys3(NR_close, job->report, 0, 0);
    job->report = -1;
    job->reported = size == 8 ? 2 : 1;
}

static void reapAll(struct board *board) {
    enum { WNOHANG = 1, WALL = 0x40000000 };
    struct job **at;
    int status;
    i64 pid;
    while ((pid = sys3(NR_wait4, -1, (i64)&status, WALL | WNOHANG)) > 0)
        for (at = &board->first; *at; at = &(*at)->next) {
            struct job *job = *at;
            if (job->pid != pid) continue;
            *at = job->next;
            takeReport(job);
            job->status = status;
            job->ended = 1;
            break;
        }
}

/* A command is a job and what to do with it: 0 launches it, else it is the signal to send. */
static void obey(struct board *board) {
    struct job *job;
    i64 command[2];
    if (sys3(NR_read, board->commands, (i64)command, 16) != 16) return;
    job = (struct job *)command[0];
    if (command[1]) {
        if (!job->ended && job->pid > 0) sys3(NR_kill, job->group ? -job->pid : job->pid, command[1], 0);
    } else if (savedOf(job->launch)[0] = 0, runOps(job->launch, job->failure)) {
        if (savedOf(job->launch)[0] > 0) endAll(board);
        job->reported = 2;
        job->ended = 1;
    } else {
        job->pid = savedOf(job->launch)[0];
        job->next = board->first;
        board->first = job;
    }
}

/* The life of a keeper: a process that starts others, for a parent with whom it shares memory and descriptors, and tells
 * it in that memory how they fare. It waits for commands, for reports, and for the two signals that `signals` reads:
 * SIGCHLD, and the one that the death of its parent (or of the thread that made it) sends. */
static i64 keep(struct board *board, i64 signals) {
    enum { POLLIN = 1, MAX_POLLED = 4096 };
    struct job *job, *polled[MAX_POLLED];
    struct { int fd; short events, revents; } list[MAX_POLLED];
    u32 info[32];
    i64 i, n;
    for (;;) {
        if (sys3(NR_getppid, 0, 0, 0) != board->parent) endAll(board);
        list[0].fd = board->commands;
        list[1].fd = signals;
        n = 2;
        for (job = board->first; job && n < MAX_POLLED; job = job->next)
            if (job->report >= 0) {
                polled[n] = job;
                list[n++].fd = job->report;
            }
        for (i = 0; i < n; i++) list[i].events = POLLIN;
        if (sys(NR_ppoll, (i64)list, n, 0, 0, 8, 0) < 0) continue;
        for (i = 2; i < n; i++)
            if (list[i].revents) takeReport(polled[i]);
        if (list[1].revents && sys3(NR_read, signals, (i64)info, 128) == 128) {
            if (info[0] != SIGCHLD) endAll(board);
            reapAll(board);
        }
        if (list[0].revents) obey(board);
        sys3(NR_write, board->wake, (i64)info, 1);
    }
}
#endif

/* The one entry: any system call by its number, or, by numbers below 0, what the enum above says. */
i64 launcher(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
    if (nr == OP_START) return start((struct task *)a);
    if (nr == OP_RUN) runTask((struct task *)a);
    if (nr == OP_BEGIN) {
        savedOf((struct task *)a)[0] = b;
        runTask((struct task *)a);
    }
    if (nr == OP_CATCH) return catchSignal(a);
    if (nr == OP_SUPERVISE) return supervise(a, (struct rules *)b, c);
    if (nr == OP_FOREGROUND) return foreground(a);
#if !defined(ALONE)
    if (nr == OP_SETTINGS) return giveSettings(a, (void *)b);
#endif
    return sys(nr, a, b, c, d, e, f);
}

i64 launcherEnd(void) { return 0; }
