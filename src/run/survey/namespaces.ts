/** `ns check`: the job as a whole, and the namespaces one by one. */
import { FLAGS } from "../../plan/namespaces.ts";
import type { NsError } from "../../spec/error.ts";
import { NAMESPACES, type Namespace, type Spec } from "../../spec/spec.ts";
import { CLONE } from "../../sys/constants.ts";
import { textOf } from "../../host/survey/host.ts";
import { userNamespaceProblem } from "../check.ts";
import { cloneError } from "../failure.ts";
import type { Feature } from "./feature.ts";
import { attempt, rehearse, type Stage } from "./rehearse.ts";

const NAMES: Record<Namespace, string> = {
  mnt: "mounts",
  pid: "processes",
  uts: "host name",
  ipc: "System V IPC",
  cgroup: "cgroups",
  net: "network",
  time: "clocks",
  user: "users",
};

/** Without these there is no container; the others are left out or are options. */
const NEEDED: readonly Namespace[] = ["mnt", "pid", "uts", "ipc"];

/** Ids that own nothing, to try what a root gives to a container; in a user namespace there may be none but 0. */
const nobody = (): { uid: number; gid: number } => {
  const all = (name: string): boolean => / 4294967295$/.test(textOf(`/proc/self/${name}_map`));
  return all("uid") && all("gid") ? { uid: 65534, gid: 65534 } : { uid: 0, gid: 0 };
};

function enter(name: Namespace, { facts, listener }: Stage, base: Spec): void {
  // who may not make one by itself may make it together with a user namespace
  const user = base.user === null && name !== "user" ? 0 : CLONE.CLONE_NEWUSER;
  const late = name === "time";
  const unshare = { call: "unshare", args: [FLAGS.time], step: "make the time namespace" } as const;
  const result = attempt(late ? [unshare] : [], user | (late ? 0 : FLAGS[name]), listener);
  if (typeof result !== "number") {
    if (result !== null) throw failed(result, name, { facts, listener }, base);
    return;
  }
  const own = user === 0 || name === "user" ? [name] : (["user", name] as const);
  throw cloneError(user === 0 ? base : { ...base, user: nobody() }, facts, -result, [...own]);
}

const failed = ({ errno }: NsError, name: Namespace, { facts }: Stage, base: Spec): NsError =>
  cloneError(base, facts, errno ?? 0, [name]);

const userNamespaces = (): string => {
  const most = textOf("/proc/sys/user/max_user_namespaces");
  return most === "" ? "" : `at most ${most}: user.max_user_namespaces`;
};

const JOB = "a container";

export const NAMESPACE_FEATURES: readonly Feature[] = [
  {
    ...{ id: "job", group: JOB, name: "the plain job" },
    needed: () => true,
    attempt(stage, base) {
      rehearse(base, stage);
      return base.user === null ? "ns - NEWROOT INIT" : "ns -u - NEWROOT INIT $(id -u) $(id -g)";
    },
  },
  {
    ...{ id: "job-user", group: JOB, name: "by root, with --user" },
    asked: ({ facts }) => facts.capabilities.sysAdmin,
    attempt(stage, base) {
      rehearse({ ...base, user: nobody() }, stage);
      return "ns -u - NEWROOT INIT UID GID";
    },
  },
  {
    ...{ id: "everybody", group: JOB, name: "by ordinary users" },
    asked: ({ facts }) => facts.capabilities.sysAdmin,
    attempt({ facts }) {
      const problem = userNamespaceProblem({
        ...facts,
        capabilities: { ...facts.capabilities, sysAdmin: false },
      });
      if (problem !== null) throw problem;
      return "as the kernel's switches say";
    },
  },
  ...NAMESPACES.map(
    (name): Feature => ({
      ...{ id: `namespace-${name}`, group: "namespaces", name: NAMES[name] },
      needed: (base) => NEEDED.includes(name) || (name === "user" && base.user !== null),
      attempt(stage, base) {
        enter(name, stage, base);
        return name === "user" ? userNamespaces() || null : null;
      },
    }),
  ),
];
