/* The process that starts others for a parent with many containers. A part of launcher.c, for ns itself. */
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

static void signalJob(struct job *job, i64 signal) { kill(job->group ? -job->pid : job->pid, signal); }

/* The parent is dead: so shall be all that it had started. Its descriptors, shared until now, are let go of first. */
static void endAll(struct board *board) {
    enum { CLOSE_RANGE_UNSHARE = 2, SIGKILL = 9, WALL = 0x40000000 };
    struct job *job;
    u32 failure[2];
    sys3(NR_close_range, 3, 0xffffffffL, CLOSE_RANGE_UNSHARE);
    for (job = board->first; job; job = job->next) signalJob(job, SIGKILL);
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
    i64 command[2], *pid;
    if (sys3(NR_read, board->commands, (i64)command, 16) != 16) return;
    job = (struct job *)command[0];
    if (command[1]) {
        if (!job->ended && job->pid > 0) signalJob(job, command[1]);
        return;
    }
    pid = savedOf(job->launch);
    *pid = 0;
    if (runOps(job->launch, job->failure)) {
        if (*pid > 0) endAll(board);
        job->reported = 2;
        job->ended = 1;
        return;
    }
    job->pid = *pid;
    job->next = board->first;
    board->first = job;
}

/* The life of a keeper: a process that starts others, for a parent with whom it shares memory and descriptors, and tells
 * it in that memory how they fare. It waits for commands, for reports, and for the two signals that `signals` reads:
 * SIGCHLD, and the one that the death of its parent (or of the thread that made it) sends.
 * Not inlined: its list of descriptors would then be on the stack of every task. */
__attribute__((noinline)) static i64 keep(struct board *board, i64 signals) {
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
        if (poll(list, n, 0) < 0) continue;
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

static i64 performMore(i64 nr, i64 *arg, u32 *failure) {
    (void)failure;
    if (nr == OP_KEEP) return keep((struct board *)arg[0], arg[1]);
    if (nr == OP_SEND) return sendPty(arg[0], arg[1], arg[2]);
    if (nr == OP_RELAY) return relay((struct ends *)arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    return nr == OP_SETTINGS ? giveSettings(arg[0], (void *)arg[1]) : -EINVAL;
}
