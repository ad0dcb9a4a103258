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
 *
 * This file is the interpreter. It includes the other parts, and there are two of it: ns's own, and with -DALONE that of the
 * files that `ns freeze` makes.
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

/* What an op can do that no system call does: start(task), supervise(pid, rules, status file), exit(wait status),
 * decimal(value, where), foreground(group), keep(board, signals' descriptor), send(socket, master, slave),
 * relay(ends, socket, input, output, signals' descriptor, status file), settings(group, termios). As entries,
 * launcher(OP_RUN, task) becomes a task, launcher(OP_CATCH, signal) has the signal written as a byte to the descriptor that
 * stands MEMORY bytes behind the code, and launcher(OP_START, task), launcher(OP_SUPERVISE, pid, rules, status file),
 * launcher(OP_FOREGROUND, group) and launcher(OP_SETTINGS, group, termios) do what the ops do. */
enum {
    OP_START = -1, OP_RUN = -2, OP_SUPERVISE = -3, OP_EXIT = -4, OP_DECIMAL = -5, OP_CATCH = -6, OP_FOREGROUND = -7,
    OP_KEEP = -8, OP_SEND = -9, OP_RELAY = -10, OP_SETTINGS = -11
};
/* What a program that stands alone (src/plan/frozen/) does besides, as alone.c says. As an entry,
 * launcher(OP_BEGIN, task, stack) becomes a task, with the program's first stack as its first saved result. */
enum {
    OP_LISTEN = -20, OP_HEED = -21, OP_CHECK = -22, OP_TELL = -23, OP_DIGITS = -24, OP_STORE = -25, OP_SAYS = -26,
    OP_ARGUMENTS = -27, OP_DUE = -28, OP_LATE = -29, OP_BEGIN = -30, OP_REMOVE = -31, OP_BOTH = -32, OP_BEHIND = -33,
    OP_JUMP = -34
};
enum { PAGE = 4096, FROM_KERNEL = 128, SI_KERNEL = 128, SIGCHLD = 17, ESRCH = 3, EAGAIN = 11, EBUSY = 16, EINVAL = 22, TRIES = 1000 };
/* Beside errnos: an op has failed and tells why itself. */
enum { FAILED = -65536 };

i64 launcherBegin(void) { return 0; }

/* A function in assembly. clang would look up one that is only declared static in a table of addresses. */
#if defined(__clang__)
#define ASSEMBLY __attribute__((visibility("hidden")))
#else
#define ASSEMBLY static
#endif

#if defined(__x86_64__)
#include "machine/x64.h"
#elif defined(__aarch64__)
#include "machine/arm64.h"
#elif defined(__arm__)
#include "machine/arm.h"
#elif defined(__i386__)
#include "machine/i386.h"
#else
#error "this architecture has no system call stub yet"
#endif

/* The same with three arguments: a call of it takes half the code. */
static i64 sys3(i64 nr, i64 a, i64 b, i64 c) { return sys(nr, a, b, c, 0, 0, 0); }

static i64 kill(i64 pid, i64 signal) { return sys3(NR_kill, pid, signal, 0); }

enum { SIG_BLOCK = 0, SIG_SETMASK = 2 };
static void mask(i64 how, i64 set, i64 *before) { sys(NR_rt_sigprocmask, how, (i64)&set, (i64)before, 8, 0, 0); }

static i64 poll(void *list, i64 count, long *timeout) { return sys(NR_ppoll, (i64)list, count, (i64)timeout, 0, 8, 0); }

static i64 isFine(struct op *op, i64 errnum) {
    i64 i;
    for (i = 0; i < 8; i++)
        if (op->fine[i] == errnum) return 1;
    return 0;
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

static i64 start(struct task *task);
static i64 *savedOf(struct task *task);
static i64 runOps(struct task *task, u32 *failure);

#if !defined(ALONE)
#include "catch.c"
#endif
#include "supervise.c"
#if defined(ALONE)
#include "alone.c"
#else
#include "relay.c"
#include "keeper.c"
#endif

static i64 perform(i64 nr, i64 *arg, u32 *failure) {
    if (nr >= 0) return sys(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    if (nr == OP_START) return start((struct task *)arg[0]);
    if (nr == OP_SUPERVISE) return supervise(arg[0], (struct rules *)arg[1], arg[2]);
    if (nr == OP_FOREGROUND) return foreground(arg[0]);
    if (nr == OP_EXIT) return sys3(NR_exit_group, exitStatus(arg[0]), 0, 0);
    if (nr == OP_DECIMAL) return decimal(arg[0], (u8 *)arg[1]);
    return performMore(nr, arg, failure);
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
        result = perform(op->nr, arg, op->nr == OP_TELL ? failure : now);
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
    i64 before, pid, i, *stack = (i64 *)task->stack - 2, args[11];
    stack[0] = (i64)runTask;
    stack[1] = (i64)task;
    mask(SIG_SETMASK, -1, &before);
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
    mask(SIG_SETMASK, before, 0);
    return pid;
}

/* The one entry: any system call by its number, or, by numbers below 0, what the enum above says. */
i64 launcher(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
    i64 arg[6];
    if (nr == OP_RUN) runTask((struct task *)a);
#if defined(ALONE)
    if (nr == OP_BEGIN) {
        savedOf((struct task *)a)[0] = b;
        runTask((struct task *)a);
    }
#else
    if (nr == OP_CATCH) return catchSignal(a);
#endif
    arg[0] = a;
    arg[1] = b;
    arg[2] = c;
    arg[3] = d;
    arg[4] = e;
    arg[5] = f;
    return perform(nr, arg, 0);
}

i64 launcherEnd(void) { return 0; }
