/** What `ns prove` lays out on the host for its attacks to reach, and what it finds there; all of it goes again. */
import { hierarchiesOf } from "../host/cgroup/hierarchies.ts";
import { type Bait, type FileId, fileId } from "../plan/attack/attack.ts";
import { capabilitiesOf } from "../plan/capabilities.ts";
import { initEnvironment } from "../plan/process.ts";
import { hasCgroupLimits } from "../spec/limits.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { type Bytes, bufferOf } from "../sys/bytes.ts";
import { nativeArch } from "../sys/calls/table.ts";
import { AF_UNIX, AT_EMPTY_PATH, O, SOCK } from "../sys/constants.ts";
import { close, open, readFile, readLink } from "../sys/file.ts";
import { call, callByNumber, scratch } from "../sys/kernel.ts";

const IPC_CREATE_EXCLUSIVE = 0o3000;
const IPC_RMID = 0;
const FOR_ALL = 0o666;
const KEYCTL_GET_KEYRING_ID = 0;
const KEY_SPEC_SESSION_KEYRING = -3;
const HANDLE_SIZE = 128;
const STATX_SIZE = 256;
const BASIC = 0x7ff;
const MAX_NODES = 6;

const machine = process.arch === "arm64" ? "arm64" : "x64";

const text = (path: Bytes): Bytes => {
  const content = readFile(path);
  return typeof content === "string" ? content : "";
};

const link = (path: Bytes): Bytes => {
  const target = readLink(path);
  return typeof target === "string" ? target : "";
};

const idOf = (fd: number): FileId | null =>
  scratch((memory) => {
    const buffer = memory.reserve(STATX_SIZE);
    const result = call("statx", fd, memory.placeString(""), AT_EMPTY_PATH, BASIC, buffer);
    return result < 0 ? null : fileId(memory.takeBytes(buffer, STATX_SIZE));
  });

/** Which file the path leads to; "" when there is none. */
export function idAt(path: Bytes): FileId {
  const fd = open(path, O.O_PATH);
  if (fd < 0) return "";
  const id = idOf(fd);
  close(fd);
  return id ?? "";
}

const deviceOf = (id: FileId): string => id.slice(0, id.indexOf(" "));

const lines = (content: Bytes): Bytes[] => content.split("\n").filter((line) => line !== "");

/** A directory beside NEWROOT, on its file system, as a handle. */
function handleBeside(root: Bytes, numberOf: (name: string) => number): Bait["handle"] {
  const outside = open(`${root}/..`, O.O_PATH | O.O_DIRECTORY);
  if (outside < 0) return null;
  const is = idOf(outside);
  const own = idAt(root);
  const handle = scratch((memory) => {
    const buffer = memory.reserve(8 + HANDLE_SIZE);
    memory.putU32(buffer, HANDLE_SIZE);
    const name = memory.placeString("");
    const result = callByNumber(
      ...([
        numberOf("name_to_handle_at"),
        outside,
        name,
        buffer,
        memory.reserve(8),
        AT_EMPTY_PATH,
        0,
      ] as const),
    );
    return result < 0 ? null : bufferOf(memory.takeBytes(buffer, 8 + memory.getU32(buffer)));
  });
  close(outside);
  if (handle === null || is === null || is === own || deviceOf(is) !== deviceOf(own)) return null;
  return { bytes: handle, is };
}

/** Is it at least this version of Linux? */
function isKernel(major: number, minor: number): boolean {
  const [, first, second] = /^(\d+)\.(\d+)/.exec(text("/proc/sys/kernel/osrelease")) ?? [];
  return Number(first) > major || (Number(first) === major && Number(second) >= minor);
}

/** The controllers of a hierarchy of cgroup v1: of the one with this controller, or of any. */
function hierarchyOf(controller?: Bytes): readonly Bytes[] | null {
  for (const line of lines(text("/proc/self/cgroup"))) {
    const names = line.split(":")[1]!.split(",");
    if (names[0] === "" || names[0]!.startsWith("name=")) continue;
    if (controller === undefined || names.includes(controller)) return names;
  }
  return null;
}

function limitOf({ limits }: Spec): Bait["limit"] {
  if (!hasCgroupLimits(limits)) return null;
  for (const { location, controllers, settings } of hierarchiesOf(limits)) {
    const file = settings.find(({ value }) => value !== null)?.file;
    if (file === undefined) continue;
    if (location.version === 2) return { type: "cgroup2", controllers: [], file };
    return { type: "cgroup", controllers: hierarchyOf(controllers[0]) ?? controllers, file };
  }
  return null;
}

