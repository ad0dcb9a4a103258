/** A user namespace that a container joins instead of having its own: finding it, and what ids it has. */
import { NsError } from "../spec/error.ts";
import type { IdRange, UserMaps } from "../spec/ids.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { CLONE, NS_GET_NSTYPE, NS_GET_OWNER_UID, O } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, open, readFile, readLink } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";

/** The file that a PATH or a PID stands for. */
export const userFile = (user: Bytes): Bytes => (user.includes("/") ? user : `/proc/${user}/ns/user`);

/** Opens it; a descriptor. @throws NsError when it is no user namespace, or ns's own */
export function openUser(user: Bytes): number {
  const file = userFile(user);
  const fd = open(file, O.O_RDONLY | O.O_NONBLOCK);
  if (fd < 0)
    throw new NsError(`cannot join the user namespace ${show(file)}: ${errnoText(-fd)}`, {
      errno: -fd,
      note:
        fd === -errnoNumber("EACCES") ? "a process's may be opened by root and by its own user" : undefined,
    });
  const refuse = (why: string): never => {
    close(fd);
    throw new NsError(`${show(file)} is ${why}`);
  };
  if (call("ioctl", fd, NS_GET_NSTYPE) !== CLONE.CLONE_NEWUSER) refuse("not a user namespace");
  // setns(2) refuses it
  if (readLink(`/proc/self/fd/${fd}`) === readLink("/proc/self/ns/user"))
    refuse("the user namespace that ns is in already");
  return fd;
}

/** setns(2) was refused. */
export function joinError(user: Bytes, fd: number, errno: number): NsError {
  const owner = scratch((memory) => {
    const uid = memory.reserve(4);
    return call("ioctl", fd, NS_GET_OWNER_UID, uid) === 0 ? `, uid ${memory.getU32(uid)},` : "";
  });
  return new NsError(`cannot join the user namespace ${show(userFile(user))}: ${errnoText(errno)}`, {
    errno,
    note: errno === errnoNumber("EPERM") ? `only root and its owner${owner} may` : undefined,
  });
}

const rangesOf = (text: Bytes): IdRange[] =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [inside, outside, count] = line.trim().split(/ +/).map(Number);
      return { inside: inside!, outside: outside!, count: count! };
    });

/** What the user namespace of a process has; null when that cannot be read. */
export function mapsOf(pid: number | Bytes): UserMaps | null {
  const [uids, gids, setgroups] = ["uid_map", "gid_map", "setgroups"].map((name) =>
    readFile(`/proc/${pid}/${name}`),
  );
  if (typeof uids !== "string" || typeof gids !== "string" || typeof setgroups !== "string") return null;
  return {
    uids: rangesOf(uids),
    gids: rangesOf(gids),
    setgroups: setgroups.startsWith("allow") ? "allow" : "deny",
  };
}

const ALL: IdRange = { inside: 0, outside: 0, count: 4294967295 };

/** What a plan that is only shown takes it to have: a process's can be read without joining it, others have all ids. */
export function assumeMaps(user: Bytes): UserMaps {
  const pid = /^\/proc\/([^/]+)\/ns\/user$/.exec(userFile(user))?.[1];
  return (pid === undefined ? null : mapsOf(pid)) ?? { uids: [ALL], gids: [ALL], setgroups: "allow" };
}
