/* Waiting for a child, and passing signals on to it. A part of launcher.c. */
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

/* Beside the 16 bits of a wait status: the deadline had passed. */
enum { TIMED_OUT = 1 << 16, TIMED_OUT_STATUS = 124, KILLED = 137 };

static i64 exitStatus(i64 waitStatus) {
    if (waitStatus & TIMED_OUT) return TIMED_OUT_STATUS;
    return waitStatus & 127 ? 128 + (waitStatus & 127) : waitStatus >> 8 & 255;
}

/* Does the process have a handler for the signal, by the line "SigCgt:" of its /proc/PID/status? Not inlined: its text would
 * take a page of stack for as long as somebody waits. */
__attribute__((noinline)) static i64 catches(i64 statusFile, i64 signal) {
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
    int now = 0, ours = group;
    if (sys3(NR_ioctl, 0, TIOCGPGRP, (i64)&now) < 0 || now == ours) return 0;
    if (now > 0 && kill(-now, 0) != -ESRCH) return 0;
    mask(SIG_BLOCK, SIGTTOU_BIT, 0);
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
    long time[2], *timeout = 0;
    i64 signal, due = rules->deadline;
    struct { int fd; short events, revents; } pipe;
    if (rules->caught >= 0 && sys3(NR_read, rules->caught, (i64)&byte, 1) == 1) return byte;
    if (rules->until && (!due || rules->until < due)) due = rules->until;
    if (due) {
        signal = due - milliseconds();
        if (signal <= 0) return 0;
        time[0] = (long)signal / 1000;
        time[1] = (long)signal % 1000 * 1000000;
        timeout = time;
    }
    if (rules->signals == 0) {
        pipe.fd = rules->caught;
        pipe.events = 1;
        poll(&pipe, 1, timeout);
        return 0;
    }
    rules->caught = -1;
    signal = sys(NR_rt_sigtimedwait, (i64)&rules->signals, (i64)info, (i64)timeout, 8, 0, 0);
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
            kill(whom, signal);
            continue;
        }
        signal = nextSignal(rules);
        fromTerminal = signal & FROM_KERNEL;
        signal = signal & ~FROM_KERNEL;
        if (signal == 0 || signal == SIGCHLD) continue;
        if (rules->other && rules->others >> (signal - 1) & 1) {
            kill(rules->other, signal);
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
                kill(whom, SIGKILL);
                continue;
            }
        }
        if (fromTerminal) continue;
        kill(whom, signal == SIGTERM ? rules->stopSignal : signal);
    }
}
