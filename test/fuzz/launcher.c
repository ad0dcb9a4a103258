/* csrc/launcher.c as a target of libFuzzer, with AddressSanitizer and UndefinedBehaviorSanitizer. The kernel is a stub that
 * answers from the input, within what a kernel may answer; so the input is a plan and a kernel's behaviour. It says too:
 *   - the kernel was given no memory that is not the launcher's to write or to read (sanitizers do not look into it);
 *   - a process that has been reaped is not signalled, nor everybody (0, -1); a descriptor that was closed is not read;
 *   - a relay loses, doubles and turns round no byte;
 *   - a job that has ended and is told of is its owner's again: its memory is freed here, and no longer looked at.
 * What src/plan/encode.ts and src/run/job.ts guarantee holds here as well: numbers of results and tasks are in range,
 * pointers lead to what they should. An input: a byte, which part is run; a byte, how many tasks; of each its number of
 * ops in a byte, and its ops as encode.ts lays them out; then the kernel's answers. launcher.test.ts builds and runs it. */
#include "input.h"

#define sys stubSys
#define fork stubFork
#define kill stubKill
#define poll stubPollOf
#include "../../csrc/launcher.c"

enum { TASKS = 4, JOBS = 4, OPS = 64, BLOCKS = 64, DEPTH = 3, REAPED = 256 };
enum { COMMANDS = 1000, SIGNALS, CAUGHT, STATUS, MASTER, SLAVE, INPUT, OUTPUT, WAKE, SOCKET, REPORT = 1100 };
enum { ME = 100, GROUP = 101, CHILD = 300, OTHER = 301, ORPHAN = 5000 };
enum { EINTR = 4, EBADF = 9, ECHILD = 10, EXECVE = 59, NOT_ITS_OWN = 0x10000 };

static void *blocks[BLOCKS];
static int nBlocks, nTasks, nJobs, depth, nReaped;
static struct task *tasks[TASKS];
static struct job *jobs[JOBS];
static u8 launched[JOBS], reportClosed[JOBS];
static i64 nextPid, reaped[REAPED], ownSignals;
static jmp_buf *life;
/* what has gone into a relay and has not come out yet: each byte is the number of its place */
static u8 shownIn, shownOut, typedIn, typedOut, strictTyped;

static void *block(size_t size) {
    void *made = calloc(1, size);
    if (nBlocks == BLOCKS) broken("blocks");
    return blocks[nBlocks++] = made;
}

static void unblock(void *made) {
    int i;
    for (i = 0; i < nBlocks; i++)
        if (blocks[i] == made) blocks[i] = 0;
    free(made);
}

static void reach(i64 address, i64 size) {
    if (size < 0 || (size && __asan_region_is_poisoned((void *)address, size))) {
        fprintf(stderr, "broken: the kernel was given %ld bytes at %lx\n", (long)size, (long)address);
        /* a report of who owns that place */
        memset((void *)address, 0, size < 0 ? 1 : size);
        abort();
    }
}

static i64 answer(void) {
    u8 byte = take();
    if (byte < 64) return -byte;
    if (byte < 128) return byte - 64;
    return byte < 240 ? byte : takeWord();
}

static int isReaped(i64 pid) {
    int i;
    for (i = 0; i < nReaped; i++)
        if (reaped[i] == pid) return 1;
    return 0;
}

static int jobOf(i64 fd) { return fd >= REPORT && fd < REPORT + nJobs ? fd - REPORT : -1; }

static i64 signalNumber(void) { return take() % 64 + 1; }

