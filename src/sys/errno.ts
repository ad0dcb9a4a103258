/** Error numbers by name and in words (errno(3), asm-generic/errno.h). Used by plans, messages and --dry-run. */
const table = {
  EPERM: [1, "operation not permitted"],
  ENOENT: [2, "no such file or directory"],
  ESRCH: [3, "no such process"],
  EINTR: [4, "interrupted"],
  EIO: [5, "input/output error"],
  ENXIO: [6, "no such device"],
  E2BIG: [7, "argument list too long"],
  ENOEXEC: [8, "exec format error"],
  EBADF: [9, "bad file descriptor"],
  ECHILD: [10, "no child process"],
  EAGAIN: [11, "resource temporarily unavailable"],
  ENOMEM: [12, "out of memory"],
  EACCES: [13, "permission denied"],
  EFAULT: [14, "bad address"],
  EBUSY: [16, "device or resource busy"],
  EEXIST: [17, "file exists"],
  EXDEV: [18, "cross-device link"],
  ENODEV: [19, "no such device"],
  ENOTDIR: [20, "not a directory"],
  EISDIR: [21, "is a directory"],
  EINVAL: [22, "invalid argument"],
  ENFILE: [23, "too many open files in the system"],
  EMFILE: [24, "too many open files"],
  ENOTTY: [25, "not a terminal"],
  ETXTBSY: [26, "text file busy"],
  EFBIG: [27, "file too large"],
  ENOSPC: [28, "no space left"],
  ESPIPE: [29, "illegal seek"],
  EROFS: [30, "read-only file system"],
  EMLINK: [31, "too many links"],
  EPIPE: [32, "broken pipe"],
  ERANGE: [34, "result too large"],
  EDEADLK: [35, "resource deadlock avoided"],
  ENAMETOOLONG: [36, "file name too long"],
  ENOSYS: [38, "not in this kernel"],
  ENOTEMPTY: [39, "directory not empty"],
  ELOOP: [40, "too many levels of symbolic links"],
  ENODATA: [61, "no data"],
  EPROTO: [71, "protocol error"],
  EOVERFLOW: [75, "value too large"],
  ELIBBAD: [80, "broken shared library"],
  EUSERS: [87, "too many users"],
  EOPNOTSUPP: [95, "operation not supported"],
  EAFNOSUPPORT: [97, "address family not supported"],
  ETIMEDOUT: [110, "timed out"],
  ECONNREFUSED: [111, "connection refused"],
  ESTALE: [116, "stale file handle"],
  EUCLEAN: [117, "structure needs cleaning"],
  EDQUOT: [122, "disk quota exceeded"],
} as const;

export type ErrnoName = keyof typeof table;

export const errnoNumber = (name: ErrnoName): number => table[name][0];
// searched, not indexed: an error is told once, an index would be made at every start
export const errnoName = (errno: number): ErrnoName | undefined =>
  (Object.keys(table) as ErrnoName[]).find((name) => table[name][0] === errno);

/** The reason in words, small letters, as messages use it. */
export function errnoText(errno: number): string {
  const name = errnoName(errno);
  return name === undefined ? `error ${errno}` : table[name][1];
}
