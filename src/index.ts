/**
 * The library. `start()` starts one container of many beside whatever else the program does; `plan()` tells what it would
 * do. `run()` is the command's: it blocks until the container has ended.
 */
export { appArmorProfile } from "./host/survey/apparmor.ts";
export { NsError } from "./spec/error.ts";
export type { Facts, Spec } from "./spec/spec.ts";
export { END_NAME, endAfterWaiting, type Ended, type Outcome, type Progress } from "./run/end.ts";
export { freeze, notFrozen, showFrozen } from "./run/freeze.ts";
export { type PlanLine, plan } from "./run/plan.ts";
export { type Container, type ContainerOptions, start, startSpec } from "./run/container.ts";
export { type RunOptions, run } from "./run/start.ts";
export type { StatusTo } from "./run/status.ts";
export { type Proof, prove } from "./run/prove.ts";
export type { Standard } from "./run/standard.ts";
export { type Finding, type Survey, survey } from "./run/survey/survey.ts";
export { checkSupported } from "./run/unsupported.ts";
export { tryRun, type TryOptions } from "./run/try/try.ts";
export type { Change } from "./host/changes/walk.ts";
export { specOf, type Wanted } from "./spec/wanted.ts";
