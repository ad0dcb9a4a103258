/** Words and tables of docs/performance.md, from what scripts/bench.ts has measured. */
import { cpus, release } from "node:os";

export interface Result {
  readonly name: string;
  readonly medians: Readonly<Record<string, number>>;
}

const times = (value: number): string => `${value.toFixed(2)}×`;

function level({ name, medians }: Result): string {
  const ns = medians.ns ?? medians["ns --version"];
  if (ns === undefined) return "";
  const rows = Object.entries(medians).map(
    ([peer, ms]) => `| ${peer} | ${ms.toFixed(1)} ms | ${peer.startsWith("ns") ? "" : times(ns / ms)} |`,
  );
  return [`### ${name}`, "", "| | median | ns is |", "|---|---|---|", ...rows].join("\n");
}

/** The page. @param runs how often each command was run */
export function table(
  results: readonly Result[],
  memory: Readonly<Record<string, number>>,
  runs: number,
): string {
  const memoryRows = Object.entries(memory).map(([name, kb]) => `| ${name} | ${kb} kB |`);
  return `# Performance

Made by \`bun run scripts/bench.ts\`, which anybody can run: whole-process time of the release build, from exec to exit,
and the same of its peers on the same busybox root, ${runs} runs each, taken in turn. The ratios are what counts; the
machine here is a virtual one with ${cpus().length} processors, Linux ${release()}.

## Start to end of \`/bin/true\`

${results.map(level).join("\n\n")}

## Memory while waiting

Proportional set size of everything but the payload.

| | |
|---|---|
${memoryRows.join("\n")}

## What pays

Bun's own start is most of it. On top of that, measured with and without in one run each:

- bytecode (\`--bytecode\`): without it a start takes half as long again, the sources being parsed each time;
- a JIT that stays away (\`jitPolicy\`): start-up code runs once, compiling it is wasted;
- no regular expression with Unicode classes and no message put together that nobody reads: 3 ms;
- raw system calls through the launcher in place of \`node:fs\`, no event loop, no signal handlers of JavaScript's;
- CLONE_VM: the child runs in ns's memory until it executes init, no page tables are copied;
- the watcher starts while the child makes its mounts;
- a run that is over within 30 ms is waited for; only a longer one is worth the handover to the small waiting program.
`;
}
