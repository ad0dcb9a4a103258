/**
 * Seccomp profiles in the JSON of OCI runtimes and Docker (runtime-spec, config-linux, "Seccomp"; Docker adds includes,
 * excludes and archMap), parsed strictly.
 */
import { errnoNumber } from "../sys/errno.ts";
import { NsError } from "./error.ts";
import { type Action, COMPARISONS, type Condition, RET, type Rule, type Seccomp } from "./seccomp.ts";

/** What a profile's conditions are about. */
export interface SeccompContext {
  readonly machine: "x64" | "arm64";
  /** names of the capabilities that init has, as CAP_… */
  readonly capabilities: ReadonlySet<string>;
  /** major and minor version */
  readonly kernel: readonly [number, number];
}

type Json = Record<string, unknown>;
const ARCHES = {
  x64: { own: ["amd64", "SCMP_ARCH_X86_64"], compat: ["x86", "SCMP_ARCH_X86"] },
  arm64: { own: ["arm64", "SCMP_ARCH_AARCH64"], compat: ["arm", "SCMP_ARCH_ARM"] },
} as const;

const bad = (where: string, what: string): NsError => new NsError(`the seccomp profile: ${where}: ${what}`);

/** A value as the profile has it; its whole numbers are bigints, which JSON.stringify() refuses. */
const shown = (value: unknown): string | undefined =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? Number(one) : one));

function objectAt(value: unknown, where: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(where, "not an object");
  return value as Json;
}

function listAt(value: unknown, where: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw bad(where, "not a list");
  return value;
}

const stringsAt = (value: unknown, where: string): string[] =>
  listAt(value, where).map((one, i) => {
    if (typeof one !== "string") throw bad(`${where}[${i}]`, "not a string");
    return one;
  });

function numberAt(value: unknown, where: string, max: bigint): bigint {
  if (value === undefined || value === null) return 0n;
  if (typeof value !== "bigint" || value < 0n || value > max)
    throw bad(where, `not a whole number from 0 to ${max}`);
  return value;
}

function onlyKeys(json: Json, where: string, known: readonly string[]): void {
  const other = Object.keys(json).find((key) => !known.includes(key));
  if (other !== undefined) throw bad(`${where}${where === "" ? "" : "."}${other}`, "unknown key");
}

const MAX_ERRNO = 4095n;

function actionAt(name: unknown, errno: unknown, where: string, errnoWhere: string): Action {
  const data = Number(numberAt(errno ?? BigInt(errnoNumber("EPERM")), errnoWhere, MAX_ERRNO));
  switch (name) {
    case "SCMP_ACT_ALLOW":
      return RET.allow;
    case "SCMP_ACT_ERRNO":
      return RET.errno | data;
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return RET.killThread;
    case "SCMP_ACT_KILL_PROCESS":
      return RET.kill;
    case "SCMP_ACT_TRAP":
      return RET.trap;
    case "SCMP_ACT_LOG":
      return RET.log;
    case "SCMP_ACT_TRACE":
    case "SCMP_ACT_NOTIFY":
      throw bad(where, `${name} needs a supervisor, which ns has not`);
    default:
      throw bad(where, `${shown(name)} is no action`);
  }
}

function conditionAt(value: unknown, where: string): Condition {
  const json = objectAt(value, where);
  onlyKeys(json, where, ["index", "value", "valueTwo", "op"]);
  const max = 2n ** 64n - 1n;
  const op = typeof json.op === "string" ? json.op.replace(/^SCMP_CMP_/, "") : "";
  if (!(COMPARISONS as readonly string[]).includes(op))
    throw bad(`${where}.op`, `${shown(json.op)} is no comparison`);
  return {
    index: Number(numberAt(json.index, `${where}.index`, 5n)),
    op: op as Condition["op"],
    value: numberAt(json.value, `${where}.value`, max),
    value2: numberAt(json.valueTwo, `${where}.valueTwo`, max),
  };
}