static i64 stubRead(i64 fd, i64 where, i64 size) {
    u8 *bytes = (u8 *)where, byte = take();
    i64 n = size, i, j;
    reach(where, size);
    if (byte > 0 && byte < 16) return -(i64)byte;
    if (fd == COMMANDS) {
        j = byte % (nJobs ? nJobs : 1);
        if (size != 16 || j >= nJobs || !jobs[j]) return -EAGAIN;
        i = launched[j] ? signalNumber() : 0;
        launched[j] = 1;
        memcpy(bytes, &jobs[j], 8);
        memcpy(bytes + 8, &i, 8);
        return 16;
    }
    if (fd == SIGNALS) {
        if (size != 128) return -22;
        memset(bytes, byte, 128);
        *(u32 *)(void *)bytes = byte & 1 ? 17 : (u32)signalNumber();
        return 128;
    }
    if (fd == CAUGHT) {
        *bytes = signalNumber();
        /* the kernel itself sends none of the real-time signals */
        if (byte & 1 && *bytes < 32) *bytes |= FROM_KERNEL;
        return 1;
    }
    if (fd == STATUS) {
        static const char line[] = "Name:\tx\nSigCgt:\t";
        n = take() * 16 + byte;
        if (n > size) n = size;
        for (i = 0; i < n; i++) bytes[i] = i % 20 == 19 ? '\n' : "0123456789abcdefCgt:\n\t "[(byte + i * i) % 23];
        /* lines of the kernel's end before the file does */
        if (n >= (i64)sizeof line + 20) {
            memcpy(bytes, line, sizeof line - 1);
            for (i = 0; i < 16; i++) bytes[sizeof line - 1 + i] = "0123456789abcdef"[take() & 15];
            bytes[sizeof line + 15] = '\n';
        }
        return n;
    }
    if (fd == MASTER || fd == INPUT) {
        n = byte <= 16 ? 0 : byte == 17 ? size : byte % 64;
        if (n > size) n = size;
        /* what is written in place of the end of the file was not typed */
        if (n == 0 && fd == INPUT) strictTyped = 0;
        for (i = 0; i < n; i++) bytes[i] = fd == MASTER ? shownIn++ : typedIn++;
        return n;
    }
    if ((j = jobOf(fd)) >= 0) {
        if (reportClosed[j]) broken("a closed report is read");
        n = byte % (size + 1);
        memset(bytes, byte, n);
        return n;
    }
    return -EBADF;
}

static i64 stubWrite(i64 fd, i64 where, i64 size) {
    const u8 *bytes = (const u8 *)where;
    u8 byte = take();
    i64 n = size, i;
    reach(where, size);
    if (fd == WAKE) {
        for (i = 0; i < nJobs; i++)
            if (jobs[i] && jobs[i]->ended) {
                unblock(jobs[i]);
                jobs[i] = 0;
            }
        return 1;
    }
    if (byte < 16) return -(i64)byte;
    if (n > byte) n = byte;
    if (fd == OUTPUT)
        for (i = 0; i < n; i++)
            if (bytes[i] != shownOut++) broken("what is shown is not what init wrote");
    if (fd == MASTER && strictTyped)
        for (i = 0; i < n; i++)
            if (bytes[i] != typedOut++) broken("what init reads is not what was typed");
    return n;
}

static i64 stubIoctl(i64 fd, i64 request, i64 where) {
    u8 byte = take();
    if (request == 0x5441) return byte & 1 ? SLAVE : -5;
    reach(where, request == TCGETS || request == TCSETS ? 36 : request == TIOCGWINSZ || request == TIOCSWINSZ ? 8 : 4);
    if (byte < 16) return -(i64)byte;
    if (request == TCGETS) memset((void *)where, byte, 36);
    if (request == TIOCGWINSZ) memset((void *)where, byte, 8);
    if (request == TIOCGPGRP) *(int *)where = byte & 1 ? GROUP : byte & 2 ? 0 : byte;
    return 0;
}

static i64 stubWait(i64 who, i64 where, i64 options) {
    u8 byte = take();
    i64 pid;
    if (where) reach(where, 4);
    if (byte < 32) return options & 1 ? 0 : -EINTR;
    if (byte < 48) return -ECHILD;
    pid = byte < 64 ? CHILD : byte < 80 ? ORPHAN + byte : ME + 100 + byte % (nextPid - ME - 99);
    if (pid == nextPid || nReaped == REAPED || isReaped(pid)) return -ECHILD;
    reaped[nReaped++] = pid;
    if (where) *(int *)where = take() << 8 | (take() & 127);
    return pid;
}

static i64 stubPoll(i64 where, i64 count, i64 timeout, i64 size) {
    struct { int fd; short events, revents; } *list = (void *)where;
    i64 i, ready = 0;
    u8 byte = take();
    reach(where, count * 8);
    if (timeout) {
        reach(timeout, 16);
        if (((long *)timeout)[0] < 0 || ((unsigned long *)timeout)[1] > 999999999) broken("a time out of range");
    }
    if (size != 8) broken("the size of a set of signals");
    if (byte < 8) return -EINTR;
    for (i = 0; i < count; i++) {
        /* ppoll(2): of a negative descriptor nothing is told */
        list[i].revents = list[i].fd < 0 ? 0 : take() & (list[i].events | 0x38);
        ready += list[i].revents != 0;
    }
    return ready;
}

