/** `ns --dry-run`: the plan as text, one system call a line, with who makes it. Runs nothing. */
import { plan } from "../../index.ts";
import type { Spec } from "../../spec/spec.ts";

export const dryRun = (spec: Spec): string =>
  plan(spec)
    .map(({ who, call }) => `${who.padEnd(5)} ${call}`)
    .join("\n");
