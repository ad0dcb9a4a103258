/** The network namespace that a frozen start joins (host/netns.ts does it for others). Used by parent.ts. */
import type { Spec } from "../../spec/spec.ts";
import { show } from "../../sys/bytes.ts";
import { AT_FDCWD, CLONE, O } from "../../sys/constants.ts";
import type { Op } from "../op.ts";
import type { Descriptors } from "./descriptors.ts";
import { close } from "./steps.ts";

const LOOK = "look at the own network namespace";

/** Before the working directory changes: a relative name leads from where FILE is started. */
export function openNetworks({ namespaces: { joinNet } }: Spec): Op[] {
  if (joinNet === null) return [];
  const join = `join the network namespace ${show(joinNet)}`;
  // a fifo keeps nobody waiting
  const flags = O.O_RDONLY | O.O_NONBLOCK | O.O_CLOEXEC;
  return [
    { call: "openat", args: [AT_FDCWD, joinNet, flags, 0], step: join },
    { call: "openat", args: [AT_FDCWD, "/proc/self/ns/net", flags, 0], step: LOOK },
  ];
}

/**
 * Starts the child there, so that it has it with or without a user namespace of its own; PRE and this process stay where
 * they are.
 */
export function insideNetwork(spec: Spec, { networks }: Descriptors, startChild: Op): Op[] {
  const { joinNet } = spec.namespaces;
  if (joinNet === null || networks === null) return [startChild];
  const [other, own] = networks;
  const join = `join the network namespace ${show(joinNet)}`;
  const leave = "leave the network namespace again";
  return [
    { call: "setns", args: [other, CLONE.CLONE_NEWNET], step: join },
    startChild,
    { call: "setns", args: [own, CLONE.CLONE_NEWNET], step: leave },
    close(own),
    close(other),
  ];
}