/** The caller's variables that the container is not to have. Some are the same everywhere. */
function ownVariables(spec: Spec, facts: Facts): Bytes[] {
  const given = initEnvironment(spec, facts, null);
  return text("/proc/self/environ")
    .split("\0")
    .filter(
      (pair) =>
        pair.includes("=") &&
        !/^(HOME|LANG|LOGNAME|PATH|SHELL|TERM|USER)=/.test(pair) &&
        !given.includes(pair),
    );
}

function disks(): { name: Bytes; major: number; minor: number }[] {
  const found: { name: Bytes; major: number; minor: number }[] = [];
  for (const [, major, minor, name] of text("/proc/partitions").matchAll(/^ *(\d+) +(\d+) +\d+ (\S+)$/gm))
    if (!/^(loop|ram|zram|sr|fd)\d/.test(name!))
      found.push({ name: name!, major: Number(major), minor: Number(minor) });
  return found;
}

/** Lays it out. @returns it, and what takes it away again */
export function layBait(spec: Spec, facts: Facts): { bait: Bait; takeAway: () => void } {
  const calls = nativeArch(machine).calls;
  const numberOf = (name: string): number => calls.get(name)!;
  const [key, ...random] = crypto.getRandomValues(new Uint32Array(4));
  const name = `ns-prove-${random.map((part) => part!.toString(36)).join("")}`;
  const undo: (() => void)[] = [];
  const raw = (what: string, ...args: number[]): number => {
    const [a = 0, b = 0, c = 0, d = 0] = args;
    return callByNumber(numberOf(what), a, b, c, d, 0, 0);
  };
  const number = key! & 0x7fffffff;
  const segment = raw("shmget", number, 4096, IPC_CREATE_EXCLUSIVE | FOR_ALL);
  if (segment >= 0) undo.push(() => raw("shmctl", segment, IPC_RMID, 0));
  const queue = scratch((memory) => {
    const address = memory.placeString(name);
    const fd = raw("mq_open", address, O.O_RDWR | O.O_CREAT | O.O_EXCL | O.O_CLOEXEC, FOR_ALL, 0);
    if (fd >= 0) close(fd);
    return fd;
  });
  if (queue >= 0) undo.push(() => scratch((memory) => raw("mq_unlink", memory.placeString(name))));
  const socket = call("socket", AF_UNIX, SOCK.SOCK_STREAM | SOCK.SOCK_CLOEXEC, 0);
  const listening = scratch((memory) => {
    const address = bufferOf(`${String.fromCharCode(AF_UNIX)}\0\0${name}`);
    if (raw("bind", socket, memory.placeBuffer(address), address.length) < 0) return false;
    return raw("listen", socket, 1) === 0;
  });
  undo.push(() => close(socket));
  const keyring = call("keyctl", KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
  const found = disks();
  const status = text("/proc/self/status");
  const asked = spec.ids.as?.groups ?? [];
  const groups = (/^Groups:\s*(.*)$/m.exec(status)?.[1] ?? "").trim().split(" ");
  return {
    bait: {
      pid: facts.pid,
      commandLine: text("/proc/self/cmdline"),
      root: idAt("/"),
      executable: idAt("/proc/self/exe"),
      terminal: facts.terminal === null ? null : idOf(0),
      network: link("/proc/self/ns/net"),
      uts: link("/proc/self/ns/uts"),
      environment: ownVariables(spec, facts),
      groups: groups.filter((one) => one !== "" && one !== `${facts.gid}` && !asked.includes(one)),
      dropsGroups: facts.capabilities.setGid,
      keyring: keyring < 0 ? null : keyring,
      passed: spec.process.passFds,
      peers: [...text("/proc/self/mountinfo").matchAll(/ shared:(\d+)/g)].map((match) => match[1]!),
      segment: segment < 0 ? null : number,
      queue: queue < 0 ? null : name,
      socket: listening ? name : null,
      disk: found[0] ?? null,
      nodes: [...found.slice(0, MAX_NODES).map((disk) => `/dev/${disk.name}`), "/dev/mem", "/dev/port"],
      handle: handleBeside(spec.root, numberOf),
      hierarchy: hierarchyOf(),
      guardsReleaseAgent: isKernel(5, 17),
      limit: limitOf(spec),
      capabilities: capabilitiesOf(spec, facts).reduce((mask, one) => mask | (1n << BigInt(one)), 0n),
      userNamespace: spec.user !== null,
      onRootfs: facts.onRootfs,
    },
    takeAway() {
      for (const one of undo) one();
    },
  };
}
