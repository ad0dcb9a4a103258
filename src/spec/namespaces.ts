/** What the container shares with the host and what it has of its own. */
import type { Bytes } from "../sys/bytes.ts";
import { usageError } from "./error.ts";

export interface Namespaces {
  /** the name inside (sethostname(2)); null: the host's */
  readonly hostname: Bytes | null;
}

export const defaultNamespaces = (): Namespaces => ({ hostname: null });

/** As long as a host's or a domain's name may be (__NEW_UTS_LEN). */
const MAX_NAME = 64;

/** A host's name. @throws NsError (usage) */
export function parseHostname(text: Bytes, option: string): Bytes {
  if (text.length > MAX_NAME) throw usageError(`${option}: a name has at most ${MAX_NAME} bytes`);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text))
    throw usageError(`${option}: '${text}' is not a host name: letters, digits, - and .`);
  return text;
}
