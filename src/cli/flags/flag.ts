/**
 * What a row of the flag table is, and the draft that rows write to. The strict argv pass (argv.ts), JSON specs (json.ts),
 * the help and docs/options.md are made from the same rows.
 */
import { defaultSpec, type Spec } from "../../spec/spec.ts";
import type { Bytes } from "../../sys/bytes.ts";
import type { StatusTo } from "../../index.ts";

type Mutable<T> = T extends string | number | bigint | boolean | null
  ? T
  : T extends readonly (infer E)[]
    ? E[]
    : T extends object
      ? { -readonly [K in keyof T]: Mutable<T[K]> }
      : T;

/** What the options have said so far. */
export interface Draft {
  readonly spec: Mutable<Spec>;
  /** --user: the ids come behind INIT, or by --map-uid and its like */
  user: boolean;
  verbose: boolean;
  /** where status lines go (run/status.ts) */
  status: StatusTo | null;
  dryRun: boolean;
  help: boolean;
  version: boolean;
  /** what a command's own options say (cli/commands/command.ts), by their names; a switch is true */
  readonly own: { [name: string]: Bytes | true };
}

export const newDraft = (): Draft => ({
  spec: defaultSpec() as unknown as Mutable<Spec>,
  user: false,
  verbose: false,
  status: null,
  dryRun: false,
  help: false,
  version: false,
  own: {},
});

interface Common {
  /** the long name, without dashes; also the key in a JSON spec */
  readonly name: string;
  readonly short?: string;
  readonly help: string;
  /** long names that it cannot be given with */
  readonly excludes?: readonly string[];
  /** long names of which one at least has to be given with it */
  readonly needs?: readonly string[];
  /** it says what ns does, not how the container is: not in a JSON spec */
  readonly commandOnly?: true;
}

/** A switch: no value, may be repeated. */
export interface SwitchFlag extends Common {
  readonly kind: "switch";
  readonly apply: (draft: Draft) => void;
}

/** A value: given once, unless it is a list. An optional one is given as --name=VALUE or left out (null). */
export interface ValueFlag extends Common {
  readonly kind: "value" | "list";
  /** what the value is, in capitals */
  readonly hint: string;
  /** @throws NsError (usage) that begins with `option`, the name as the user wrote it */
  readonly apply: (draft: Draft, value: Bytes, option: string) => void;
}

export interface OptionalFlag extends Common {
  readonly kind: "optional";
  readonly hint: string;
  readonly apply: (draft: Draft, value: Bytes | null, option: string) => void;
}

export type Flag = SwitchFlag | ValueFlag | OptionalFlag;

/** Rows that belong together, in the order of the help. */
export interface Group {
  readonly title: string;
  readonly flags: readonly Flag[];
}
