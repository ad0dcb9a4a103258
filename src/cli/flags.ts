/**
 * The one table of ns's options. The strict argv pass (argv.ts), the help (help.ts, through citty) and later the
 * completions and the man page are made from it. A new option is one row here.
 */
import { parseSize } from "../spec/size.ts";
import type { Bytes } from "../sys/bytes.ts";

/** What the options say, before the positionals are known. */
export interface Options {
  verbose: boolean;
  network: boolean;
  user: boolean;
  memory: bigint | null;
  dryRun: boolean;
  help: boolean;
  version: boolean;
}

export const noOptions = (): Options => ({
  verbose: false,
  network: false,
  user: false,
  memory: null,
  dryRun: false,
  help: false,
  version: false,
});

interface Common {
  /** the long name, without dashes */
  readonly name: string;
  readonly short?: string;
  readonly help: string;
}

/** A switch may be given more than once; an option with a value may not. */
export type Flag =
  | (Common & { readonly kind: "switch"; readonly apply: (options: Options) => void })
  | (Common & {
      readonly kind: "value";
      /** what the value is, in capitals */
      readonly hint: string;
      readonly apply: (options: Options, value: Bytes, option: string) => void;
    });

export const FLAGS: readonly Flag[] = [
  {
    name: "verbose",
    short: "v",
    kind: "switch",
    help: "say each step on standard error",
    apply: (options) => {
      options.verbose = true;
    },
  },
  {
    name: "network",
    short: "n",
    kind: "switch",
    help: "a network namespace of its own; its loopback is up, the rest is PRE's",
    apply: (options) => {
      options.network = true;
    },
  },
  {
    name: "user",
    short: "u",
    kind: "switch",
    help: "a user namespace: root inside is UID and GID outside",
    apply: (options) => {
      options.user = true;
    },
  },
  {
    name: "memory",
    short: "m",
    kind: "value",
    hint: "SIZE",
    help: "limit memory, without swap on top: bytes, or with k, M, G, T (powers of 1024)",
    apply: (options, value, option) => {
      options.memory = parseSize(value, option);
    },
  },
  {
    name: "dry-run",
    kind: "switch",
    help: "print every system call of the plan and run nothing",
    apply: (options) => {
      options.dryRun = true;
    },
  },
  {
    name: "help",
    short: "h",
    kind: "switch",
    help: "print this help",
    apply: (options) => {
      options.help = true;
    },
  },
  {
    name: "version",
    kind: "switch",
    help: "print version, build, target and Bun's version",
    apply: (options) => {
      options.version = true;
    },
  },
];

export const USAGE = "ns [options] PRE NEWROOT INIT [UID GID] [-- ARG...]";
