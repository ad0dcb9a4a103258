/** Options about how tightly init is held. */
import { parseCapabilities } from "../../spec/capabilities.ts";
import { usageError } from "../../spec/error.ts";
import { parseDevice } from "../../spec/devices.ts";
import { DEVS, PROFILES, SYSES } from "../../spec/security.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import type { Flag } from "./flag.ts";

function parsePath(text: Bytes, option: string): Bytes {
  if (!text.startsWith("/")) throw usageError(`${option}: '${show(text)}' is not an absolute path`);
  if (text.split("/").includes("..")) throw usageError(`${option}: '${show(text)}' goes through ..`);
  return text;
}

function oneOf<T extends string>(names: readonly T[], value: Bytes, option: string): T {
  const found = names.find((name) => name === value);
  if (found === undefined) throw usageError(`${option}: '${show(value)}' is not one of ${names.join(", ")}`);
  return found;
}

export const securityFlags: readonly Flag[] = [
  {
    name: "profile",
    kind: "value",
    hint: "init|app|strict",
    help: "how tightly INIT is held: as a whole system, as a service, or with next to nothing",
    apply: ({ spec }, value, option) => {
      spec.security.profile = oneOf(PROFILES, value, option);
    },
  },
  {
    name: "cap-add",
    kind: "list",
    hint: "NAME",
    help: "give a capability that the profile takes: a name, with or without CAP_, or ALL",
    apply: ({ spec }, value, option) => {
      spec.security.capabilities.push({ add: true, which: parseCapabilities(value, option) });
    },
  },
  {
    name: "cap-drop",
    kind: "list",
    hint: "NAME",
    help: "take a capability that the profile gives, or ALL",
    apply: ({ spec }, value, option) => {
      spec.security.capabilities.push({ add: false, which: parseCapabilities(value, option) });
    },
  },
  {
    name: "seccomp",
    kind: "value",
    hint: "default|none|FILE",
    help: "which system calls INIT may make: the profile's filter, none, or one in OCI's JSON",
    apply: ({ spec }, value) => {
      if (value === "default") spec.security.seccomp = "default";
      else if (value === "none") spec.security.seccomp = "none";
      else spec.security.seccomp = { file: value };
    },
  },
  {
    name: "no-new-privs",
    kind: "switch",
    help: "no program gains privileges by set-user-ID or file capabilities; app and strict have it anyway",
    apply: ({ spec }) => {
      spec.security.noNewPrivs = true;
    },
  },
  {
    name: "mask",
    kind: "list",
    hint: "PATH",
    help: "cover a file or directory inside with an empty one that nobody may read",
    apply: ({ spec }, value, option) => {
      spec.security.mask.push(parsePath(value, option));
    },
  },
  {
    name: "read-only-path",
    kind: "list",
    hint: "PATH",
    help: "make a file or directory inside read-only",
    apply: ({ spec }, value, option) => {
      spec.security.readOnlyPaths.push(parsePath(value, option));
    },
  },
  {
    name: "unmask",
    kind: "list",
    hint: "PATH",
    help: "leave a path as it is that the profile masks or makes read-only, or ALL of them",
    apply: ({ spec }, value, option) => {
      spec.security.unmask.push(value === "ALL" ? value : parsePath(value, option));
    },
  },
  {
    name: "dev",
    kind: "value",
    hint: "auto|keep|minimal",
    help: "/dev: the root's, or a fresh one of a few nodes; auto: in profile init the root's if that can be used",
    apply: ({ spec }, value, option) => {
      spec.security.dev = oneOf(DEVS, value, option);
    },
  },
  {
    name: "allow-device",
    kind: "list",
    hint: "DEVICE",
    help: "let a device be opened: /dev/kvm, c:10:200:rw, b:7:*, or all; else only null, tty and their like can be",
    apply: ({ spec }, value, option) => {
      spec.security.devices.push(parseDevice(value, option));
    },
  },
  {
    name: "sys",
    kind: "value",
    hint: "ro|rw|none",
    help: "a sysfs on /sys, read-only or not; profile app has one read-only where the kernel gives it, the others none",
    apply: ({ spec }, value, option) => {
      spec.security.sys = oneOf(SYSES, value, option);
    },
  },
];
