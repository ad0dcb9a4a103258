/**
 * The one error of ns. Every layer throws it with words for a person: what failed, on which path, why, and where one can
 * act, what to do. Only the command line prints it.
 */
import { commonNote } from "./notes.ts";

export const EXIT = { usage: 2, timedOut: 124, failed: 125, cannotExecute: 126, notFound: 127 } as const;

export interface ErrorDetails {
  /** what a person can do about it; what is true of the errno anywhere when not given */
  note?: string | undefined;
  /** the exit status that ns ends with; 125 (ns itself failed) when not given */
  status?: number;
  /** the system's reason, when there is one */
  errno?: number;
}

export class NsError extends Error {
  override readonly name = "NsError";
  readonly note: string | undefined;
  readonly status: number;
  readonly errno: number | undefined;

  constructor(text: string, details: ErrorDetails = {}) {
    super(text);
    this.note = details.note ?? commonNote(details.errno);
    this.status = details.status ?? EXIT.failed;
    this.errno = details.errno;
  }
}

/** An error in what the user typed: exit status 2, one line, followed by the usage line. */
export const usageError = (text: string): NsError => new NsError(text, { status: EXIT.usage });
