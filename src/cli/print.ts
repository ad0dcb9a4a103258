/** Writes what was asked for (help, version, a plan) to standard output: all of it, or an error. */
import { NsError } from "../spec/error.ts";
import { bytesOf } from "../sys/bytes.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { write } from "../sys/file.ts";

const CHUNK = 65536;

/** @throws NsError when it cannot be written; a reader that has seen enough, such as head(1), is no error */
export function print(text: string): void {
  let rest = bytesOf(`${text}\n`);
  while (rest !== "") {
    const n = write(1, rest.slice(0, CHUNK));
    if (n === -errnoNumber("EPIPE")) return;
    if (n < 0) throw new NsError(`cannot write to standard output: ${errnoText(-n)}`, { errno: -n });
    rest = rest.slice(n);
  }
}
