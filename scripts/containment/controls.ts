/** Ways to run the attacker in which an attack is known to be open. Each shows what the others hold. For root. */
import type { Bait } from "../../src/plan/attack/attack.ts";
import { idAt } from "../../src/run/bait.ts";
import { ATTACKER } from "./attacker.ts";
import { everyPeerGroup, GROUP } from "./columns.ts";

export interface Control {
  readonly name: string;
  /** words of the command, for a root that has the attacker */
  readonly words: (root: string) => string[];
  readonly change?: (bait: Bait) => Bait;
  /** the program that has to be installed */
  readonly needs?: string;
}

const SHELL = "root=$1; shift";

export const controls: readonly Control[] = [
  {
    name: "chroot with the host's /proc, /sys and /dev, mounts shared, an open descriptor and a group",
    words: (root) => [
      ...["unshare", "-m", "sh", "-c"],
      `${SHELL}; mount --make-rshared /
      for d in proc sys dev; do mount --rbind /$d $root/$d; done; exec 7</etc; exec "$@"`,
      ...["sh", root, "setpriv", `--groups=${GROUP}`, "chroot", root, ATTACKER],
    ],
    change: (bait) => ({
      ...bait,
      ...{ groups: [GROUP], peers: everyPeerGroup, capabilities: 0n },
      limit: bait.hierarchy && { type: "cgroup", controllers: bait.hierarchy, file: "tasks" },
    }),
  },
  {
    name: "chroot in a pid namespace, with its /proc and the caller's process group",
    words: (root) => [
      ...["unshare", "-mpf", "sh", "-c"],
      `${SHELL}; mount -t proc none $root/proc; chroot $root ${ATTACKER}`,
      ...["sh", root],
    ],
  },
  {
    name: "the root entered from a working directory outside",
    words: (root) => ["nsenter", `-r${root}`, "-w/", ATTACKER],
  },
  {
    name: "bubblewrap, as root",
    words: (root) => ["bwrap", "--bind", root, "/", "--proc", "/proc", "--unshare-pid", ATTACKER],
    change: (bait) => ({ ...bait, executable: idAt("/usr/bin/bwrap") }),
    needs: "bwrap",
  },
  {
    name: "namespaces alone, no root of its own",
    words: (root) => ["unshare", "-mpf", "--mount-proc", root + ATTACKER],
  },
];

/** What none of them shows, and where it is shown instead. */
export const SHOWN_ELSEWHERE: Readonly<Record<string, string>> = {
  "root-below": "ns itself in an initramfs (test/vm/prove.test.ts)",
  "release-agent-nested": "kernels before 5.17 alone",
  "uevent-helper": "kernels with CONFIG_UEVENT_HELPER",
  binfmt: "machines that have binfmt_misc mounted",
  terminal: "a test with a terminal of its own (test/e2e/prove.test.ts)",
};
/** What a machine may not have, or its own confinement hold; test/vm/prove.test.ts has a machine that shows them. */
export const NEEDS_MACHINE: readonly string[] = [
  "disk",
  "memory-device",
  "device-files",
  "modprobe",
  "sysrq",
  "kcore",
  "modules",
  "kexec",
  "ports",
];
