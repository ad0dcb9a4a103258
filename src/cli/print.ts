/** Writes what was asked for (help, version, a plan) to standard output: all of it, or an error. */
import { NsError } from "../spec/error.ts";
import { type Bytes, bytesOf } from "../sys/bytes.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { write } from "../sys/file.ts";

const CHUNK = 65536;

/** @throws NsError when it cannot be written; a reader that has seen enough, such as head(1), is no error */
export const print = (text: string): void => printBytes(bytesOf(`${text}\n`));

/** The same for bytes, as they are. @throws NsError */
export function printBytes(bytes: Bytes): void {
  let rest = bytes;
  while (rest !== "") {
    const n = write(1, rest.slice(0, CHUNK));
    if (n === -errnoNumber("EPIPE")) return;
    if (n < 0) throw new NsError(`cannot write to standard output: ${errnoText(-n)}`, { errno: -n });
    rest = rest.slice(n);
  }
}
