/** Finds what ns says to people in its own sources: the texts of errors and of notes. Used by test/unit/errors.test.ts. */

export interface Message {
  readonly file: string;
  readonly line: number;
  readonly kind: "error" | "note";
  /** with … for what is filled in */
  readonly text: string;
}

/** Calls whose texts a person reads. */
const CALLS = /\b(?:new NsError|usageError|refuse|sayError|wrong|notGranted|need|bad)\(/g;
const NOTES = /\bnote:|\bconst (?:note|[A-Z_]*NOTES?|OWN_CGROUP|OTHERWISE)\b[^=\n]*=(?=[^>])|\bsayNote\(/g;

/** The end of a bracketed part that begins at `at`. */
function endOf(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' || c === "'" || c === "`") i = skipString(text, i).end;
    else if ("([{".includes(c)) depth++;
    else if (")]}".includes(c)) {
      depth--;
      if (depth <= 0) return i;
    } else if (depth === 0 && (c === "," || c === ";")) return i;
  }
  return text.length;
}

/** A literal that begins at `at`, with … for what is filled in. */
function skipString(text: string, at: number): { end: number; value: string } {
  const quote = text[at]!;
  let value = "";
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i]!;
    if (c === quote) return { end: i, value };
    if (c === "\\") value += text[++i] === "n" ? "\n" : text[i]!;
    else if (quote === "`" && c === "$" && text[i + 1] === "{") {
      i = endOf(text, i + 1);
      value += "…";
    } else value += c;
  }
  return { end: text.length, value };
}

/** All literals of a part, those inside of what is filled in too. */
function literalsIn(text: string, from: number, to: number): { at: number; value: string }[] {
  const found: { at: number; value: string }[] = [];
  for (let i = from; i < to; i++) {
    if (!"\"'`".includes(text[i]!)) continue;
    const { end, value } = skipString(text, i);
    found.push({ at: i, value });
    i = end;
  }
  return found;
}

/** Comments become blanks, so that quotes in them open nothing. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\/|(^|[\s;,])\/\/[^\n]*/g, (part) => part.replace(/[^\n]/g, " "));

/** @param source of a file @param file its name */
export function messagesIn(source: string, file: string): Message[] {
  const text = withoutComments(source);
  const notes: [number, number][] = [...text.matchAll(NOTES)].map((match) => {
    const end = match.index + match[0].length;
    return match[0].endsWith("(") ? [end - 1, endOf(text, end - 1)] : [end, endOf(text, end)];
  });
  const isNote = (at: number): boolean => notes.some(([from, to]) => at >= from && at < to);
  const lineOf = (at: number): number => text.slice(0, at).split("\n").length;
  const found = new Map<number, Message>();
  const add = (kind: Message["kind"], from: number, to: number): void => {
    for (const { at, value } of literalsIn(text, from, to)) {
      // code between two literals that a regular expression with a quote in it has turned inside out
      if (!/[a-z]{2,} /.test(value) || /[\n;]$|=>|\n {2}/.test(value) || found.has(at)) continue;
      found.set(at, { file, line: lineOf(at), kind: isNote(at) ? "note" : kind, text: value });
    }
  };
  for (const [from, to] of notes) add("note", from, to);
  for (const match of text.matchAll(CALLS)) {
    const from = match.index + match[0].length - 1;
    add("error", from, endOf(text, from));
  }
  return [...found.values()].sort((a, b) => a.line - b.line);
}
