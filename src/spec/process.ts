/** What init starts with, and how it ends. */
import { type Bytes, show } from "../sys/bytes.ts";
import { SIGNALS } from "../sys/constants.ts";
import { defaultEnvironment, type Environment } from "./env.ts";
import { usageError } from "./error.ts";

export const TTY = ["auto", "yes", "no"] as const;
export type Tty = (typeof TTY)[number];

export interface Process {
  /** init's working directory, a path inside the root */
  readonly workdir: Bytes;
  readonly env: Environment;
  readonly umask: number;
  /** what init finds as its own name (argv[0]); null: its path */
  readonly arg0: Bytes | null;
  /** process 1 is ns's own, and init its child */
  readonly reaper: boolean;
  /** a terminal of the container's own: in place of those among the caller's 0, 1 and 2, in any case, or never */
  readonly tty: Tty;
  /** the caller's descriptors, above 2, that init keeps under the same numbers */
  readonly passFds: readonly number[];
  readonly stop: Stop;
  /** script that the parent runs when the container is gone; absolute */
  readonly post: Bytes | null;
}

/** When and how init is stopped. Times are milliseconds. */
export interface Stop {
  /** what is sent to init for a SIGTERM */
  readonly signal: number;
  /** from being asked to stop to SIGKILL; null: as long as init likes, or the default after `timeout` */
  readonly grace: number | null;
  /** as long as init may run; null: for ever */
  readonly timeout: number | null;
}

export const defaultProcess = (): Process => ({
  workdir: "/",
  env: defaultEnvironment(),
  umask: 0o022,
  arg0: null,
  reaper: false,
  tty: "auto",
  passFds: [],
  stop: { signal: SIGNALS.SIGTERM, grace: null, timeout: null },
  post: null,
});

/** A path that begins with /. @throws NsError (usage) */
export function parseAbsolute(text: Bytes, option: string): Bytes {
  if (!text.startsWith("/")) throw usageError(`${option}: '${show(text)}' is not an absolute path`);
  return text;
}

/** A umask in octal, from 0 to 777. @throws NsError (usage) */
export function parseUmask(text: Bytes, option: string): number {
  if (!/^0*[0-7]{1,3}$/.test(text))
    throw usageError(`${option}: '${show(text)}' is not an octal number from 0 to 777, like 022`);
  return Number.parseInt(text, 8);
}

/** The number of a descriptor that init does not have. @throws NsError (usage) */
export function parseOwnDescriptor(text: Bytes, option: string): number {
  if (/^[012]$/.test(text)) throw usageError(`${option}: descriptor ${text} is init's own; give one above 2`);
  return parseDescriptor(text, option);
}

/** The number of a descriptor above 2. @throws NsError (usage) */
export function parseDescriptor(text: Bytes, option: string): number {
  if (/^[012]$/.test(text)) throw usageError(`${option}: init has descriptor ${text} anyway`);
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw usageError(`${option}: '${show(text)}' is not the number of a descriptor above 2`);
  return Number(text);
}
