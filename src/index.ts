/** The library. `start()` runs a container to its end, `plan()` tells what it would do. */
export { NsError } from "./spec/error.ts";
export type { Facts, Spec } from "./spec/spec.ts";
export { END_NAME, endAfterWaiting, type Outcome, type Progress } from "./run/end.ts";
export { type PlanLine, plan } from "./run/plan.ts";
export { type StartOptions, start } from "./run/start.ts";
