/** What is known of standard output: whether it is a terminal, how wide, and whether colours are wanted. */

export interface Screen {
  /** columns; null: no terminal, lines may be as long as they are */
  readonly width: number | null;
  /** marks a text: green, yellow, red, bold, dim; as it is where no colours are wanted */
  readonly paint: (style: Style, text: string) => string;
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Style = keyof typeof STYLES;

const LEAST = 60;
const MOST = 120;

/** Looks at standard output. A pipe is not touched: that would leave it non-blocking for others (sys/kernel.ts). */
export async function screen(): Promise<Screen> {
  const { isatty } = await import("node:tty");
  if (!isatty(1)) return { width: null, paint: (_, text) => text };
  const width = Math.max(LEAST, Math.min(MOST, process.stdout.columns ?? 80));
  const plain = Boolean(process.env.NO_COLOR) || process.env.TERM === "dumb";
  return { width, paint: (style, text) => (plain ? text : `\x1b[${STYLES[style]}m${text}\x1b[0m`) };
}

/** The words in lines of at most so many characters; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
