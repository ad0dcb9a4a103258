/**
 * The filter of profile app: everything that a service or a command may need, which is what Docker's and Podman's users
 * know as the default. It is said by what it forbids; what is not known here is forbidden too.
 */
import { type Condition, errnoAction, RET, type Rule, type Seccomp } from "../../spec/seccomp.ts";
import { compatArch, nativeArch } from "../../sys/calls/table.ts";

/** Calls that act on the whole machine, and are allowed to those who have the capability for them. */
const BY_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_BPF: "bpf",
  CAP_DAC_READ_SEARCH: "open_by_handle_at",
  CAP_PERFMON: "perf_event_open",
  CAP_SYS_ADMIN:
    "bpf clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree " +
    "open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
  CAP_SYS_BOOT: "reboot",
  CAP_SYS_CHROOT: "chroot",
  CAP_SYS_MODULE: "delete_module finit_module init_module",
  CAP_SYS_NICE: "get_mempolicy mbind move_pages migrate_pages set_mempolicy set_mempolicy_home_node",
  CAP_SYS_PACCT: "acct",
  CAP_SYS_PTRACE: "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev",
  CAP_SYS_RAWIO: "ioperm iopl",
  CAP_SYS_TIME: "clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday stime",
  CAP_SYS_TTY_CONFIG: "vhangup",
  CAP_SYSLOG: "syslog",
};

/** Calls that reach the keyrings of the machine, old interfaces, and those whose bugs have let many out. */
const NEVER =
  "_sysctl add_key afs_syscall create_module get_kernel_syms getpmsg io_uring_enter io_uring_register io_uring_setup " +
  "kexec_file_load kexec_load keyctl nfsservctl pivot_root putpmsg query_module request_key security swapoff swapon sysfs " +
  "tuxcall uselib userfaultfd ustat vm86 vm86old vserver";

/** clone(2) with none of CLONE_NEWNS … CLONE_NEWNET; a new user namespace would give capabilities again. */
const NEW_NAMESPACES = 0x7e020000n;
/** PER_LINUX, PER_LINUX32, with and without ADDR_NO_RANDOMIZE's neighbour UNAME26, and the question for it */
const PERSONALITIES = [0x0n, 0x8n, 0x20000n, 0x20008n, 0xffffffffn];
const AF_VSOCK = 40n;

const condition = (index: number, op: Condition["op"], value: bigint, value2 = 0n): Condition => ({
  ...{ index, op, value, value2 },
});

/** The filter for init with these capabilities (CAP_… names). */
export function appSeccomp(machine: "x64" | "arm64", capabilities: ReadonlySet<string>): Seccomp {
  const forbidden = new Set(NEVER.split(" "));
  const gained = new Set<string>();
  for (const [capability, calls] of Object.entries(BY_CAPABILITY))
    for (const call of calls.split(" "))
      if (capabilities.has(capability)) gained.add(call);
      else forbidden.add(call);
  const conditional = new Set(["personality", "socket"]);
  const admin = capabilities.has("CAP_SYS_ADMIN");
  if (!admin) conditional.add("clone");
  const known = new Set([...nativeArch(machine).calls.keys(), ...compatArch(machine).calls.keys()]);
  const allowed = [...known].filter(
    (name) => !conditional.has(name) && (gained.has(name) || !forbidden.has(name)),
  );
  const allow = (names: readonly string[], ...conditions: Condition[]): Rule => ({
    ...{ names, conditions },
    action: RET.allow,
  });
  return {
    otherwise: errnoAction("EPERM"),
    compat: true,
    rules: [
      allow(allowed),
      ...PERSONALITIES.map((value) => allow(["personality"], condition(0, "EQ", value))),
      allow(["socket"], condition(0, "NE", AF_VSOCK)),
      ...(admin
        ? []
        : [
            allow(["clone"], condition(0, "MASKED_EQ", NEW_NAMESPACES, 0n)),
            // its flags are out of a filter's sight; C libraries fall back to clone(2)
            { names: ["clone3"], action: errnoAction("ENOSYS"), conditions: [] },
          ]),
    ],
  };
}
