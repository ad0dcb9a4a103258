/** Options that limit the container's processes one by one, and that say how they are scheduled. */
import { usageError } from "../../spec/error.ts";
import { parseNumber } from "../../spec/limits.ts";
import { noPriority, parseIonice, parseSched } from "../../spec/priority.ts";
import { parseRlimit, shortName } from "../../spec/rlimit.ts";
import type { Flag } from "./flag.ts";

export const priorityFlags: readonly Flag[] = [
  {
    name: "rlimit",
    kind: "list",
    hint: "NAME=SOFT[:HARD]",
    help: "a resource limit of INIT's, by its name in prlimit(1), like nofile=1024:4096; or unlimited",
    apply: ({ spec }, value, option) => {
      const rlimit = parseRlimit(value, option);
      spec.limits.rlimits ??= [];
      if (spec.limits.rlimits.some(({ name }) => name === rlimit.name))
        throw usageError(`${option}: ${shortName(rlimit.name)} is given more than once`);
      spec.limits.rlimits.push(rlimit);
    },
  },
  {
    name: "oom-score-adj",
    kind: "value",
    hint: "NUMBER",
    help: "who is killed when the host's memory runs out: -1000 (never) to 1000 (first)",
    apply: ({ spec }, value, option) => {
      spec.limits.priority ??= noPriority();
      spec.limits.priority.oomScoreAdj = parseNumber(value, option, -1000, 1000);
    },
  },
  {
    name: "nice",
    kind: "value",
    hint: "NUMBER",
    help: "nice value, -20 (most favourable) to 19",
    apply: ({ spec }, value, option) => {
      spec.limits.priority ??= noPriority();
      spec.limits.priority.nice = parseNumber(value, option, -20, 19);
    },
  },
  {
    name: "sched",
    kind: "value",
    hint: "POLICY",
    help: "scheduling policy: other, batch, idle, fifo:PRIORITY or rr:PRIORITY",
    apply: ({ spec }, value, option) => {
      spec.limits.priority ??= noPriority();
      spec.limits.priority.sched = parseSched(value, option);
    },
  },
  {
    name: "ionice",
    kind: "value",
    hint: "CLASS",
    help: "I/O scheduling class: idle, best-effort:LEVEL or realtime:LEVEL (0 to 7)",
    apply: ({ spec }, value, option) => {
      spec.limits.priority ??= noPriority();
      spec.limits.priority.io = parseIonice(value, option);
    },
  },
];
