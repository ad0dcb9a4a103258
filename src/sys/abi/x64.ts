/** What is x86-64's own: call numbers (arch/x86/entry/syscalls/syscall_64.tbl), open flags, the entry of a program. */
export const calls = {
  read: 0,
  write: 1,
  close: 3,
  mmap: 9,
  mprotect: 10,
  munmap: 11,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  ioctl: 16,
  getpid: 39,
  socket: 41,
  connect: 42,
  socketpair: 53,
  execve: 59,
  wait4: 61,
  kill: 62,
  fcntl: 72,
  flock: 73,
  getcwd: 79,
  chdir: 80,
  fchdir: 81,
  umask: 95,
  setpgid: 109,
  getppid: 110,
  getrusage: 98,
  syslog: 103,
  setsid: 112,
  setgroups: 116,
  setresuid: 117,
  setresgid: 119,
  getpgid: 121,
  capget: 125,
  capset: 126,
  statfs: 137,
  fstatfs: 138,
  setpriority: 141,
  sched_setscheduler: 144,
  ioprio_set: 251,
  mknodat: 259,
  keyctl: 250,
  seccomp: 317,
  pivot_root: 155,
  sethostname: 170,
  prctl: 157,
  setdomainname: 171,
  chroot: 161,
  mount: 165,
  umount2: 166,
  getdents64: 217,
  clock_gettime: 228,
  openat: 257,
  mkdirat: 258,
  unlinkat: 263,
  renameat2: 316,
  readlinkat: 267,
  faccessat: 269,
  ppoll: 271,
  unshare: 272,
  signalfd4: 289,
  dup3: 292,
  pipe2: 293,
  prlimit64: 302,
  setns: 308,
  memfd_create: 319,
  bpf: 321,
  execveat: 322,
  statx: 332,
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  clone3: 435,
  close_range: 436,
  openat2: 437,
  mount_setattr: 442,
  faccessat2: 439,
  symlinkat: 266,
  linkat: 265,
  ftruncate: 77,
  utimensat: 280,
  lsetxattr: 189,
  lremovexattr: 198,
  sendfile: 40,
  fchownat: 260,
  lseek: 8,
  fchmodat: 268,
  lgetxattr: 192,
  llistxattr: 195,
} as const;

/** O_ flags that are not the same on every architecture (arch/x86 has those of asm-generic/fcntl.h). */
export const openFlags = { O_DIRECTORY: 0x10000, O_NOFOLLOW: 0x20000 } as const;

/** Where memory can be written (Abi): behind the three pages of the head (elf.ts). */
export const WRITABLE_AT = 12288;

export const HEAD_SIZE = 12288;

/** e_machine (elf(5)). */
export const MACHINE = 62;

const OP_RUN = -2;

export function entryStub(there: number, distance: number): Uint8Array {
  const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 255);
  return Uint8Array.of(
    ...[0x48, 0xc7, 0xc7, ...word(OP_RUN)], // mov $OP_RUN, %rdi
    ...[0x48, 0x8b, 0x34, 0x25, ...word(there)], // mov there, %rsi
    ...[0xe8, ...word(distance - 20)], // call launcher
    ...[0x0f, 0x0b], // ud2
  );
}
