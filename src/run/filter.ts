/** The seccomp filter of a run, compiled from its profile or its file. Called by start.ts and launch.ts. */
import { capabilitiesOf, capabilityNames } from "../plan/capabilities.ts";
import { appSeccomp } from "../plan/seccomp/app.ts";
import { compileSeccomp } from "../plan/seccomp/compile.ts";
import { strictSeccomp } from "../plan/seccomp/strict.ts";
import { NsError } from "../spec/error.ts";
import { parseSeccomp } from "../spec/seccomp-json.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { errnoText } from "../sys/errno.ts";
import { readFile } from "../sys/file.ts";

/** Bytes that a profile may have; Docker's own has 13,000. */
const LIMIT = 1 << 20;

const machine = process.arch === "arm64" ? "arm64" : "x64";

function kernelVersion(): [number, number] {
  const text = readFile("/proc/sys/kernel/osrelease");
  const match = typeof text === "string" ? /^(\d+)\.(\d+)/.exec(text) : null;
  return match === null ? [0, 0] : [Number(match[1]), Number(match[2])];
}

function readProfile(path: Bytes): Bytes {
  const text = readFile(path, LIMIT + 1);
  if (typeof text === "number")
    throw new NsError(`cannot read the seccomp profile ${show(path)}: ${errnoText(-text)}`, { errno: -text });
  if (text.length > LIMIT) throw new NsError(`the seccomp profile ${show(path)} is larger than 1 MiB`);
  return text;
}

/** The profiles' own, for a program that starts many. */
const compiled = new Map<string, Uint8Array>();

/** @throws NsError when the file cannot be read or says something that cannot be held */
export function compileFilter(spec: Spec, facts: Facts): Uint8Array | null {
  const { profile, seccomp } = spec.security;
  if (seccomp === "none") return null;
  if (seccomp === "default" && profile === "init") return null;
  const capabilities = capabilityNames(capabilitiesOf(spec, facts));
  if (typeof seccomp === "object") {
    const context = { machine, capabilities, kernel: kernelVersion() } as const;
    return compileSeccomp(parseSeccomp(readProfile(seccomp.file), context), machine);
  }
  const key = `${profile} ${[...capabilities].join(" ")}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const filter = compileSeccomp(
    profile === "app" ? appSeccomp(machine, capabilities) : strictSeccomp(),
    machine,
  );
  compiled.set(key, filter);
  return filter;
}
