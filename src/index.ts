/** The library. `start()` runs a container to its end, `plan()` tells what it would do. */
export { NsError } from "./spec/error.ts";
export type { Facts, Spec } from "./spec/spec.ts";
export { type PlanLine, plan } from "./run/plan.ts";
export { type Outcome, type Progress, start } from "./run/start.ts";
