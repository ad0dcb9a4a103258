/** What the command can do and the library cannot yet: said before anything is started, never left out in silence. */
import { usageError } from "../spec/error.ts";
import type { Spec } from "../spec/spec.ts";
import { SIGNALS } from "../sys/constants.ts";

/** @throws NsError (usage) for the first that was asked for */
export function checkSupported({ limits, network, process }: Spec): void {
  const refuse = (what: string, instead: string): never => {
    throw usageError(`${what} is the command's alone so far: ${instead}`);
  };
  if (network.mode === "pasta" || network.mode === "veth")
    refuse(`the network ${network.mode}`, "give a pre script that makes the network");
  if (process.post !== null) refuse("a post script", "wait for the end, and run it then");
  if (process.stop.timeout !== null) refuse("a timeout", "abort the container by a signal, or kill it");
  if (process.stop.grace !== null || process.stop.signal !== SIGNALS.SIGTERM)
    refuse("a signal and a grace for stopping", "send init what it is to get");
  if (limits.systemd === true)
    refuse(
      "a scope of systemd's",
      "start the whole program in one: systemd-run --user --scope -p Delegate=yes",
    );
  if (limits.priority !== null) refuse("a priority", "set it from inside, or for the whole program");
}
