/** Writing a run's limits into its cgroup's files, and telling what the kernel does not take. Used by cgroup.ts. */
import { NsError } from "../../spec/error.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import { readFile, writeFile } from "../../sys/file.ts";
import type { Setting } from "./controllers/controller.ts";
import { numbersOf } from "./controllers/cpuset.ts";
import { inherit } from "./control.ts";

const read = (path: string): string => {
  const content = readFile(path);
  return typeof content === "string" ? content.trim() : "";
};

/** Are there numbers in the set that the cgroup has not got? v2 takes them in silence. */
function checkSet(directory: string, { file, value, effective }: Setting): void {
  const there = read(`${directory}/${effective}`);
  const have = numbersOf(there);
  for (const number of numbersOf(value!))
    if (!have.has(number))
      throw new NsError(`cannot write ${value} to ${directory}/${file}: ${number} is not to be had`, {
        note: `there is ${there}`,
      });
}

function noteFor(directory: string, { file, note }: Setting): string | undefined {
  if (note !== undefined || !/^cpuset\.(cpus|mems)$/.test(file)) return note;
  const above = directory.slice(0, directory.lastIndexOf("/"));
  return `there is ${read(`${above}/${file}.effective`) || read(`${above}/${file}`)}`;
}

/**
 * Writes them in this order.
 * @throws NsError when the kernel refuses one
 */
export function writeSettings(directory: string, settings: readonly Setting[]): void {
  for (const setting of settings) {
    const { file, value, optional, effective } = setting;
    const result = value === null ? inherit(directory, file) : writeFile(`${directory}/${file}`, value);
    if (result < 0 && !(optional === true && result === -errnoNumber("ENOENT")))
      throw new NsError(`cannot write ${value} to ${directory}/${file}: ${errnoText(-result)}`, {
        errno: -result,
        note: noteFor(directory, setting),
      });
    if (effective !== undefined) checkSet(directory, setting);
  }
}