static i64 stubSignals(i64 set, i64 info, i64 timeout) {
    u8 byte = take();
    i64 signal = signalNumber();
    reach(set, 8);
    if (info) reach(info, 128);
    if (timeout) reach(timeout, 16);
    if (byte < 32) return -EAGAIN;
    if (!(*(i64 *)set >> (signal - 1) & 1)) return -EINTR;
    if (info) {
        memset((void *)info, 0, 128);
        ((int *)info)[2] = byte & 1 && signal < 32 ? SI_KERNEL : 0;
    }
    return signal;
}

static i64 stubMessage(i64 nr, i64 where) {
    struct { long name, nameSize; i64 parts; long count; i64 control; long controlSize, flags; } *message = (void *)where;
    struct { i64 base; long size; } *part;
    u8 byte = take();
    long i;
    reach(where, sizeof *message);
    reach(message->parts, message->count * 16);
    part = (void *)message->parts;
    for (i = 0; i < message->count; i++) reach(part[i].base, part[i].size);
    reach(message->control, message->controlSize);
    if (byte < 16) return -(i64)byte;
    if (nr == NR_recvmsg) {
        ((int *)message->control)[4] = MASTER;
        ((int *)message->control)[5] = SLAVE;
    }
    return 1;
}

static i64 stubSignal(i64 target, i64 signal) {
    i64 pid = target < 0 ? -target : target;
    u8 byte = take();
    if (signal && ownSignals && (target == 0 || target == -1)) broken("everybody is signalled");
    if (signal && ownSignals && isReaped(pid)) broken("a process that has been reaped is signalled");
    if (signal < 0 || signal > 64) broken("no signal");
    return byte & 1 ? 0 : -ESRCH;
}

/* The call of an op is anything to the launcher: its number says that it is a plan's own, whose memory it does not know. */
i64 stubSys(i64 nr, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
    static i64 now;
    int j;
    switch (nr) {
    case NR_read: return stubRead(a, b, c);
    case NR_write: return stubWrite(a, b, c);
    case NR_openat: take(); return take() & 1 ? STATUS : -2;
    case NR_close:
        take();
        if ((j = jobOf(a)) >= 0) reportClosed[j] = 1;
        return 0;
    case NR_rt_sigaction: {
        int info[32] = {0};
        reach(b, 32);
        take();
        info[2] = take();
        (*(void (**)(int, int *))b)(signalNumber(), info);
        return 0;
    }
    case NR_rt_sigprocmask:
        if (b) reach(b, 8);
        if (c) {
            reach(c, 8);
            *(i64 *)c = 0;
        }
        return 0;
    case NR_ioctl: return stubIoctl(a, b, c);
    case NR_wait4: return stubWait(a, b, c);
    case NR_kill: return stubSignal(a, b);
    case NR_getppid: return take() == 255 ? 1 : ME;
    case NR_getpgid: return take() & 1 ? GROUP : a;
    case NR_rt_sigtimedwait: return stubSignals(a, b, c);
    case NR_clock_gettime:
        reach(b, 16);
        now += take();
        ((long *)b)[0] = now / 10;
        ((long *)b)[1] = now % 10 * 100000000;
        return 0;
    case NR_ppoll: return stubPoll(a, b, c, e);
    case NR_recvmsg:
    case NR_sendmsg: return stubMessage(nr, b);
    case NR_close_range: take(); return 0;
    case NR_exit_group:
        if (a < 0 || a > 255) broken("a status out of range");
        longjmp(*life, 1);
    case NOT_ITS_OWN + EXECVE: {
        i64 result = answer();
        if (result == 0) longjmp(*life, 1);
        return result;
    }
    default: return answer();
    }
}

/* The child lives at once, in this memory, as after clone(2) with CLONE_VM and CLONE_VFORK. */
i64 stubFork(i64 nr, i64 a, i64 b, i64 c) {
    i64 *stack = (i64 *)b, result = answer(), *args;
    jmp_buf own, *before = life;
    int known = 0, i;
    if (nr == NR_clone3) {
        args = (i64 *)a;
        reach(a, b);
        reach(args[5], args[6]);
        reach(args[1], 4);
        if (a == 0 || b != 88 || args[0] & 255 || args[4] > 255) broken("clone3");
        stack = (i64 *)(args[5] + args[6]);
    } else
        reach(c, 4);
    reach((i64)stack, 16);
    if (result < 0 || nextPid > ME + 150) return -EAGAIN;
    for (i = 0; i < nTasks; i++) known |= (i64)tasks[i] == stack[1];
    if (stack[0] != (i64)runTask || !known) broken("the child's stack");
    if (depth < DEPTH) {
        depth++;
        life = &own;
        if (!setjmp(own)) runTask((struct task *)stack[1]);
        life = before;
        depth--;
    }
    return nextPid++;
}

