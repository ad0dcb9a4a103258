/* The process between the caller's terminal and the container's pty. A part of launcher.c, for ns itself. */
/* Between whom a relay stands, mirrored by src/plan/relay.ts. */
struct ends {
    /* process ids: of ns, and its process group */
    i64 parent, group;
    /* the caller's terminal is made raw; otherwise its lines are taken as they come */
    i64 raw;
};

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
    enum { SIGTTOU_BIT = 1 << 21 };
    mask(SIG_BLOCK, SIGTTOU_BIT, 0);
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
        if (poll(list, 4, mine || paused || input < 0 ? 0 : time) < 0) continue;
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
                kill(ends->parent, SIGSTOP);
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
                kill(ends->parent, SIGINT);
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
