/** What a person can do about a system's error, whatever it is that has failed: for errors that say nothing better. */
import { type ErrnoName, errnoName } from "../sys/errno.ts";

const NOTES: Partial<Record<ErrnoName, string>> = {
  EMFILE: "more open files are needed than this process may have: ulimit -n",
  ENFILE: "the whole machine has no open file left: sysctl fs.file-max",
  ENOMEM: "the machine, the cgroup or a limit of this process has no memory left",
  EDQUOT: "a quota is used up: see quota, or the cgroup's or the file system's limits",
  EIO: "the kernel log says more: dmesg",
  EUCLEAN: "the file system is damaged: fsck",
  ENOSYS: "this kernel, or a seccomp filter around ns, does not have that system call",
};

/** @returns undefined when there is nothing to do that is true everywhere */
export function commonNote(errno: number | undefined): string | undefined {
  if (errno === undefined) return undefined;
  const name = errnoName(errno);
  return name === undefined ? undefined : NOTES[name];
}
