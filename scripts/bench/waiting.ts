/** Memory that a container's starter takes while init runs: the proportional set size of all its processes but init. */
import { readFileSync } from "node:fs";

const family = (pid: number): number[] => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return [pid, ...(children === "" ? [] : children.split(" ").flatMap((name) => family(Number(name))))];
};

/** Proportional set size of processes in kB. Those that share one memory, which the place of their stack tells, count once. */
export function pss(pids: readonly number[]): number {
  const memories = new Map<string, number>();
  for (const pid of pids) {
    const [size] = /(?<=^Pss: +)\d+(?= kB)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))!;
    memories.set(/.*\[stack\]/.exec(readFileSync(`/proc/${pid}/maps`, "utf8"))![0], Number(size));
  }
  return [...memories.values()].reduce((a, b) => a + b, 0);
}

const isInit = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("/bin/cat\0");

/** What is to run inside: it says that it runs and ends with its standard input. */
export const WAITING_INIT = ["/bin/sh", "-c", "echo ready; exec /bin/cat"];

/** Kilobytes; null when the command does not get to run its init, or becomes it. */
export async function waitingMemory(command: readonly string[]): Promise<number | null> {
  const child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  const said = await child.stdout.getReader().read();
  let least = Number.POSITIVE_INFINITY;
  // ns becomes what waits within a moment; the smallest of many looks is what it stays at
  for (const end = performance.now() + 300; !said.done && performance.now() < end; ) {
    try {
      least = Math.min(least, pss(family(child.pid).filter((pid) => !isInit(pid))));
    } catch {
      // a process has gone between two looks
    }
  }
  child.stdin.end();
  await child.exited;
  // nothing but init is left of chroot and its kind
  return Number.isFinite(least) && least > 0 ? least : null;
}