static i64 pointerFor(struct op *op, int j) {
    if (op->nr == OP_START && j == 0) return (i64)tasks[(uint64_t)op->arg[0] % nTasks];
    if (op->nr == OP_DECIMAL && j == 1) return (i64)block(11);
    if (op->nr == OP_SETTINGS && j == 1) return (i64)block(36);
    return 0;
}

static struct rules *takeRules(void) {
    struct rules *rules = block(sizeof *rules);
    rules->who = take() & 1 ? -1 : CHILD;
    rules->signals = take() & 1 ? takeWord() : 0;
    rules->caught = take() & 1 ? CAUGHT : -1;
    rules->patience = take();
    rules->impatience = take();
    rules->stopSignal = signalNumber();
    rules->grace = take() - 1;
    rules->lastGrace = take();
    rules->deadline = take() * 10;
    rules->stopping = take() & 1 ? 0 : take() & 1 ? 1 : TIMED_OUT;
    rules->until = take() * 10;
    rules->other = take() & 1 ? 0 : OTHER;
    rules->others = rules->other ? takeWord() : 0;
    return rules;
}

static struct ends *takeEnds(void) {
    struct ends *ends = block(sizeof *ends);
    ends->parent = ME;
    ends->group = GROUP;
    ends->raw = take() & 1;
    return ends;
}

/* Makes ops of the input ones that encode.ts could have made. */
static void takeOps(struct task *task, int isLaunch) {
    static const int own[] = {
        NR_read, NR_write, NR_openat, NR_close, NR_rt_sigaction, NR_rt_sigprocmask, NR_ioctl, NR_clone, NR_wait4, NR_kill,
        NR_getppid, NR_getpgid, NR_rt_sigtimedwait, NR_clock_gettime, NR_exit_group, NR_ppoll, NR_clone3, NR_close_range,
        NR_sendmsg, NR_recvmsg, EXECVE,
    };
    i64 i, j;
    for (i = 0; i < task->count; i++) {
        struct op *op = &task->ops[i];
        u8 pointers = 0;
        if (isLaunch && i == 0) {
            memset(op, 0, 16);
            op->nr = OP_START;
        }
        if (op->nr < OP_SETTINGS || op->nr == OP_RUN || op->nr == OP_CATCH) op->nr &= 0x3ff;
        for (j = 0; j < (i64)(sizeof own / sizeof *own); j++)
            if (op->nr == own[j]) op->nr += NOT_ITS_OWN;
        if (op->save != NOWHERE) op->save %= task->count;
        if (isLaunch && i > 0 && op->save == 0) op->save = NOWHERE;
        op->guard %= task->count;
        if (op->nr == OP_START || op->nr == OP_KEEP || op->nr == OP_RELAY) pointers = 1;
        if (op->nr == OP_DECIMAL || op->nr == OP_SETTINGS) pointers = 2;
        if (op->nr == OP_SUPERVISE) pointers = 3;
        if (op->nr == OP_RELAY || op->nr == OP_KEEP) pointers = 63;
        op->refs &= 63 & ~pointers;
        for (j = 0; j < 6; j++)
            if (op->refs >> j & 1) op->arg[j] = (uint64_t)op->arg[j] % task->count;
    }
}

static struct board *makeBoard(void) {
    struct board *board = block(sizeof *board);
    board->commands = COMMANDS;
    board->wake = WAKE;
    board->parent = ME;
    return board;
}

static void point(struct task *task, int ofKeeper) {
    i64 i;
    for (i = 0; i < task->count; i++) {
        struct op *op = &task->ops[i];
        if (nBlocks > BLOCKS - 8 && op->nr < OP_START && op->nr != OP_EXIT) op->nr = OP_FOREGROUND;
        /* nobody but the keeper waits for its children */
        if (ofKeeper && (op->nr == OP_SUPERVISE || op->nr == OP_KEEP)) op->nr = OP_FOREGROUND;
        if (op->nr == OP_START) op->arg[0] = pointerFor(op, 0);
        if (op->nr == OP_DECIMAL || op->nr == OP_SETTINGS) op->arg[1] = pointerFor(op, 1);
        if (op->nr == OP_SUPERVISE) {
            op->arg[0] = CHILD;
            op->arg[1] = (i64)takeRules();
        }
        if (op->nr == OP_KEEP) {
            op->arg[0] = (i64)makeBoard();
            op->arg[1] = SIGNALS;
        }
        if (op->nr == OP_RELAY) {
            op->arg[0] = (i64)takeEnds();
            op->arg[1] = SOCKET;
            op->arg[2] = INPUT;
            op->arg[3] = OUTPUT;
            op->arg[4] = SIGNALS;
        }
    }
}

