/** What is arm64's own: call numbers (asm-generic/unistd.h), open flags (arch/arm64), the entry of a program. */
export const calls = {
  getcwd: 17,
  dup3: 24,
  signalfd4: 74,
  fcntl: 25,
  ioctl: 29,
  flock: 32,
  mkdirat: 34,
  unlinkat: 35,
  umount2: 39,
  mount: 40,
  setpriority: 140,
  sched_setscheduler: 119,
  ioprio_set: 30,
  mknodat: 33,
  keyctl: 219,
  seccomp: 277,
  pivot_root: 41,
  sethostname: 161,
  setdomainname: 162,
  statfs: 43,
  fstatfs: 44,
  faccessat: 48,
  chdir: 49,
  fchdir: 50,
  chroot: 51,
  openat: 56,
  close: 57,
  pipe2: 59,
  getdents64: 61,
  read: 63,
  write: 64,
  ppoll: 73,
  readlinkat: 78,
  capget: 90,
  capset: 91,
  unshare: 97,
  clock_gettime: 113,
  kill: 129,
  rt_sigaction: 134,
  rt_sigprocmask: 135,
  setresuid: 147,
  setresgid: 149,
  setpgid: 154,
  getpgid: 155,
  setsid: 157,
  setgroups: 159,
  umask: 166,
  prctl: 167,
  getpid: 172,
  getppid: 173,
  getrusage: 165,
  syslog: 116,
  socketpair: 199,
  socket: 198,
  connect: 203,
  execve: 221,
  mmap: 222,
  mprotect: 226,
  munmap: 215,
  wait4: 260,
  prlimit64: 261,
  setns: 268,
  memfd_create: 279,
  bpf: 280,
  execveat: 281,
  renameat2: 276,
  statx: 291,
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
  symlinkat: 36,
  linkat: 37,
  ftruncate: 46,
  utimensat: 88,
  lsetxattr: 6,
  lremovexattr: 15,
  sendfile: 71,
  fchownat: 54,
  lseek: 62,
  fchmodat: 53,
  lgetxattr: 9,
  llistxattr: 12,
} as const;

/** O_ flags that are not the same on every architecture (arch/arm64/include/uapi/asm/fcntl.h). */
export const openFlags = { O_DIRECTORY: 0x4000, O_NOFOLLOW: 0x8000 } as const;

/** Where memory can be written (Abi): a page may have 4, 16 or 64 KiB. */
export const WRITABLE_AT = 65536;

export const HEAD_SIZE = 16384;

/** e_machine (elf(5)). */
export const MACHINE = 183;

const OP_RUN = -2;

export function entryStub(there: number, distance: number): Uint8Array {
  const half = (value: number, at: number): number => ((value >> at) & 0xffff) << 5;
  const words = [
    0x92800000 | (~OP_RUN << 5), // mov x0, #OP_RUN
    0xd2800001 | half(there, 0), // mov x1, #(the lower half of there)
    0xf2a00001 | half(there, 16), // movk x1, #(the upper half), lsl #16
    0xf9400021, // ldr x1, [x1]
    0x94000000 | (((distance - 16) >> 2) & 0x3ffffff), // bl launcher
    0, // udf
  ];
  return new Uint8Array(new Uint32Array(words).buffer);
}
