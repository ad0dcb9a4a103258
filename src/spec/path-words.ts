/** Parsers for paths and lists of paths in what the user types: `A:B`, SRC, DST. */
import { type Bytes, show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";

const MAX_PATH = 4095;

/** Splits at a separator; with a backslash before it, it belongs to the name. */
export function splitEscaped(text: Bytes, separator: "," | ":"): Bytes[] {
  const parts: Bytes[] = [];
  let part = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\" && text[i + 1] === separator) {
      part += separator;
      i++;
    } else if (c === separator) {
      parts.push(part);
      part = "";
    } else part += c;
  }
  return [...parts, part];
}

/** A path on the host. @throws NsError (usage) when it is empty or too long */
export function parseSource(text: Bytes, option: string, name = "SRC"): Bytes {
  if (text === "") throw usageError(`${option}: ${name} is empty`);
  if (text.length > MAX_PATH) throw usageError(`${option}: ${name} is too long for a path`);
  return text;
}

/** A path inside the root. @throws NsError (usage) for what is empty, relative, has `..` or is the root itself */
export function parseTarget(text: Bytes, option: string, name = "DST"): Bytes {
  parseSource(text, option, name);
  const refuse = (why: string) => usageError(`${option}: ${name} ${show(text)} ${why}`);
  if (!text.startsWith("/")) throw refuse("is not an absolute path");
  const names = text.split("/").filter((part) => part !== "" && part !== ".");
  if (names.includes("..")) throw refuse("may not hold '..'");
  if (names.length === 0) throw refuse("is the root itself");
  if (names.some((part) => part.length > 255)) throw refuse("holds a name that is too long");
  return `/${names.join("/")}`;
}