/* Ends as runTask() may: with 8 bytes to the report, or nothing. */
static void runOne(struct task *task) {
    u32 failure[2] = {-1, 0};
    i64 failed = runOps(task, failure), at = (i64)failure[0] - task->base;
    if (!failed) return;
    if (at < 0 || at >= task->count) broken("the number of the op that failed");
    if (failure[1] < 1 || failure[1] > MAX_ERRNO || isFine(&task->ops[at], failure[1])) broken("the errno that is told");
}

static void story(void) {
    u8 part = take() % 10;
    int i;
    struct op *at;
    nTasks = take() % TASKS + 1;
    for (i = 0; i < nTasks; i++) {
        int count = take() % OPS + 1;
        struct task *task = tasks[i] = block(offsetof(struct task, ops) + (size_t)count * (64 + 8));
        task->count = count;
        task->base = 1000 * i;
        task->report = take() & 1 ? OUTPUT + 100 : -1;
        if (left < (size_t)count * sizeof *at) longjmp(whole, 1);
        memcpy(task->ops, data, (size_t)count * 64);
        data += count * 64;
        left -= (size_t)count * 64;
        task->cloneFlags = 0x4011 | (take() & 1 ? 1L << 33 : 0);
        task->stack = (i64)block(4096) + 4096;
        task->pidfd = 9;
    }
    /* two jobs share no task: a task of the first half is launched, one of the second half ends */
    for (i = 0; i < nTasks; i++) takeOps(tasks[i], part == 0 && i < nTasks / 2);
    for (i = 0; i < nTasks; i++) point(tasks[i], part == 0);
    ownSignals = part == 0 || part == 1 || part == 2;
    switch (part) {
    case 0: {
        struct board *board = makeBoard();
        for (i = 0; i < nTasks / 2; i++) {
            struct job *job = jobs[nJobs] = block(sizeof *job);
            job->launch = tasks[i];
            job->end = take() & 1 ? tasks[i + nTasks / 2] : 0;
            job->report = REPORT + nJobs++;
            job->group = take() & 1;
        }
        keep(board, SIGNALS);
        broken("a keeper does not return");
    }
    case 1: {
        struct rules *rules = takeRules();
        i64 status = launcher(OP_SUPERVISE, CHILD, (i64)rules, take() & 1 ? (i64) "" : 0, 0, 0, 0);
        if (status != -EAGAIN && (status < 0 || exitStatus(status) > 255)) broken("a status");
        break;
    }
    case 2: {
        struct ends *ends = takeEnds();
        struct op op = {0};
        op.nr = OP_RELAY;
        strictTyped = 1;
        op.arg[0] = (i64)ends;
        op.arg[1] = SOCKET;
        op.arg[2] = take() & 1 ? INPUT : -1;
        op.arg[3] = OUTPUT;
        op.arg[4] = SIGNALS;
        op.arg[5] = take() & 1;
        u32 failure[2];
        perform(op.nr, op.arg, failure);
        break;
    }
    case 3: launcher(OP_FOREGROUND, take(), 0, 0, 0, 0, 0); break;
    case 4: launcher(OP_SETTINGS, GROUP, (i64)block(36), 0, 0, 0, 0); break;
    case 5:
        launcher(OP_CATCH, signalNumber(), 0, 0, 0, 0, 0);
        /* what the terminal sends has a number below 32 */
        catches((i64) "", take() % 31 + 1);
        break;
    case 6: {
        u32 value = (u32)takeWord();
        char expected[16];
        char *where = block(11);
        decimal(value, (u8 *)where);
        snprintf(expected, sizeof expected, "%u", value);
        if (strcmp(where, expected)) broken("a decimal number");
        break;
    }
    case 7: launcher(OP_RUN, (i64)tasks[0], 0, 0, 0, 0, 0); broken("a task does not return"); break;
    case 8: launcher(OP_START, (i64)tasks[0], 0, 0, 0, 0, 0); break;
    default: runOne(tasks[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
    int i;
    data = input;
    left = size;
    nBlocks = nTasks = nJobs = depth = nReaped = 0;
    nextPid = ME + 100;
    shownIn = shownOut = typedIn = typedOut = strictTyped = 0;
    memset(launched, 0, sizeof launched);
    memset(reportClosed, 0, sizeof reportClosed);
    if (!setjmp(whole)) {
        jmp_buf own;
        life = &own;
        if (!setjmp(own)) story();
    }
    for (i = 0; i < nBlocks; i++) free(blocks[i]);
    return 0;
}
