/**
 * The handover: when init runs, ns replaces itself by the small waiting program (plan/wait.ts), in memory, under the same
 * process id. Where executing from memory is forbidden it stays what it is and waits itself.
 */
import { directoriesOf } from "../host/cgroup/cgroup.ts";
import { DATA_BASE, elf } from "../plan/elf.ts";
import { encodeTask, placeStrings } from "../plan/encode.ts";
import { type Again, waitPlan } from "../plan/wait.ts";
import type { Bytes } from "../sys/bytes.ts";
import { MACHINE } from "../sys/abi.ts";
import { AT_EMPTY_PATH, MFD, O, SIGNALS } from "../sys/constants.ts";
import { errnoNumber } from "../sys/errno.ts";
import { close, open } from "../sys/file.ts";
import { call, launcher, scratch } from "../sys/kernel.ts";
import { createMemory } from "../sys/memory.ts";
import { type EndState, END_NAME } from "./end.ts";
import type { Listener } from "./listen.ts";
import { type Watcher, watcherPlan } from "./watcher.ts";

const IMAGE_SIZE = 64 * 1024;
const F_SETFD = 2;
const F_ADD_SEALS = 1033;
const ALL_SEALS = 0xf;
const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
/** As many bytes of the command line as ps(1) may still show. */
const TITLE_SIZE = 2000;

export interface Handover {
  readonly child: number;
  readonly pidfd: number;
  readonly listener: Listener;
  readonly watcher: Watcher;
  readonly state: EndState;
  /** the command line that the process goes on showing */
  readonly title: readonly Bytes[];
}

/** JSON without bytes that are not ASCII: they would not survive as an argument. */
const asciiJson = (state: EndState): string =>
  JSON.stringify(state).replace(/[^\0-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** The executable and what has to stay open for it. */
function buildProgram(
  { child, pidfd, listener, watcher, state, title }: Handover,
  signals: number,
  executable: number,
) {
  const buffer = new ArrayBuffer(IMAGE_SIZE);
  const memory = createMemory(buffer, DATA_BASE);
  const { life } = watcher;
  const { caught } = listener;
  const cgroup = state.cgroup === null ? [] : directoriesOf(state.cgroup);
  const watcherOps = watcherPlan(life, pidfd, cgroup, [executable, caught]);
  const watcherTask = encodeTask(watcherOps, { flags: watcher.flags, report: -1, stack: 4096 }, memory);
  let again: Again | null = null;
  if (state.verbose || state.cgroup !== null) {
    const status = memory.reserve(24);
    const watcherPid = memory.reserve(24);
    const argv = memory.reserve(40);
    [memory.placeString(END_NAME), memory.placeString(asciiJson(state)), status, watcherPid, 0].forEach(
      (at, i) => {
        memory.putI64(argv + 8 * i, at);
      },
    );
    const always = state.verbose || state.cgroup?.parent.left != null;
    again = { always, executable, argv, env: placeStrings([], memory), status, watcher: watcherPid };
  }
  const place = {
    child,
    signals,
    caught,
    impatience: listener.impatience(),
    oldWatcher: watcher.pid,
    watcherTask: watcherTask.address,
    cgroup,
    again,
  };
  const { address } = encodeTask(waitPlan(place), { flags: 0, report: -1, stack: 0 }, memory);
  const data = new Uint8Array(buffer, 0, memory.used());
  const words = title.join("\0").length > TITLE_SIZE ? title.slice(0, 1) : title;
  return {
    file: elf({ launcher, data, task: address, machine: MACHINE }),
    words,
    kept: [
      ...[...life, pidfd, caught],
      ...(again === null ? [] : [executable]),
      ...(state.cgroup === null ? [] : [state.cgroup.lock]),
    ],
  };
}

/** An executable file in memory, sealed; its descriptor or -errno. */
function memoryFile(content: Uint8Array): number {
  return scratch((memory) => {
    const name = memory.placeString("ns");
    let fd = call("memfd_create", name, MFD.MFD_CLOEXEC | MFD.MFD_ALLOW_SEALING | MFD.MFD_EXEC);
    // before Linux 6.3 there was no such flag, and every such file could be executed
    if (fd === -errnoNumber("EINVAL"))
      fd = call("memfd_create", name, MFD.MFD_CLOEXEC | MFD.MFD_ALLOW_SEALING);
    if (fd < 0) return fd;
    const written = call("write", fd, memory.placeBuffer(content), content.length);
    if (written === content.length && call("fcntl", fd, F_ADD_SEALS, ALL_SEALS) === 0) return fd;
    close(fd);
    return -errnoNumber("EIO");
  });
}

const maskOf = (signals: readonly number[]): number =>
  signals.reduce((mask, signal) => mask + 2 ** (signal - 1), 0);

function changeMask(how: number, mask: number): void {
  scratch((memory) => {
    const set = memory.reserve(8);
    memory.putI64(set, mask);
    call("rt_sigprocmask", how, set, 0, 8);
  });
}

/** Replaces this process by the waiting program. Returns only where that is impossible; then nothing has changed. */
export function handOver(handover: Handover): void {
  const { listener } = handover;
  const executable = open("/proc/self/exe", O.O_PATH);
  if (executable < 0) return;
  const mask = maskOf([...listener.signals, SIGNALS.SIGCHLD]);
  // blocked in the program to come; until then other threads go on catching them for it
  changeMask(SIG_BLOCK, mask);
  execute(buildProgram(handover, mask, executable));
  changeMask(SIG_UNBLOCK, mask);
  close(executable);
}

/** Becomes the program, if that is possible. */
function execute(program: ReturnType<typeof buildProgram>): void {
  const fd = memoryFile(program.file);
  if (fd < 0) return;
  for (const kept of program.kept) if (kept >= 0) call("fcntl", kept, F_SETFD, 0);
  scratch((memory) => {
    const empty = memory.placeString("");
    const argv = placeStrings(program.words, memory);
    call("execveat", fd, empty, argv, placeStrings([], memory), AT_EMPTY_PATH);
  });
  close(fd);
}
