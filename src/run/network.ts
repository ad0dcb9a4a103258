/**
 * The parent's side of the container's network: what can be known to fail before anything starts, and what is set up
 * between the clone and PRE: pasta beside the container, or a pair of interfaces. Called by start.ts and check.ts.
 */
import { ask, interfaceIndex, newAddress, newVeth } from "../host/network/netlink.ts";
import { findPasta, lastWords, pastaArguments, pastaNote } from "../host/network/pasta.ts";
import { readResolvConf } from "../host/network/resolv-conf.ts";
import { hasOwnNetwork } from "../plan/namespaces.ts";
import { type PastaPlace, pastaPlan } from "../plan/pasta.ts";
import { INSIDE, innerEndPlan, PREFIX, vethAddresses } from "../plan/veth.ts";
import type { Op } from "../plan/op.ts";
import { showOp } from "../plan/show.ts";
import { NsError } from "../spec/error.ts";
import { networkConflict } from "../spec/network.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { CLONE, O, SIGNALS } from "../sys/constants.ts";
import { errnoName, errnoText } from "../sys/errno.ts";
import { close, poll, readAll } from "../sys/file.ts";
import { call } from "../sys/kernel.ts";
import type { Listener } from "./listen.ts";
import { awaitReport, cannotStart, makePipe, reapNow, startReported } from "./task.ts";
import type { Watcher } from "./watcher.ts";

const F_SETFL = 4;

/** What was asked for and cannot be had here. @throws NsError */
export function checkNetwork(spec: Spec, facts: Facts): void {
  const { mode, bridge, publish, resolvConf } = spec.network;
  if (mode === "host" && publish === undefined && resolvConf === undefined) return;
  const conflict = networkConflict(spec);
  if (conflict !== null) throw conflict;
  if (mode === "pasta" && findPasta() === null)
    throw new NsError("--net=pasta: the program pasta is not there", { note: "apt-get install passt" });
  if (mode === "veth" && !facts.capabilities.sysAdmin)
    throw new NsError("--net=veth: only root may make interfaces in the host's network", {
      note: "as an ordinary user: --net=pasta",
    });
  if (bridge !== undefined && interfaceIndex(bridge) < 0)
    throw new NsError(`--net=veth: the host has no interface ${bridge}`, {
      note: `ip link add ${bridge} type bridge && ip link set ${bridge} up`,
    });
  if (resolvConf !== undefined && !facts.kernel.openat2)
    throw new NsError("--resolv-conf needs Linux 5.6 or newer");
  if (resolvConf === "host" && !facts.kernel.mountSetattr)
    throw new NsError("--resolv-conf=host needs Linux 5.12 or newer", { note: "--resolv-conf=copy" });
}

/** What the child's plan has to know. @throws NsError */
export const networkPlace = (spec: Spec): { resolvConf?: Bytes } =>
  spec.network.resolvConf === "copy" ? { resolvConf: readResolvConf(hasOwnNetwork(spec)) } : {};

export interface NetworkRun {
  readonly spec: Spec;
  readonly facts: Facts;
  /** the container's init, which waits */
  readonly child: number;
  readonly inherited: readonly number[];
  readonly listener: Listener;
  readonly say: (line: () => string) => void;
  /** the watcher, started if need be */
  readonly watch: () => Watcher;
}

/**
 * Sets the container's network up, where that is not left to PRE. A signal that asks ns to stop ends the waiting; the
 * caller sees to it.
 * @returns the process id of a helper that has to end with the container, or null
 * @throws NsError; the helper has ended then
 */
export function startNetwork(run: NetworkRun): number | null {
  const { mode } = run.spec.network;
  if (mode === "pasta") return startPasta(run);
  if (mode === "veth") makeVeth(run);
  return null;
}

/** Ends the helper. */
export function endNetwork(pid: number): void {
  call("kill", -pid, SIGNALS.SIGKILL);
  reapNow(pid);
}

const pastaPlace = (spec: Spec, facts: Facts, child: number | "PID") => ({
  executable: findPasta() ?? "pasta",
  args: pastaArguments(spec.network, spec.user === null ? null : child, facts.uid === 0),
  stdin: spec.user === null ? `/proc/${child}/ns/net` : "/dev/null",
});

