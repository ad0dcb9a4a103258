/** The descriptors between a program and its keeper, which both have open under the same numbers. */
import { NsError } from "../spec/error.ts";
import { AF_UNIX, F, O, SIGNALS, SOCK } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { close, pipe } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";
import { maskOf } from "./listen.ts";

/** What a child's program uses at most: the gate, the report, its limits. */
const RESERVED = 12;
const FIRST_FREE = 3;

export interface Channels {
  /** a pipe for commands to the keeper */
  readonly commands: readonly [number, number];
  /** it writes a byte to this one when there is news; the other end is Bun's, which closes it */
  readonly wake: number;
  readonly woken: number;
  /** signalfd(2) of what the keeper hears: its children's ends, and the program's */
  readonly signals: number;
  /** numbers that nothing else has: by them a child's program uses its descriptors */
  readonly reserved: readonly number[];
  close(): void;
}

function openSignals(): number {
  return scratch((memory) => {
    const mask = memory.reserve(8);
    memory.putI64(mask, maskOf([SIGNALS.SIGCHLD, SIGNALS.SIGTERM]));
    return call("signalfd4", -1, mask, 8, O.O_CLOEXEC);
  });
}

/** Sockets, because Bun can wait for one without being kept from its end (unref), and for a pipe it cannot. */
function openSockets(): [number, number] | number {
  return scratch((memory) => {
    const ends = memory.reserve(8);
    const { SOCK_STREAM, SOCK_CLOEXEC, SOCK_NONBLOCK } = SOCK;
    const made = call("socketpair", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
    return made < 0 ? made : [memory.getI32(ends), memory.getI32(ends + 4)];
  });
}

/** @throws NsError when there are too many open files */
export function openChannels(): Channels {
  const opened: number[] = [];
  const closeAll = (): void => {
    for (const fd of opened.splice(0)) close(fd);
  };
  const take = (fd: number): number => {
    if (fd >= 0) {
      opened.push(fd);
      return fd;
    }
    closeAll();
    throw new NsError(`cannot open what the keeper needs: ${errnoText(-fd)}`, { errno: -fd });
  };
  const two = (made: readonly [number, number] | number): readonly [number, number] =>
    typeof made === "number" ? [take(made), -1] : [take(made[0]), take(made[1])];
  const commands = two(pipe());
  const [woken, wake] = two(openSockets());
  const signals = take(openSignals());
  const reserved: number[] = [];
  while (reserved.length < RESERVED)
    reserved.push(take(call("fcntl", commands[0], F.F_DUPFD_CLOEXEC, FIRST_FREE)));
  opened.splice(opened.indexOf(woken), 1);
  return { commands, wake, woken, signals, reserved, close: closeAll };
}
