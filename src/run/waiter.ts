/**
 * The handover: when init runs, ns replaces itself by the small waiting program (plan/wait.ts), in memory, under the same
 * process id. Where executing from memory is forbidden it stays what it is and waits itself.
 */
import { endOf } from "../host/cgroup/cgroup.ts";
import { encodeTask, placeStrings } from "../plan/encode.ts";
import { postPlan } from "../plan/pre.ts";
import { IMPATIENCE_AT, putRules, type Rules, RULES_SIZE } from "../plan/supervise.ts";
import { giveBack } from "../plan/relay.ts";
import { type Again, waitPlan } from "../plan/wait.ts";
import type { Facts } from "../spec/spec.ts";
import type { Bytes } from "../sys/bytes.ts";
import { AT_EMPTY_PATH, CLOSE_RANGE, F, O, SIG_BLOCK, SIG_UNBLOCK, SIGNALS } from "../sys/constants.ts";
import { close, open } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";
import type { Memory } from "../sys/memory.ts";
import { END_NAME, type EndState, needsNs, textOf } from "./end.ts";
import { changeMask, type Listener, maskOf } from "./listen.ts";
import { draftProgram, writeProgram } from "./program.ts";
import { isReady, KILLED } from "./post.ts";
import { type Relay, relayRules } from "./terminal.ts";
import { startPost, type Watcher, watcherPlan } from "./watcher.ts";

/** What the program's data takes at most; a post script, whose path stands in it twice, as much again. */
const ROOM = 48 * 1024;
/** As many bytes of the command line as ps(1) may still show. */
const TITLE_SIZE = 2000;

export interface Handover {
  readonly child: number;
  readonly pidfd: number;
  readonly listener: Listener;
  /** how this process has waited until now */
  readonly rules: Rules;
  readonly watcher: Watcher;
  readonly state: EndState;
  readonly facts: Facts;
  /** a program beside the container; null: none */
  readonly helper: number | null;
  /** at the caller's terminal; null: nobody */
  readonly relay: Relay | null;
  /** the command line that the process goes on showing */
  readonly title: readonly Bytes[];
}

/** The same memory, in which equal texts are one: the watcher and the program take away the same directories. */
function sharing(memory: Memory): Memory {
  const known = new Map<Bytes, number>();
  const placeString = (text: Bytes): number => {
    const at = known.get(text) ?? memory.placeString(text);
    known.set(text, at);
    return at;
  };
  return { ...memory, placeString };
}

/** The executable and what has to stay open for it. */
function buildProgram(
  { child, pidfd, listener, rules, watcher, state, helper, relay, title, facts }: Handover,
  signals: number,
  executable: number,
) {
  const { post } = state;
  const told = state.status === null ? [] : [state.status];
  const draft = draftProgram(ROOM + (post === null ? 0 : ROOM));
  const memory = sharing(draft.memory);
  const { life } = watcher;
  const { caught } = listener;
  const cgroup = state.cgroup === null ? null : endOf(state.cgroup);
  const closing = [executable, caught, ...told];
  const kept = [...life, pidfd, caught, ...told, ...(state.cgroup?.map(({ lock }) => lock) ?? [])];
  const terminal = relay?.terminal ?? null;
  const watcherOps = watcherPlan({
    ...{ life, pidfd, cgroup, closing, work: state.work, helper, terminal },
    ...(isReady(post) ? { post: startPost(postPlan(post, KILLED, facts, kept, [])) } : {}),
  });
  const watcherTask = encodeTask(watcherOps, { flags: watcher.flags, report: -1, stack: 4096 }, memory);
  const rulesNow = { ...rules, signals, until: 0 };
  const rulesAddress = memory.reserve(RULES_SIZE);
  putRules(rulesNow, (offset, value) => memory.putI64(rulesAddress + offset, value));
  const status = memory.reserve(24);
  const watcherPid = memory.reserve(24);
  // a number below 128 is a word of one letter, or none
  const impatience = rulesAddress + IMPATIENCE_AT;
  const words = [memory.placeString(END_NAME), memory.placeString(textOf(state)), status, watcherPid];
  const argv = memory.reserve(48);
  [...words, impatience, 0].forEach((at, i) => {
    memory.putI64(argv + 8 * i, at);
  });
  const again: Again = {
    ...{ always: needsNs(state), executable, argv, env: placeStrings([], memory) },
    ...{ status, watcher: watcherPid },
  };
  const place = {
    child,
    rules: rulesNow,
    rulesAddress,
    statusFile: !state.reaper,
    oldWatcher: watcher.pid,
    helper,
    watcherTask: watcherTask.address,
    foreground: relay === null ? (facts.terminal?.foreground ?? null) : null,
    relay:
      relay === null
        ? null
        : { pid: relay.pid, rules: relayRules(relay.pid, signals, -1), undo: giveBack(relay.terminal) },
    cgroup,
    again,
    work: state.work,
  };
  const { address } = encodeTask(waitPlan(place), { flags: 0, report: -1, stack: 0 }, memory);
  return {
    draft,
    task: address,
    words: title.join("\0").length > TITLE_SIZE ? title.slice(0, 1) : title,
    kept: [
      ...[...life, pidfd, caught, executable, ...told],
      ...(state.cgroup === null ? [] : state.cgroup.map(({ lock }) => lock)),
      ...(state.work === null ? [] : [state.work.lock]),
    ],
  };
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
  const fd = writeProgram(program.draft, program.task);
  if (fd < 0) return;
  // where the kernel lacks it, Bun has seen to all but one of the caller's
  call("close_range", 3, 0xffffffff, CLOSE_RANGE.CLOSE_RANGE_CLOEXEC);
  for (const kept of program.kept) if (kept >= 0) call("fcntl", kept, F.F_SETFD, 0);
  scratch((memory) => {
    const empty = memory.placeString("");
    const argv = placeStrings(program.words, memory);
    call("execveat", fd, empty, argv, placeStrings([], memory), AT_EMPTY_PATH);
  });
  close(fd);
}
