/**
 * JSON as text, read strictly: what is wrong is told with its line and column, and a key that stands twice in an object,
 * of which JSON.parse silently takes the last, is refused. For files that people write (config.ts, ns batch).
 */
import { type NsError, usageError } from "../spec/error.ts";

/** Deeper than any spec, and far from the end of the stack. */
const DEEPEST = 100;
/** Words that stand for a value. */
const WORDS = [
  ["true", true],
  ["false", false],
  ["null", null],
] as const;
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" },
};

/**
 * The value that a text is; objects have no prototype.
 * @throws NsError (usage) that begins with "line L, column C: "
 */
export function parseJson(text: string): unknown {
  let at = 0;
  const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
  /** What a string may hold as it is: anything but its end, an escape and control characters. */
  const PLAIN = /[^"\\\x00-\x1f]*/y;
  const BLANK = /[ \t\r\n]*/y;
  const HEX = /[\da-fA-F]{4}/y;

  /** @param where what the message is about; the place that has been reached when not given */
  const wrong = (why: string, where = at): NsError => {
    const before = text.slice(0, where);
    const line = before.split("\n").length;
    return usageError(`line ${line}, column ${where - before.lastIndexOf("\n")}: ${why}`);
  };
  const expected = (what: string): NsError => {
    if (at >= text.length) return wrong(`the end comes where ${what} should be`);
    return wrong(`expected ${what} before ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))}`);
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const take = (character: string): boolean => {
    match(BLANK);
    if (text[at] !== character) return false;
    at++;
    return true;
  };

  const escaped = (): string => {
    const letter = text[at]!;
    if (letter === "u") {
      at++;
      const digits = match(HEX);
      if (digits === undefined) throw expected("four hexadecimal digits");
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const meant = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (meant === undefined) throw expected('one of "\\/bfnrtu');
    at++;
    return meant;
  };
  /** What follows an opening quotation mark. */
  const string = (): string => {
    const begin = at - 1;
    let out = "";
    for (;;) {
      out += match(PLAIN);
      const next = text[at];
      if (next === undefined) throw wrong("the string has no end", begin);
      if (next === '"') {
        at++;
        return out;
      }
      if (next !== "\\") throw wrong("a line break or control character in a string; write it as \\n or \\u");
      at++;
      out += escaped();
    }
  };
  const object = (depth: number): object => {
    const out = Object.create(null) as Record<string, unknown>;
    if (take("}")) return out;
    do {
      if (!take('"')) throw expected("a key in quotation marks");
      const begin = at - 1;
      const key = string();
      if (key in out) throw wrong(`${JSON.stringify(key)} stands here a second time`, begin);
      if (!take(":")) throw expected("a colon");
      out[key] = value(depth + 1);
    } while (take(","));
    if (!take("}")) throw expected("a comma or }");
    return out;
  };
  const array = (depth: number): unknown[] => {
    const out: unknown[] = [];
    if (take("]")) return out;
    do out.push(value(depth + 1));
    while (take(","));
    if (!take("]")) throw expected("a comma or ]");
    return out;
  };
  const value = (depth: number): unknown => {
    if (depth > DEEPEST) throw wrong("too deep");
    if (take("{")) return object(depth);
    if (take("[")) return array(depth);
    if (take('"')) return string();
    for (const [word, meant] of WORDS)
      if (text.startsWith(word, at)) {
        at += word.length;
        return meant;
      }
    const number = match(NUMBER);
    if (number === undefined) throw expected("a value");
    return Number(number);
  };

  const result = value(0);
  match(BLANK);
  if (at < text.length) throw expected("the end");
  return result;
}
