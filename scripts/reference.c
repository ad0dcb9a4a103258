/* reference.c [-u UID GID] [-n] [-m CGROUP FILE=VALUE,FILE=VALUE] ROOT INIT: the floor of the benchmark. A static program
 * that asks the kernel for what ns asks for, in the same order (`ns --dry-run` shows it): clone with the namespaces, id
 * maps, the cgroup, private mounts, the root by open_tree and move_mount, pivot_root, a fresh /proc with its host-wide
 * switches read-only, loopback, a watcher, and the exec of INIT. What it leaves out is what makes ns a tool: the look at
 * the host, the checks, the program in sealed memory, the words for what fails. A call that fails ends it with the line's
 * number as its only message. scripts/bench/ compiles it: cc -O2 -static. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* numbers that older headers lack; these calls have the same one on every architecture */
enum {
    NR_open_tree = 428, NR_move_mount = 429, NR_fsopen = 430, NR_fsconfig = 431, NR_fsmount = 432, NR_pidfd_send_signal = 424,
    NR_close_range = 436, OPEN_TREE_CLONE_ = 1, OPEN_TREE_CLOEXEC_ = O_CLOEXEC, AT_RECURSIVE_ = 0x8000,
    MOVE_EMPTY_PATH = 4, MOVE_TO_EMPTY_PATH = 0x40, SET_STRING = 1, CREATE = 6, PROC_FLAGS = 2 | 4 | 8, CLOEXEC_RANGE = 4
};

#define must(call) mustAt((long)(call), __LINE__)

static long mustAt(long result, int line) {
    if (result >= 0) return result;
    dprintf(2, "reference.c:%d: %m\n", line);
    _exit(125);
}

static int user, network;
static char *uid, *gid, *cgroup, *settings, *root, **init;
static int gate[2], life[2], report[2], pidfd, tasks;
static char childStack[65536] __attribute__((aligned(16))), watcherStack[16384] __attribute__((aligned(16)));

static void put(const char *path, const char *text) {
    int file = must(open(path, O_WRONLY | O_CLOEXEC));
    must(write(file, text, strlen(text)));
    close(file);
}

static void readOnly(const char *name) {
    if (mount(name, name, 0, MS_BIND, 0) < 0 && errno == ENOENT) return; /* not in every kernel */
    must(mount(0, name, 0, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_REMOUNT | MS_BIND, 0));
}

static void mountRoot(void) {
    must(mount(0, "/", 0, MS_REC | MS_PRIVATE, 0));
    int tree = must(syscall(NR_open_tree, AT_FDCWD, ".", OPEN_TREE_CLONE_ | AT_RECURSIVE_ | OPEN_TREE_CLOEXEC_));
    must(syscall(NR_move_mount, tree, "", AT_FDCWD, ".", MOVE_EMPTY_PATH));
    must(fchdir(tree));
    must(syscall(SYS_pivot_root, ".", "."));
}

static void mountProc(void) {
    mkdir("/proc", 0555);
    int place = must(open("/proc", O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_PATH));
    int context = must(syscall(NR_fsopen, "proc", 1));
    must(syscall(NR_fsconfig, context, SET_STRING, "source", "proc", 0));
    must(syscall(NR_fsconfig, context, CREATE, 0, 0, 0));
    int tree = must(syscall(NR_fsmount, context, 1, PROC_FLAGS));
    must(syscall(NR_move_mount, tree, "", place, "", MOVE_EMPTY_PATH | MOVE_TO_EMPTY_PATH));
    must(fchdir(tree));
    must(mount("sys", "sys", 0, MS_BIND, 0));
    if (network) must(mount("sys/net", "sys/net", 0, MS_BIND, 0));
    must(mount(0, "sys", 0, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_REMOUNT | MS_BIND, 0));
    readOnly("sysrq-trigger");
    readOnly("irq");
    readOnly("bus");
    must(chdir("/"));
    must(umount2(".", MNT_DETACH));
    must(chdir("/"));
}

static int child(void *unused) {
    char byte;
    static char *environment[] = {"PATH=/sbin:/bin:/usr/sbin:/usr/bin", "container=reference", 0};
    close(gate[1]);
    close(life[1]);
    must(prctl(PR_SET_PDEATHSIG, SIGKILL));
    if (user) must(read(gate[0], &byte, 1));
    else must(syscall(SYS_setgroups, 0, 0));
    must(syscall(SYS_setresgid, 0, 0, 0));
    must(syscall(SYS_setresuid, 0, 0, 0));
    must(prctl(PR_SET_PDEATHSIG, SIGKILL));
    if (cgroup) must(write(tasks, "0", 1));
    must(read(gate[0], &byte, 1));
    must(unshare(CLONE_NEWCGROUP));
    mountRoot();
    mountProc();
    if (network) {
        struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        int channel = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        must(ioctl(channel, SIOCSIFFLAGS, &loopback));
        close(channel);
    }
    must(read(gate[0], &byte, 1));
    umask(022);
    must(syscall(NR_close_range, 3, ~0U, CLOEXEC_RANGE));
    must(execve(init[0], init, environment));
    return (int)(long)unused;
}

/* Ends the container when the program is gone. */
static int watch(void *unused) {
    char byte;
    setpgid(0, 0);
    close(life[1]);
    while (read(life[0], &byte, 1) > 0) {}
    syscall(NR_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
    if (cgroup) rmdir(cgroup);
    return (int)(long)unused;
}

int main(int count, char **word) {
    int status, flags = CLONE_VM | CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | SIGCHLD;
    char path[4096], text[64], byte;
    for (word++; count > 1 && *word && **word == '-'; word++) {
        if (!strcmp(*word, "-u")) user = 1, uid = *++word, gid = *++word, flags |= CLONE_NEWUSER;
        if (!strcmp(*word, "-n")) network = 1, flags |= CLONE_NEWNET;
        if (!strcmp(*word, "-m")) cgroup = *++word, settings = *++word;
    }
    root = *word++;
    init = word;
    must(chdir(root));
    if (cgroup) {
        must(mkdir(cgroup, 0755));
        for (char *name = strtok(settings, ","); name; name = strtok(0, ",")) {
            char *value = strchr(name, '=');
            *value++ = 0;
            snprintf(path, sizeof path, "%s/%s", cgroup, name);
            put(path, value);
        }
        snprintf(path, sizeof path, "%s/tasks", cgroup);
        tasks = must(open(path, O_WRONLY | O_CLOEXEC));
    }
    must(pipe2(gate, O_CLOEXEC));
    must(pipe2(life, O_CLOEXEC));
    must(pipe2(report, O_CLOEXEC));
    if (user) must(syscall(SYS_setgroups, 0, 0));
    int pid = must(clone(child, childStack + sizeof childStack, flags, 0, &pidfd));
    close(report[1]);
    if (user) {
        snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
        snprintf(text, sizeof text, "0 %s 1", uid);
        put(path, text);
        snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
        put(path, "deny");
        snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
        snprintf(text, sizeof text, "0 %s 1", gid);
        put(path, text);
        must(write(gate[1], "g", 1));
    }
    must(write(gate[1], "g", 1));
    int watcher = must(clone(watch, watcherStack + sizeof watcherStack, CLONE_VM | SIGCHLD, 0));
    must(write(gate[1], "g", 1));
    while (read(report[0], &byte, 1) > 0) {}
    must(waitpid(pid, &status, 0));
    must(kill(watcher, SIGKILL));
    waitpid(watcher, 0, 0);
    if (cgroup) must(rmdir(cgroup));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
