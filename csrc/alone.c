/* What a program that stands alone (ns freeze) does besides. A part of launcher.c, for such programs. */
/* The process as a program that stands alone: what its caller ignores is no longer ignored but blocked, and not for the
 * child; what is to be passed on to that is blocked until it is waited for, the others of the mask for ever. */
static i64 listen(struct rules *rules, i64 others) {
    enum { SIG_IGN = 1, LAST_SIGNAL = 64 };
    long byDefault[8], before[8];
    i64 signal, blocked = rules->signals | others;
    unsigned long long bit = 1; /* of 64 signals: the highest is no number below 0 */
    for (signal = 0; signal < 8; signal++) byDefault[signal] = 0;
    for (signal = 1; signal <= LAST_SIGNAL; signal++, bit = bit + bit) {
        before[0] = 0;
        sys(NR_rt_sigaction, signal, (i64)byDefault, (i64)before, 8, 0, 0);
        if (before[0] != SIG_IGN) continue;
        blocked = blocked | bit;
        if (signal != SIGCHLD) rules->signals = rules->signals & ~bit;
    }
    mask(SIG_SETMASK, blocked, 0);
    return 0;
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
        poll(0, 0, time);
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
enum { BY_STATUS = 4096, BY_SIGNAL = 8192 };

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

/* @param failure the op's own or, of tell(), the one that it is told of */
static i64 performMore(i64 nr, i64 *arg, u32 *failure) {
    if (nr == OP_LISTEN) return listen((struct rules *)arg[0], arg[1]);
    /* heed(descriptor): what a process tells of its failure is this task's own */
    if (nr == OP_HEED) return sys3(NR_read, arg[0], (i64)failure, 8) == 8 ? FAILED : 0;
    if (nr == OP_CHECK) return check(arg[0], (struct rules *)arg[1], failure);
    if (nr == OP_TELL) return tell(failure, (struct table *)arg[0]);
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
