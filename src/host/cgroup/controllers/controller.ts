/** What a cgroup controller is to ns: which limits need it, and which files say them on cgroup v1 and on v2. */
import type { Limits } from "../../../spec/limits.ts";

export type Version = 1 | 2;

export interface Setting {
  readonly file: string;
  /** null: what the directory above has, where a new one begins empty */
  readonly value: string | null;
  /** the file need not be there: without it there is nothing to limit (no swap accounting) */
  readonly optional?: true;
  /** the file that tells which of these numbers are there to be had, where the kernel takes others in silence */
  readonly effective?: string;
  /** what to do when the kernel refuses it */
  readonly note?: string;
}

export interface Controller {
  /** its name on v2 */
  readonly name: string;
  /** its name on v1 */
  readonly v1: string;
  /** what it limits, in words */
  readonly limits: string;
  readonly needed: (limits: Limits) => boolean;
  /** What to write, in this order. @throws NsError for what this version cannot do */
  readonly settings: (version: Version, limits: Limits) => Setting[];
}
