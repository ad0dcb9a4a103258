/** The task that runs pasta (passt(1)) in the parent's context, beside the container, for as long as that lives. */
import type { Facts } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { AT_FDCWD, O, PR, SIGNALS } from "../sys/constants.ts";
import { type Op, slot } from "./op.ts";
import { freshStart } from "./process.ts";

export interface PastaPlace {
  readonly executable: Bytes;
  readonly args: readonly Bytes[];
  /** what its standard input is: the network namespace that it joins, or nothing */
  readonly stdin: Bytes;
  /** descriptors that become its standard output, on which it says that it is ready, and standard error */
  readonly ready: number;
  readonly errors: number;
  /** descriptors to close one by one where the kernel lacks close_range */
  readonly inherited: readonly number[];
  /** signals that ns has handlers for: between the last step and the exec they would run in the child */
  readonly caught: readonly number[];
}

/** Ops from a fresh child of ns to the exec of pasta: a session of its own, no environment but PATH, nothing else open. */
export function pastaPlan(facts: Facts, place: PastaPlace): Op[] {
  const stdin = "open the network namespace for pasta";
  const output = "give pasta its output";
  const env = { strings: ["PATH=/sbin:/bin:/usr/sbin:/usr/bin"] };
  const argv = { strings: [place.executable, ...place.args] };
  return [
    { call: "setsid", args: [], step: "give pasta a session" },
    // beside the watcher, which is there for the case that a change of ids has taken this back
    { call: "prctl", args: [PR.PR_SET_PDEATHSIG, SIGNALS.SIGKILL], step: "die with the parent" },
    {
      call: "openat",
      args: [AT_FDCWD, place.stdin, O.O_RDONLY | O.O_CLOEXEC, 0],
      step: stdin,
      save: "netns",
    },
    { call: "dup3", args: [slot("netns"), 0, 0], step: stdin },
    { call: "dup3", args: [place.ready, 1, 0], step: output },
    { call: "dup3", args: [place.errors, 2, 0], step: output },
    { call: "chdir", args: ["/"], step: "enter /" },
    ...freshStart(facts, place.inherited, place.caught),
    { call: "execve", args: [place.executable, argv, env], step: "execute pasta" },
  ];
}