function startPasta(run: NetworkRun): number {
  const { spec, facts, listener } = run;
  // first of all: it would keep the pipes' ends that are open when it starts
  const watcher = run.watch();
  const ready = makePipe("from pasta");
  // what pasta says later is lost, and must not stop it
  const errors = makePipe("from pasta", O.O_NONBLOCK);
  const place: PastaPlace = {
    ...pastaPlace(spec, facts, run.child),
    ...{ ready: ready[1], errors: errors[1], inherited: run.inherited },
    caught: [...listener.signals, SIGNALS.SIGCHLD],
  };
  run.say(() => `network: ${place.executable} ${place.args.join(" ")}`);
  const ops = pastaPlan(facts, place);
  const started = startReported(ops, CLONE.CLONE_VM);
  close(ready[1]);
  close(errors[1]);
  if (typeof started === "number") throw cannotStart("pasta", -started);
  const { pid } = started;
  watcher.watchHelper(pid);
  try {
    const failure = awaitReport(started, listener.waitForInput);
    if (failure !== null)
      throw new NsError(`cannot ${ops[failure.op]!.step}: ${errnoText(failure.errno)}`, {
        errno: failure.errno,
      });
    while (poll([ready[0]], 0) === 0 && listener.stopped() === null) listener.waitForInput(ready[0]);
    const said = listener.stopped() === null ? readAll(ready[0], 1) : "stopped";
    if (said === "") throw pastaError(pid, errors[0]);
  } catch (error) {
    endNetwork(pid);
    throw error;
  } finally {
    close(ready[0]);
    close(errors[0]);
  }
  run.say(() => `network: pasta is process ${pid}`);
  return pid;
}

/** It has let go of its output without a word: it is dying, or as good as dead. */
function pastaError(pid: number, errors: number): NsError {
  call("kill", -pid, SIGNALS.SIGKILL);
  call("fcntl", errors, F_SETFL, 0);
  const words = readAll(errors);
  const last = typeof words === "string" ? lastWords(words) : "";
  return new NsError(`pasta did not set up the network${last === "" ? "" : `: ${last}`}`, {
    note: pastaNote(last),
  });
}

/** The host's end is named for init's process id, which no other container here has. */
const outerName = (child: number | "PID"): string => `ns-${child}`;

function makeVeth(run: NetworkRun): void {
  const { bridge } = run.spec.network;
  const outside = outerName(run.child);
  const refuse = (what: string, result: number) =>
    new NsError(`--net=veth: cannot ${what}: ${errnoText(-result)}`, { errno: -result });
  const master = bridge === undefined ? null : interfaceIndex(bridge);
  if (master !== null && master < 0) throw refuse(`find the interface ${bridge}`, master);
  const made = ask(newVeth({ outside, inside: INSIDE, pid: run.child, bridge: master }));
  const where = bridge === undefined ? "" : ` in ${bridge}`;
  if (made < 0 && errnoName(-made) === "EOPNOTSUPP" && bridge !== undefined)
    throw new NsError(`--net=veth: ${bridge} is not a bridge`, { errno: -made });
  if (made < 0) throw refuse(`make the pair ${outside}${where} and ${INSIDE}`, made);
  run.say(() => `network: interface ${outside}${where}, ${INSIDE} inside`);
  const index = bridge === undefined ? interfaceIndex(outside) : null;
  if (index !== null) {
    const { outside: address, inside } = vethAddresses(index);
    const given = ask(newAddress(index, address, PREFIX));
    if (given < 0) throw refuse(`give ${outside} the address ${address.join(".")}`, given);
    run.say(() => `network: ${address.join(".")} outside, ${inside.join(".")} inside`);
  }
  const ops = innerEndPlan(run.child, index);
  const task = startReported(ops, CLONE.CLONE_VM);
  if (typeof task === "number") throw refuse("start a process", task);
  const failure = awaitReport(task, run.listener.waitForInput);
  reapNow(task.pid);
  if (failure !== null) throw refuse(ops[failure.op]!.step, -failure.errno);
}

/** What is done for the network beside the child, for --dry-run. @throws NsError (usage) for what does not go together */
export function networkLines(spec: Spec, facts: Facts): string[] {
  const conflict = networkConflict(spec);
  if (conflict !== null) throw conflict;
  const { mode, bridge } = spec.network;
  const show = (ops: readonly Op[]): string[] => ops.map(showOp);
  if (mode === "pasta")
    return show(
      pastaPlan(facts, {
        ...pastaPlace(spec, facts, "PID"),
        ready: 10,
        errors: 12,
        inherited: [],
        caught: [],
      }),
    );
  if (mode !== "veth") return [];
  const end = `rtnetlink: RTM_NEWLINK ${outerName("PID")} up${bridge === undefined ? "" : ` master ${bridge}`}`;
  const address = `rtnetlink: RTM_NEWADDR ${vethAddresses(0).outside.join(".")}/${PREFIX} ${outerName("PID")}`;
  return [
    `${end} type veth peer ${INSIDE} netns PID`,
    ...(bridge === undefined ? [address] : []),
    ...show(innerEndPlan("PID", bridge === undefined ? 0 : null)),
  ];
}
