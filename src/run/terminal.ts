/**
 * The caller's terminal: whether the container gets one of its own in its place, and the process that stands between the
 * two (plan/terminal.ts).
 */
import { terminalType } from "../host/facts.ts";
import { encodeTask } from "../plan/encode.ts";
import { closeDescriptors } from "../plan/process.ts";
import { type Rules, putRules, RULES_SIZE } from "../plan/supervise.ts";
import { enterRelay, RELAYED, relayPlan } from "../plan/relay.ts";
import type { Terminal } from "../plan/terminal.ts";
import { NsError } from "../spec/error.ts";
import type { Facts, Spec } from "../spec/spec.ts";
import { AF_UNIX, CLONE, SIGNALS, SOCK, TERMINAL } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close } from "../sys/file.ts";
import { arena, call, giveSettings, scratch, startTask, supervise } from "../sys/kernel.ts";
import { prepareChild } from "./child.ts";
import type { Listener } from "./listen.ts";

/** struct termios as the kernel has it; what is in its words, by <asm-generic/termbits.h>. */
const SETTINGS_SIZE = 36;
const OUTPUT_FLAGS = 4;
const LOCAL_FLAGS = 12;
const OPOST = 1;
const ECHO = 0o10;
const SIZE_SIZE = 8;
const SEEK_CUR = 1;
/** of the relay, where it has none of its own */
const STACK = 32_768;
const PATIENCE = 3;

const ask = (fd: number, request: number, size: number): Uint8Array | null =>
  scratch((memory) => {
    const at = memory.reserve(size);
    if (call("ioctl", fd, request, at) !== 0) return null;
    return new Uint8Array(memory.buffer, memory.offsetOf(at), size).slice();
  });

const settingsOf = (fd: number): Uint8Array | null => ask(fd, TERMINAL.TCGETS, SETTINGS_SIZE);

function without(settings: Uint8Array, at: number, flag: number): void {
  const view = new DataView(settings.buffer);
  view.setUint32(at, view.getUint32(at, true) & ~flag, true);
}

/** What one types at a pipe line's beginning is for all of it: its terminal is left as it is. */
const isPipe = (fd: number): boolean => call("lseek", fd, 0, SEEK_CUR) === -errnoNumber("ESPIPE");

/** The terminal that the container is to have; null: none of its own. */
export function findTerminal(spec: Spec, facts: Facts): Terminal | null {
  const { tty } = spec.process;
  if (tty === "no") return null;
  const settings = [0, 1, 2].map(settingsOf);
  const isTerminal = (fd: number): boolean => settings[fd] !== null;
  const all = tty === "yes";
  const standard = all ? [0, 1, 2] : [0, 1, 2].filter(isTerminal);
  if (standard.length === 0) return null;
  const output = all ? 1 : [1, 2, 0].find(isTerminal)!;
  const fromTerminal = isTerminal(0);
  const raw = fromTerminal && (isTerminal(1) || !isPipe(1));
  const group = call("getpgid", 0);
  // in the background it may have what a shell has given it for its own prompt
  const foreground = facts.terminal === null || facts.terminal.foreground === group;
  const callers = foreground ? (settings[0] ?? settings[output] ?? null) : null;
  const own = callers?.slice() ?? null;
  if (own !== null && !raw) {
    // what the caller's terminal does already
    if (fromTerminal) without(own, LOCAL_FLAGS, ECHO);
    if (isTerminal(output)) without(own, OUTPUT_FLAGS, OPOST);
  }
  const { TIOCGWINSZ } = TERMINAL;
  return {
    ...{ standard, input: all || fromTerminal, output, fromTerminal, toTerminal: isTerminal(output), raw },
    type: all || fromTerminal ? terminalType() : null,
    settings: own,
    size: ask(output, TIOCGWINSZ, SIZE_SIZE) ?? ask(0, TIOCGWINSZ, SIZE_SIZE),
    before: raw && foreground ? settings[0]! : null,
    group,
  };
}

/** A terminal in the making. */
export interface Promised {
  readonly terminal: Terminal;
  /** the socket on which the child sends it: ns's end and the child's */
  readonly ours: number;
  readonly childs: number;
}

/** Whether the container is to have a terminal of its own, and what for. @throws NsError when there are too many open files */
export function promiseTerminal(spec: Spec, facts: Facts): Promised | null {
  const terminal = findTerminal(spec, facts);
  if (terminal === null) return null;
  return scratch((memory) => {
    const ends = memory.reserve(8);
    const made = call("socketpair", AF_UNIX, SOCK.SOCK_STREAM | SOCK.SOCK_CLOEXEC, 0, ends);
    if (made < 0)
      throw new NsError(`cannot make a socket for the terminal: ${errnoText(-made)}`, { errno: -made });
    return { terminal, ours: memory.getI32(ends), childs: memory.getI32(ends + 4) };
  });
}

export interface Relay {
  readonly pid: number;
  readonly terminal: Terminal;
  /** waits until all that init has written is out and the caller's terminal is as it was; again does nothing */
  end(caught: number): void;
}

/**
 * Starts the relay: when init runs, so that a start that fails has not touched the terminal.
 * @param child its process id
 * @param life ns's end of the pipe that tells of its death
 * @param inherited descriptors to close one by one where the kernel lacks close_range
 */
export function startRelay(
  { terminal, ours, childs }: Promised,
  spec: Spec,
  child: number,
  facts: Facts,
  life: number,
  inherited: readonly number[],
  listener: Listener,
): Relay {
  const plans = {
    enter: enterRelay(life),
    close: closeDescriptors(facts, inherited),
    main: relayPlan(terminal, { parent: facts.pid, socket: ours, init: spec.process.reaper ? null : child }),
  };
  const { ops, program } = prepareChild(plans, -1, [[ours, ours]]);
  const pid = startTask(encodeTask(ops, { flags: CLONE.CLONE_VM, report: -1, stack: STACK }).address);
  if (program >= 0) close(program);
  close(ours);
  close(childs);
  if (pid < 0) throw new NsError(`cannot start the terminal's relay: ${errnoText(-pid)}`, { errno: -pid });
  listener.add(SIGNALS.SIGTSTP);
  let over = false;
  return {
    ...{ pid, terminal },
    end(caught) {
      if (over) return;
      over = true;
      call("kill", pid, SIGNALS.SIGTERM);
      const memory = arena();
      const at = memory.reserve(RULES_SIZE);
      putRules(relayRules(pid, 0, caught), (offset, value) => memory.putI64(at + offset, value));
      const killed = supervise(pid, at, 0) === SIGNALS.SIGKILL;
      if (killed && terminal.before !== null)
        giveSettings(terminal.group, memory.placeBuffer(terminal.before));
    },
  };
}

/** How to wait for the relay's end: a signal to ns makes it leave what it could not write. */
export const relayRules = (pid: number, signals: number, caught: number): Rules => ({
  ...{ who: pid, signals, caught, patience: PATIENCE, impatience: 0, stopSignal: SIGNALS.SIGTERM },
  ...{ grace: -1, lastGrace: -1, deadline: 0, stopping: 0, until: 0, other: 0, others: 0 },
});

/** The signals that go to the relay, as a mask. */
export const relayed = RELAYED.reduce((mask, signal) => mask + 2 ** (signal - 1), 0);
