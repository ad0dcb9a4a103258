/** `ns check`: everything that is tried, in the order in which it is told. A new option that needs the host is a row here. */
import { findPasta } from "../../host/network/pasta.ts";
import { textOf } from "../../host/survey/host.ts";
import { subidsOf } from "../../host/subid.ts";
import { filterTrial, keyringTrial } from "../../plan/rehearsal.ts";
import { USUAL_DEVICES } from "../../spec/devices.ts";
import type { KernelMount } from "../../spec/mounts.ts";
import type { Facts, Spec } from "../../spec/spec.ts";
import { access, close, open } from "../../sys/file.ts";
import { O } from "../../sys/constants.ts";
import { checkMounts } from "../check-mounts.ts";
import { checkIdmapRoot } from "../check.ts";
import { idmappedRoot } from "../idmap.ts";
import { findIdentity } from "../../host/identity.ts";
import { type Feature, need, rehearsed } from "./feature.ts";
import { NAMESPACE_FEATURES } from "./namespaces.ts";
import { LIMIT_FEATURES } from "./limits.ts";
import { programsFeature } from "./program.ts";
import { attempt, type Stage } from "./rehearse.ts";

const KERNEL = "system calls";
const knows = (id: keyof Facts["kernel"], name: string, version: string, without: string): Feature => ({
  ...{ id: `kernel-${id}`, group: KERNEL, name },
  attempt({ facts }) {
    need(
      facts.kernel[id],
      `this kernel or a filter around ns has no ${name}: ${without}`,
      `it is there from Linux ${version} on`,
    );
    return null;
  },
});

const flags = { readOnly: false, nosuid: true, nodev: true, noexec: true };
const withMount = (base: Spec, type: KernelMount["type"]): Spec => ({
  ...base,
  // sysfs shows a network namespace, which has to be the container's own
  network: type === "sysfs" ? { mode: "new" } : base.network,
  mounts: [{ type, target: "/mnt", flags }],
});
const mounts = (type: KernelMount["type"], name: string): Feature =>
  rehearsed(`mount-${type}`, "file systems", name, `--mount type=${type}`, (base) => withMount(base, type));

const inMemory = (base: Spec): Spec => ({
  ...base,
  rootfs: { ...base.rootfs, changes: { to: "memory", size: null } },
});
const withUser = (base: Spec): Spec => (base.user === null ? { ...base, user: { uid: 0, gid: 0 } } : base);

/** As the first file system that can: which one a root will lie on is not known here. */
const PLACES = ["/usr", "/opt", "/srv", "/mnt"];

function shiftIds({ facts, listener }: Stage, base: Spec): string {
  checkIdmapRoot(base, facts);
  const one = { inside: 0, outside: 0, count: 1 };
  const spec: Spec = { ...base, user: { uids: [one], gids: [one] }, ids: { ...base.ids, idmapRoot: true } };
  let problem: unknown;
  for (const place of PLACES.filter((path) => access(path, 0) === 0)) {
    const root = open(place, O.O_PATH | O.O_DIRECTORY);
    try {
      const identity = findIdentity(spec, facts, root);
      const tree = idmappedRoot({ spec, facts, identity, inherited: [], listener }, root, place);
      if (tree !== undefined) close(tree);
      return `--idmap-root, on the file system of ${place}`;
    } catch (error) {
      problem = error;
    } finally {
      if (root >= 0) close(root);
    }
  }
  throw problem;
}

const IMAGES = ["squashfs", "ext4", "erofs"];

function images({ facts }: Stage, base: Spec): string {
  checkMounts({ ...base, rootfs: { ...base.rootfs, image: "FILE" } }, facts);
  need(
    access("/dev/loop-control", 6) === 0,
    "there are no loop devices: /dev/loop-control cannot be opened",
    "modprobe loop",
  );
  const known = textOf("/proc/filesystems").split(/\s+/);
  const there = IMAGES.filter((name) => known.includes(name));
  need(there.length > 0, `the kernel has none of ${IMAGES.join(", ")} loaded`, "modprobe squashfs");
  return `--image, of ${there.join(", ")}`;
}

