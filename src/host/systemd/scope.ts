/**
 * A transient scope of systemd's for this process: a unit with a cgroup that systemd has made and leaves to us
 * (Delegate=yes), below which the run's own cgroup then is. It goes by itself when its last process is gone
 * (systemd.scope(5), org.freedesktop.systemd1(5)). Used by run/systemd.ts.
 */
import type { Bytes } from "../../sys/bytes.ts";
import { close } from "../../sys/file.ts";
import { authenticate, type Connection, nextMessage, sendCall } from "./connection.ts";
import { type Value, variant } from "./dbus.ts";
import { ERROR, METHOD_RETURN, SIGNAL } from "./message.ts";

const SERIAL = 1;
const NO_LIMIT = 2n ** 64n - 1n;

export interface Scope {
  /** ends in .scope */
  readonly unit: string;
  /** what systemctl says it is; ASCII */
  readonly description: string;
  /** the unit to be in; null: systemd's choice */
  readonly slice: string | null;
}

/** The arguments of StartTransientUnit. */
export const scopeArguments = ({ unit, description, slice }: Scope): Value[] => {
  const properties: [string, Value][] = [
    ["Description", variant("s", description)],
    // the process at the other end of the connection, whatever number it has there
    ["PIDs", variant("au", [0])],
    ["Delegate", variant("b", true)],
    // a limit that nobody has asked for
    ["TasksMax", variant("t", NO_LIMIT)],
    ["CollectMode", variant("s", "inactive-or-failed")],
    ...(slice === null ? [] : ([["Slice", variant("s", slice)]] as [string, Value][])),
  ];
  return [unit, "fail", properties, []];
};

/**
 * Moves this process into a new scope.
 * @param socket a connection to systemd; it is closed
 * @param wait returns when there is something to read; throws to give up
 * @returns null, or systemd's reason for its refusal
 * @throws RangeError when what comes back makes no sense
 */
export function startScope(
  scope: Scope,
  socket: number,
  uid: number,
  wait: Connection["wait"],
): Bytes | null {
  const connection: Connection = { socket, received: "", wait };
  try {
    authenticate(connection, uid);
    const call = {
      path: "/org/freedesktop/systemd1",
      interface: "org.freedesktop.systemd1.Manager",
      member: "StartTransientUnit",
      signature: "ssa(sv)a(sa(sv))",
      values: scopeArguments(scope),
    };
    sendCall(connection, call, SERIAL);
    let answered = false;
    let ended: Value | null = null;
    while (!answered || ended === null) {
      const { type, member, errorName, replyTo, values } = nextMessage(connection);
      if (type === ERROR && replyTo === SERIAL) return `${values()[0] ?? errorName}`;
      if (type === METHOD_RETURN && replyTo === SERIAL) answered = true;
      // (number, job, unit, result): systemd tells that of every job, without being asked
      if (type !== SIGNAL || member !== "JobRemoved") continue;
      const [, , unit, result] = values();
      if (unit === scope.unit) ended = result!;
    }
    return ended === "done" ? null : `its job ended as: ${ended}`;
  } finally {
    close(socket);
  }
}
