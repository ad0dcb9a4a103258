/**
 * A spec as JSON: `{"root": "/srv/a", "init": "/bin/sh", "args": ["-c", "id"], "memory": "64M", "network": true}`. The keys
 * are pre, root, init, args, uid, gid and the long names of the options. Used by ns batch and by --config.
 */
import { type NsError, usageError } from "../spec/error.ts";
import type { Spec } from "../spec/spec.ts";
import { type Bytes, bytesOf } from "../sys/bytes.ts";
import { applyProfile, type Base, checkPaths, checkTogether, finishSpec, userOf } from "./argv.ts";
import { type Draft, type Flag, newDraft } from "./flags/flag.ts";
import { flagNamed } from "./flags/table.ts";
import { suggestion } from "./split.ts";

export type Json = Record<string, unknown>;

/** What is not an option. Editors look for the schema in $schema. */
export const OTHERS = ["$schema", "pre", "root", "init", "args", "uid", "gid"];

const wrong = (key: string, what: string): NsError => usageError(`"${key}": ${what}`);

function stringAt(json: Json, key: string, otherwise?: string): string {
  const value = json[key] ?? otherwise;
  if (value === undefined) throw usageError(`"${key}" is missing`);
  if (typeof value !== "string") throw wrong(key, "has to be a string");
  if (value.includes("\0")) throw wrong(key, "a string may not hold a zero byte");
  return bytesOf(value);
}

function wordOf(value: unknown, key: string): string {
  if (typeof value === "number" && Number.isSafeInteger(value)) return `${value}`;
  if (typeof value !== "string") throw wrong(key, "has to be a string");
  if (value.includes("\0")) throw wrong(key, "a string may not hold a zero byte");
  return bytesOf(value);
}

/** Applies one key to the draft; false when it is switched off. */
function applyFlag(draft: Draft, flag: Flag, value: unknown): boolean {
  const { name } = flag;
  if (value === false && (flag.kind === "switch" || flag.kind === "optional")) return false;
  if (flag.kind === "switch") {
    if (value !== true) throw wrong(name, "has to be true or false");
    flag.apply(draft);
  } else if (flag.kind === "optional") {
    flag.apply(draft, value === true ? null : wordOf(value, name), `"${name}"`);
  } else if (flag.kind === "list") {
    if (!Array.isArray(value)) throw wrong(name, "has to be a list of strings");
    value.forEach((one, i) => {
      flag.apply(draft, wordOf(one, `${name}[${i}]`), `"${name}[${i}]"`);
    });
  } else {
    flag.apply(draft, wordOf(value, name), `"${name}"`);
  }
  return true;
}

/** @throws NsError (usage) when it is no object */
export function objectOf(value: unknown): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw usageError('not an object like {"root": "/srv/root", "init": "/init.sh"}');
  return value as Json;
}

/**
 * Applies the keys that are options.
 * @param without options that are left out, because something else says what they are
 * @throws NsError (usage) that names the key
 */
export function applyKeys(json: Json, without: readonly Flag[] = []): Base {
  const draft = newDraft();
  const given: Flag[] = [];
  for (const key of Object.keys(json)) {
    if (OTHERS.includes(key)) continue;
    const flag = flagNamed(key);
    if (flag === undefined) throw usageError(`"${key}": unknown key${suggestion(key, "")}`);
    if (flag.commandOnly) throw wrong(key, "belongs on the command line");
    if (without.includes(flag)) continue;
    if (applyFlag(draft, flag, json[key])) given.push(flag);
  }
  return { draft, given };
}

/** The words that would stand on a command line. */
export interface Words {
  readonly pre: Bytes;
  readonly root: Bytes;
  readonly init: Bytes;
  readonly uid: Bytes | undefined;
  readonly gid: Bytes | undefined;
  readonly args: readonly Bytes[];
}

/** @throws NsError (usage) that names the key */
export function wordsOfJson(json: Json): Words {
  const args = json.args ?? [];
  if (!Array.isArray(args)) throw wrong("args", "has to be a list of strings");
  const idAt = (key: string): Bytes | undefined =>
    json[key] === undefined ? undefined : wordOf(json[key], key);
  return {
    pre: stringAt(json, "pre", "-"),
    root: stringAt(json, "root"),
    init: stringAt(json, "init"),
    args: args.map((arg, i) => wordOf(arg, `args[${i}]`)),
    uid: idAt("uid"),
    gid: idAt("gid"),
  };
}

/**
 * What a JSON value asks for.
 * @throws NsError (usage) that names the key
 */
export function specOfJson(value: unknown, debug = false): Spec {
  const json = objectOf(value);
  const { draft, given } = applyKeys(json);
  checkTogether(given, "");
  applyProfile(draft, given);
  const { pre, root, init, args, uid, gid } = wordsOfJson(json);
  checkPaths(pre, root, init);
  if (!draft.user && draft.spec.user === null && (uid !== undefined || gid !== undefined))
    throw usageError('"uid" and "gid" need "user": true');
  return finishSpec(draft, {
    pre: pre === "-" ? null : pre,
    ...{ root, init, debug, args },
    user: userOf(draft, uid, gid),
  });
}
