/** What a frozen start says when a step fails: for each op what was tried, and the exit status that stands for it. */
import { EXIT } from "../../spec/error.ts";
import type { Spec } from "../../spec/spec.ts";
import { show } from "../../sys/bytes.ts";
import { errnoName, errnoText } from "../../sys/errno.ts";
import type { Op } from "../op.ts";
import { EXECUTE_INIT, FIND_INIT } from "./child.ts";
import { USAGE_STEP } from "./steps.ts";

/** Added to the number of an op of the child's, and of PRE's, when it is reported as failing. */
export const CHILD_BASE = 1_000_000;
export const PRE_BASE = 2_000_000;
const EXECUTE_PRE = "execute the pre script";
/** The last row is for all that no other is for. */
const NO_OTHER = 2 ** 31 - 1;
/** errnos are told in words up to this one (asm-generic/errno.h) */
const LAST_ERRNO = 133;

/** For the ops up to this number that the rows before are not for. */
export interface Row {
  readonly last: number;
  readonly text: string;
  readonly status: number;
}

function rowOf(spec: Spec, { step }: Op): Omit<Row, "last"> {
  const init = `ns: init ${show(spec.init)} in ${show(spec.root)}`;
  if (step === FIND_INIT) return { text: `${init} is not there: `, status: EXIT.notFound };
  if (step === EXECUTE_INIT) return { text: `${init} cannot be executed: `, status: EXIT.cannotExecute };
  if (step === USAGE_STEP)
    return { text: "ns: usage: FILE [-- ARG...], FILE --ns-show, FILE --ns-version: ", status: EXIT.usage };
  const what = step === EXECUTE_PRE ? `${step} ${show(spec.pre ?? "")}` : step;
  return { text: `ns: cannot ${what}: `, status: EXIT.failed };
}

/** One row for each run of ops of which the same is said. */
export function rowsOf(spec: Spec, parts: readonly { base: number; ops: readonly Op[] }[]): Row[] {
  const rows: Row[] = [];
  for (const { base, ops } of parts)
    ops.forEach((op, i) => {
      const row = { last: base + i, ...rowOf(spec, op) };
      const before = rows.at(-1);
      if (before !== undefined && before.last === row.last - 1 && before.text === row.text) rows.pop();
      rows.push(row);
    });
  return [...rows, { last: NO_OTHER, text: "ns: cannot start: ", status: EXIT.failed }];
}

/** The errors' words, in the order of their numbers, each with a closing 0; \x01 stands for none. */
export const errorWords = (): string =>
  `${Array.from({ length: LAST_ERRNO }, (_, i) =>
    errnoName(i + 1) === undefined ? "\x01" : errnoText(i + 1),
  ).join("\0")}\0`;
