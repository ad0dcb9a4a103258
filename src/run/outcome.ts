/** What a run comes to, and what is told on the way. */
export interface Outcome {
  /** init's exit status, or 128 plus the signal that ended it */
  readonly status: number;
  /** what there is to say about it: why init was killed, or what went wrong at the end */
  readonly cause: string | null;
}

/** Told one line a step, for -v. */
export type Progress = (line: string) => void;
