/** The pids controller: how many processes and threads (pids.rst, cgroup-v2.rst). */
import type { Controller } from "./controller.ts";

export const pids: Controller = {
  name: "pids",
  v1: "pids",
  limits: "processes",
  needed: (limits) => limits.pids !== null,
  settings: (_, limits) => [{ file: "pids.max", value: `${limits.pids}` }],
};
