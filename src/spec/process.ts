/** What init starts with, and how it ends. */
import type { Bytes } from "../sys/bytes.ts";

export interface Process {
  /** init's working directory, a path inside the root */
  readonly workdir: Bytes;
}

export const defaultProcess = (): Process => ({ workdir: "/" });
