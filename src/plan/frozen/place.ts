/** What has been laid out in a frozen file for its parent's ops (run/frozen/layout.ts): addresses, and what is there. */
import type { Place } from "../op.ts";
import type { FrozenBranch, ProgramPlace } from "./branch.ts";
import type { Descriptors } from "./descriptors.ts";
import type { Scratch } from "./search.ts";

/** Some memory of the program's. */
export interface Text extends Place {
  readonly length: number;
}

/** A path with room for a process id in it, whose digits end at `end`. */
export interface Path extends Place {
  readonly end: number;
}

/** What has been laid out for the parent. */
export interface ParentPlace {
  readonly descriptors: Descriptors;
  readonly branches: readonly FrozenBranch[];
  /** of the branches' directories */
  readonly runs: readonly Path[];
  /** of their programs */
  readonly programs: readonly ProgramPlace[];
  readonly scratch: Scratch;
  /** empty memory of the scratch text's size for where it is started, which the child finds as it is left */
  readonly start: Place;
  /** what --ns-show and --ns-version print */
  readonly show: Text;
  readonly version: Text;
  /** init's arguments as they were frozen, the list that init gets, and how many more there may be */
  readonly fixed: Place;
  readonly list: Place;
  readonly room: number;
  /** "/proc/PID" and "/proc/PID/status" */
  readonly proc: Path;
  readonly status: Path;
  /** PRE's argument */
  readonly pid: Place;
  /** the rules by which it waits, and where a word of them is */
  readonly rules: Place;
  readonly rule: (name: "who" | "group" | "impatience" | "grace" | "stopSignal") => Place;
  /** tasks */
  readonly child: Place;
  /** what the child's task begins with if it begins in this cgroup (version 2); null: it does so by itself, or is in none */
  readonly childInto: { readonly flags: number; readonly cgroup: number } | null;
  readonly watcher: Place;
  readonly pre: Place;
  /** whom the watcher kills besides, and who is nobody */
  readonly preKilled: Place;
  readonly nobody: number;
  /** the id maps, by the name of their file below /proc/PID */
  readonly maps: readonly { readonly file: string; readonly content: string }[];
  readonly table: Place;
}
