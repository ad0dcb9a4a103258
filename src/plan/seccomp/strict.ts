/**
 * The filter of profile strict: a list of what a program that computes, reads and writes files and talks to its own network
 * needs, and nothing else. No other kind of programs than the machine's own.
 */
import { type Condition, errnoAction, RET, type Seccomp } from "../../spec/seccomp.ts";

const FILES =
  "access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate " +
  "fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr " +
  "fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init " +
  "inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr " +
  "lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read " +
  "readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat statfs " +
  "statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice " +
  "write writev";
const MEMORY =
  "brk cachestat madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock " +
  "munlockall munmap";
const PROCESSES =
  "alarm arch_prctl capget execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake " +
  "get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getitimer getpgid getpgrp getpid getppid " +
  "getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid kill pause pidfd_open pidfd_send_signal prctl " +
  "prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend " +
  "rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr " +
  "sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_yield set_robust_list set_thread_area " +
  "set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid " +
  "setrlimit setsid setuid sigaltstack tgkill time times tkill umask uname vfork wait4 waitid";
const TIME =
  "clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep timer_create timer_delete timer_getoverrun " +
  "timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime";
const EVENTS =
  "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 pipe pipe2 poll ppoll " +
  "pselect6 select signalfd signalfd4";
const SOCKETS =
  "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg " +
  "sendto setsockopt shutdown socketpair";
const SYSTEM = "getrandom sysinfo landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp";

const AF_UNIX = 1n;
const AF_INET = 2n;
const AF_INET6 = 10n;
const NEW_NAMESPACES = 0x7e020000n;

export function strictSeccomp(): Seccomp {
  const names = [FILES, MEMORY, PROCESSES, TIME, EVENTS, SOCKETS, SYSTEM].join(" ").split(" ");
  const only = (name: string, op: Condition["op"], value: bigint, value2 = 0n) => ({
    names: [name],
    action: RET.allow,
    conditions: [{ index: 0, op, value, value2 }],
  });
  return {
    otherwise: errnoAction("EPERM"),
    compat: false,
    rules: [
      { names: [...new Set(names)], action: RET.allow, conditions: [] },
      only("clone", "MASKED_EQ", NEW_NAMESPACES, 0n),
      { names: ["clone3"], action: errnoAction("ENOSYS"), conditions: [] },
      ...[AF_UNIX, AF_INET, AF_INET6].map((family) => only("socket", "EQ", family)),
      only("personality", "EQ", 0xffffffffn),
    ],
  };
}
