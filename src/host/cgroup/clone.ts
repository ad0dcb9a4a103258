/** Can clone3(2) start a process in a cgroup (CLONE_INTO_CGROUP, Linux 5.7)? Asked once. */
import { errnoNumber } from "../../sys/errno.ts";
import { call, scratch } from "../../sys/kernel.ts";

const CLONE_ARGS = 88;
const CLONE_INTO_CGROUP = 2 ** 33;
const CGROUP = 80;
/** a descriptor that nobody has open: the kernel says so only if it knows what it is for */
const NOBODY = 2 ** 30;
let known: boolean | undefined;

/** A kernel or a filter that does not know says ENOSYS, E2BIG, EINVAL or EPERM. */
export function canCloneInto(): boolean {
  known ??= scratch((memory) => {
    const args = memory.reserve(CLONE_ARGS);
    memory.clear(args, CLONE_ARGS);
    memory.putI64(args, CLONE_INTO_CGROUP);
    memory.putI64(args + CGROUP, NOBODY);
    return call("clone3", args, CLONE_ARGS) === -errnoNumber("EBADF");
  });
  return known;
}
