/** The machines to freeze for, and the launcher's code for each, which the build embeds. */
import { usageError } from "../../spec/error.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import type { MachineName } from "../../sys/machines.ts";

/** A frozen file has no C library: Android's is the same as any other Linux's. */
const MACHINES: Readonly<Record<string, MachineName>> = {
  "linux-x64": "x64",
  "linux-arm64": "arm64",
  "linux-armv7": "armv7",
  "linux-i686": "i686",
  "android-arm64": "arm64",
  "android-x64": "x64",
  "android-armv7": "armv7",
  "android-i686": "i686",
};

export const TARGET_NAMES: readonly string[] = Object.keys(MACHINES);

const native: MachineName = process.arch === "arm64" ? "arm64" : "x64";

/** @throws NsError (usage) for a name that is none */
export async function machineFor(target: Bytes | null) {
  const name = target === null ? native : MACHINES[target];
  if (name === undefined)
    throw usageError(`--target: there is no ${show(target ?? "")}; there are ${TARGET_NAMES.join(", ")}`);
  // of another machine's cgroups nothing is known here; an Android has its own
  const isOther = target !== null && target !== `linux-${native}`;
  const { launchers } = await import("../../sys/launchers.ts");
  const found = (await launchers())[name];
  if (found === undefined) throw usageError(`this build of ns has no launcher to freeze for ${name}`);
  return {
    name,
    isOther,
    code: { code: new Uint8Array(Buffer.from(found.code, "base64")), entry: found.entry },
  };
}
