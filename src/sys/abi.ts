/**
 * System call numbers by architecture (arch/x86/entry/syscalls/syscall_64.tbl). A new architecture is a new column here
 * and a stub in csrc/launcher.c.
 */
const x64 = {
  read: 0,
  write: 1,
  close: 3,
  poll: 7,
  mmap: 9,
  mprotect: 10,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  ioctl: 16,
  dup2: 33,
  getpid: 39,
  getpgid: 121,
  socket: 41,
  execve: 59,
  wait4: 61,
  kill: 62,
  fcntl: 72,
  flock: 73,
  getcwd: 79,
  chdir: 80,
  fchdir: 81,
  mkdir: 83,
  rmdir: 84,
  umask: 95,
  setpgid: 109,
  setsid: 112,
  setgroups: 116,
  setresuid: 117,
  setresgid: 119,
  pivot_root: 155,
  sethostname: 170,
  prctl: 157,
  chroot: 161,
  mount: 165,
  umount2: 166,
  getdents64: 217,
  openat: 257,
  readlinkat: 267,
  faccessat: 269,
  fstatfs: 138,
  unshare: 272,
  pipe2: 293,
  getppid: 110,
  prlimit64: 302,
  memfd_create: 319,
  execveat: 322,
  statfs: 137,
  statx: 332,
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  close_range: 436,
  openat2: 437,
  mount_setattr: 442,
  faccessat2: 439,
} as const;

export type Call = keyof typeof x64;

/** The number of a system call on the architecture that ns runs on. */
export function callNumber(call: Call): number {
  return x64[call];
}

/** e_machine (elf(5)). */
export const MACHINE = 62;

const OP_RUN = -2;

/**
 * The first instructions of a program that runs a task: launcher(OP_RUN, the task whose address is there).
 * @param there address of the word with the task's address
 * @param distance from the first of these bytes to the launcher's entry
 */
export function entryStub(there: number, distance: number): Uint8Array {
  const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 255);
  return Uint8Array.of(
    ...[0x48, 0xc7, 0xc7, ...word(OP_RUN)], // mov $OP_RUN, %rdi
    ...[0x48, 0x8b, 0x34, 0x25, ...word(there)], // mov there, %rsi
    ...[0xe8, ...word(distance - 20)], // call launcher
    ...[0x0f, 0x0b], // ud2
  );
}
