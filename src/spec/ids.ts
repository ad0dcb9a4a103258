/** User and group ids as the user types them. */
import { usageError } from "./error.ts";

const MAX_ID = 4294967294; // 4294967295 is (uid_t)-1, "no id" (setresuid(2))

/**
 * A strict decimal id from 0 to 4294967294.
 * @throws NsError (usage) for anything else: a runtime that read "-u 1x" as 0 would run it as root
 */
export function parseId(text: string, name: "UID" | "GID"): number {
  const id = /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN;
  if (!(id <= MAX_ID)) throw usageError(`${name} '${text}' is not a whole number from 0 to ${MAX_ID}`);
  return id;
}