const ids = (kind: "uid" | "gid", { facts }: Stage): number =>
  subidsOf(kind, facts.uid).reduce((sum, { count }) => sum + count, 0);

export const FEATURES: readonly Feature[] = [
  ...NAMESPACE_FEATURES,
  knows("openat2", "openat2", "5.6", "names inside the root cannot be looked up for mounts and --workdir"),
  knows("mountDescriptors", "mounts by descriptor", "5.2", "no options about the root and about mounts"),
  knows("mountSetattr", "mount_setattr", "5.12", "no --idmap-root, no --resolv-conf=host"),
  knows("pidfd", "pidfd_open", "5.3", "a process that has ended may be confused with another"),
  knows("closeRange", "close_range", "5.11", "descriptors are closed one by one"),
  programsFeature,
  {
    ...{ id: "map-auto", group: "ids", name: "many ids in a container" },
    attempt(stage, base) {
      rehearsed("", "", "", null, (one) => ({ ...one, user: { map: "auto" } })).attempt(stage, base);
      return `--map=auto, ${ids("uid", stage)} uids and ${ids("gid", stage)} gids`;
    },
  },
  { ...{ id: "idmap-root", group: "ids", name: "a root with shifted ids" }, attempt: shiftIds },
  rehearsed("read-only", "file systems", "a read-only root", "--read-only", (base) => ({
    ...base,
    rootfs: { ...base.rootfs, readOnly: true },
  })),
  rehearsed("overlay", "file systems", "changes in memory (overlay)", "--ephemeral", inMemory),
  {
    ...rehearsed("overlay-user", "file systems", "the same with --user", "--user --ephemeral", (base) =>
      inMemory(withUser(base)),
    ),
    asked: ({ facts }) => facts.capabilities.sysAdmin,
  },
  { ...{ id: "image", group: "file systems", name: "a root in an image" }, attempt: images },
  mounts("sysfs", "sysfs of its own"),
  mounts("devpts", "terminals of its own (devpts)"),
  mounts("mqueue", "message queues (mqueue)"),
  mounts("cgroup", "a view of cgroups (cgroup2)"),
  rehearsed("network", "network", "a network of its own", "--network", (base) => ({
    ...base,
    network: { mode: "new" },
  })),
  {
    ...{ id: "pasta", group: "network", name: "the host's connections by pasta" },
    attempt(stage, base) {
      rehearsed("", "", "", null, (one) => ({ ...one, network: { mode: "pasta" } })).attempt(stage, base);
      return `--net=pasta, ${findPasta()}`;
    },
  },
  rehearsed("veth", "network", "a pair of interfaces", "--net=veth", (base) => ({
    ...base,
    network: { mode: "veth" },
  })),
  ...LIMIT_FEATURES,
  {
    ...{ id: "seccomp", group: "security", name: "seccomp filters" },
    attempt({ listener }) {
      const problem = attempt(filterTrial(), 0, listener);
      if (problem !== null && typeof problem === "object") throw problem;
      return "--seccomp";
    },
  },
  {
    ...{ id: "keyring", group: "security", name: "a session keyring of its own" },
    attempt({ listener }) {
      const problem = attempt(keyringTrial(), 0, listener);
      if (problem !== null && typeof problem === "object") throw problem;
      return null;
    },
  },
  rehearsed("devices", "security", "a list of devices", "--allow-device", (base) => ({
    ...base,
    security: { ...base.security, devices: USUAL_DEVICES },
  })),
  rehearsed("profile-app", "security", "the profile for services", "--profile=app", (base) => ({
    ...base,
    security: { ...base.security, profile: "app" },
  })),
  rehearsed("profile-strict", "security", "the tightest profile", "--profile=strict", (base) => ({
    ...base,
    security: { ...base.security, profile: "strict" },
  })),
];
