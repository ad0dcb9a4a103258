/**
 * A worked example of an option: docs/options.md prints it, test/e2e/options.test.ts runs it. One file of them for each
 * group of the flag table.
 */
export interface Example {
  /** what it shows, one line */
  readonly text: string;
  /** a shell command; `ns` is the program, ROOT a busybox root, UID and GID the caller's; "-u" and the ids are added for an ordinary user where they are written as [-u] and [UID GID] */
  readonly command: string;
  /** standard output, exactly; a pattern where it differs from host to host */
  readonly prints: string | RegExp;
  /** init's exit status, 0 if not given */
  readonly status?: number;
  /** only root can do it */
  readonly root?: true;
  /** why it cannot run where the tests do: it is run in the virtual machine then (test/vm) */
  readonly elsewhere?: string;
}

export type Examples = Readonly<Record<string, Example>>;
