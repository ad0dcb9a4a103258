/** `ns --dry-run`: the plan on standard output, one system call a line, with who makes it. Runs nothing. */
import { plan } from "../../index.ts";
import type { Spec } from "../../spec/spec.ts";

export function dryRun(spec: Spec): void {
  console.log(
    plan(spec)
      .map(({ who, call }) => `${who.padEnd(5)} ${call}`)
      .join("\n"),
  );
}
