/** Signals as the user names them. Used by the flag table. */
import { signalName } from "../sys/constants.ts";
import { usageError } from "./error.ts";

const STANDARD = 31;
/** What the C library leaves of the real-time signals (signal(7)): the first two are its own. */
const RTMIN = 34;
const RTMAX = 64;

function numberOf(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, "");
  const match = /^RT(MIN|MAX)(?:([+-])(\d\d?))?$/.exec(name);
  if (match !== null) {
    const [, from, sign, distance = "0"] = match;
    const number = (from === "MIN" ? RTMIN : RTMAX) + (sign === "-" ? -1 : 1) * Number(distance);
    return number < RTMIN ? 0 : number;
  }
  for (let number = 1; number <= STANDARD; number++) if (signalName(number) === `SIG${name}`) return number;
  return 0;
}

/** A signal's number, from its name with or without SIG, in either case, or its number; RTMIN+3 too. @throws NsError (usage) */
export function parseSignal(text: string, option: string): number {
  const number = numberOf(text);
  if (number > 0 && number <= RTMAX) return number;
  throw usageError(
    `${option}: '${text}' is not a signal; write a name like TERM or RTMIN+3, or a number from 1 to ${RTMAX}`,
  );
}
