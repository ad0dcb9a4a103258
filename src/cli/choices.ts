/** What can be typed as an option's value, read off its hint: for completions and the JSON Schema. */

export interface Choices {
  /** the words that it may be, as init, app and strict of `init|app|strict` */
  readonly words: readonly string[];
  /** it may be something else too */
  readonly open: boolean;
  /** it is, or begins with, a path of the host's */
  readonly isPath: boolean;
}

/** @param hint as in the flag table */
export function choicesOf(hint: string): Choices {
  const parts = hint.includes("[") ? hint.slice(0, hint.indexOf("[")).split("|") : hint.split("|");
  const words = parts.filter((part) => /^[a-z][a-z-]*$/.test(part));
  const open = words.length < parts.length || hint.includes("[");
  return { words, open, isPath: /^(FILE|PATH|DIR|SCRIPT|UPPER|SRC|ROOT)|\|(FILE|PATH)/.test(hint) };
}