/** Does Docker's filter (includes, excludes) speak of this container? */
function matches(value: unknown, where: string, context: SeccompContext, all: boolean): boolean | null {
  if (value === undefined || value === null) return null;
  const json = objectAt(value, where);
  onlyKeys(json, where, ["caps", "arches", "minKernel"]);
  const found: boolean[] = [];
  for (const cap of stringsAt(json.caps, `${where}.caps`)) found.push(context.capabilities.has(cap));
  const arches = stringsAt(json.arches, `${where}.arches`);
  if (arches.length > 0) found.push(arches.includes(ARCHES[context.machine].own[0]));
  if (json.minKernel !== undefined) {
    const match = /^(\d+)\.(\d+)$/.exec(typeof json.minKernel === "object" ? "" : String(json.minKernel));
    if (match === null) throw bad(`${where}.minKernel`, "not a version like 4.8");
    const [major, minor] = context.kernel;
    found.push(major > Number(match[1]) || (major === Number(match[1]) && minor >= Number(match[2])));
  }
  if (found.length === 0) return null;
  return all ? found.every(Boolean) : found.some(Boolean);
}

function ruleAt(value: unknown, where: string, context: SeccompContext): Rule | null {
  const json = objectAt(value, where);
  onlyKeys(json, where, [
    "name",
    "names",
    "action",
    "errno",
    "errnoRet",
    "args",
    "comment",
    "includes",
    "excludes",
  ]);
  const names =
    json.name === undefined
      ? stringsAt(json.names, `${where}.names`)
      : stringsAt([json.name], `${where}.name`);
  if (names.length === 0) throw bad(`${where}.names`, "no system call is named");
  const rule: Rule = {
    names,
    action: actionAt(json.action, json.errnoRet, `${where}.action`, `${where}.errnoRet`),
    conditions: listAt(json.args, `${where}.args`).map((one, i) => conditionAt(one, `${where}.args[${i}]`)),
  };
  if (matches(json.includes, `${where}.includes`, context, true) === false) return null;
  if (matches(json.excludes, `${where}.excludes`, context, false) === true) return null;
  return rule;
}

function compatAt(json: Json, { machine }: SeccompContext): boolean {
  const { own, compat } = ARCHES[machine];
  const named = stringsAt(json.architectures, "architectures");
  for (const [i, value] of listAt(json.archMap, "archMap").entries()) {
    const map = objectAt(value, `archMap[${i}]`);
    if (map.architecture === own[1])
      named.push(...stringsAt(map.subArchitectures, `archMap[${i}].subArchitectures`));
  }
  return named.includes(compat[1]);
}

/**
 * A profile in OCI's or Docker's JSON.
 * @param text the file's content
 * @throws NsError that says where it is wrong
 */
export function parseSeccomp(text: string, context: SeccompContext): Seccomp {
  let value: unknown;
  try {
    // 64-bit values do not fit JavaScript's numbers
    value = JSON.parse(text, (_, one: unknown, { source }: { source?: string } = {}) =>
      typeof one === "number" && /^-?\d+$/.test(source ?? "") ? BigInt(source!) : one,
    );
  } catch (error) {
    throw new NsError(`the seccomp profile is not JSON: ${(error as Error).message}`);
  }
  const json = objectAt(value, "it");
  onlyKeys(json, "", [
    "defaultAction",
    "defaultErrno",
    "defaultErrnoRet",
    "architectures",
    "archMap",
    "syscalls",
    "flags",
    "comment",
  ]);
  const rules: Rule[] = [];
  for (const [i, one] of listAt(json.syscalls, "syscalls").entries()) {
    const rule = ruleAt(one, `syscalls[${i}]`, context);
    if (rule !== null) rules.push(rule);
  }
  return {
    otherwise: actionAt(json.defaultAction, json.defaultErrnoRet, "defaultAction", "defaultErrnoRet"),
    compat: compatAt(json, context),
    rules,
  };
}
