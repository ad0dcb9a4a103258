/**
 * Names on Linux are bytes, not text. A `Bytes` string holds one byte (0 to 255) in each character, so that a path or
 * an argument that is not valid UTF-8 goes through ns unchanged. Everyone who handles paths and arguments uses it.
 */
export type Bytes = string & { readonly bytes?: unique symbol };

// no regular expression: compiling one takes longer than looking at all the words of a command line
function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** The UTF-8 bytes of a text. */
export function bytesOf(text: string): Bytes {
  if (isAscii(text)) return text;
  let out = "";
  for (const byte of new TextEncoder().encode(text)) out += String.fromCharCode(byte);
  return out;
}

/** The bytes of a buffer. */
export function bytesFrom(buffer: Uint8Array): Bytes {
  let out = "";
  for (const byte of buffer) out += String.fromCharCode(byte);
  return out;
}

/** A buffer that holds the bytes. */
export function bufferOf(bytes: Bytes): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = bytes.charCodeAt(i);
  return out;
}

function decode(bytes: Bytes): string | null {
  if (isAscii(bytes)) return bytes;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bufferOf(bytes));
  } catch {
    return null;
  }
}

/**
 * The bytes as a person may read them in a message: as they are when they are printable text; otherwise quoted, with
 * every byte that could confuse a terminal written as \xNN.
 */
export function show(bytes: Bytes): string {
  const text = decode(bytes);
  if (text !== null && /^[\p{L}\p{M}\p{N}\p{P}\p{S}]+$/u.test(text)) return text;
  return quote(bytes);
}

/** The bytes in double quotes, as strace prints a string. */
export function quote(bytes: Bytes): string {
  const text = decode(bytes);
  const escaped = (c: string): string => {
    if (c === "\n") return "\\n";
    if (c === "\t") return "\\t";
    if (c === '"' || c === "\\") return `\\${c}`;
    return [...new TextEncoder().encode(c)].map((b) => `\\x${b.toString(16).padStart(2, "0")}`).join("");
  };
  if (text !== null) return `"${text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, escaped)}"`;
  return `"${bytes.replace(/[^\x20-\x7e]|["\\]/g, (c) => (c < "\x80" ? escaped(c) : `\\x${c.charCodeAt(0).toString(16)}`))}"`;
}
