/**
 * Everything that ns itself says to a person: on standard error, through consola with a reporter of our own. consola's
 * own would write progress to standard output, which is init's, and would leave a shared pipe in non-blocking mode.
 * Loaded only when there is something to say.
 */
import { writeSync } from "node:fs";
import { createConsola } from "consola/core";

const STANDARD_ERROR = 2;

/** How a line begins, by consola's type of message. */
const PREFIX: Record<string, string> = { error: "ns: ", info: "ns: ", box: "note: ", log: "" };

const log = createConsola({
  level: 999, // what is said is decided by the caller, not by CI, DEBUG or CONSOLA_LEVEL
  throttle: 0,
  reporters: [
    {
      log({ type, args }) {
        try {
          writeSync(STANDARD_ERROR, `${PREFIX[type] ?? ""}${args[0]}\n`);
        } catch {
          // a full disk or a closed descriptor must not change what ns does
        }
      },
    },
  ],
});

export const sayError = (text: string): void => log.error(text);
export const sayNote = (text: string): void => log.box(text);
export const sayProgress = (text: string): void => log.info(text);
/** Something that nobody has foreseen: its first line, for the runtime's own errors may have many. */
export function sayInternal(error: unknown): void {
  const text = error instanceof Error && error.message !== "" ? error.message : String(error);
  sayError(`internal error: ${text.split("\n")[0]}`);
  sayNote("please report it with the command line that led to it");
}
export const sayUsage = (usage: string): void => log.log(`usage: ${usage}`);
