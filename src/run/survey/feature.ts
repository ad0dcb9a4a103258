/** What a row of the tables of features is (table.ts): one thing that ns can do where the host lets it. */
import { NsError } from "../../spec/error.ts";
import type { Spec } from "../../spec/spec.ts";
import { rehearse, type Stage } from "./rehearse.ts";

export interface Feature {
  /** for machines: never changes */
  readonly id: string;
  readonly group: string;
  readonly name: string;
  /** without it no container can be started at all */
  readonly needed?: (base: Spec) => boolean;
  /** left out where it makes no sense */
  readonly asked?: (stage: Stage) => boolean;
  /**
   * Tries it. @param base the plainest run that this caller can start
   * @returns a word on it, or null @throws NsError with what is missing, and how to get it
   */
  readonly attempt: (stage: Stage, base: Spec) => string | null;
}

/** A feature that is one run's: rehearsed as a whole. @param option what asks for it */
export const rehearsed = (
  id: string,
  group: string,
  name: string,
  option: string | null,
  change: (base: Spec, stage: Stage) => Spec,
): Feature => ({
  ...{ id, group, name },
  attempt(stage, base) {
    rehearse(change(base, stage), stage);
    return option;
  },
});

/** Something that is there or not, found out before. */
export function need(there: boolean, problem: string, note?: string): void {
  if (!there) throw new NsError(problem, { note });
}
