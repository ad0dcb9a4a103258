/**
 * Writes changes as a layer of an OCI image (image-spec, layer.md): a tar file, in which what was deleted is an empty file
 * .wh.NAME. The files are hostile: none is opened but regular ones, and holes stay holes. Called by run/try/.
 */
import { NsError } from "../../spec/error.ts";
import { type Bytes, show } from "../../sys/bytes.ts";
import { AT_FDCWD, O, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../sys/constants.ts";
import { errnoNumber, errnoText } from "../../sys/errno.ts";
import { close, readLink, write } from "../../sys/file.ts";
import { attributeOf, attributesOf, chmodOpen, type Inode, inodeOf, openOwn } from "../../sys/inode.ts";
import { call, scratch } from "../../sys/kernel.ts";
import { END, type Entry, headersOf, paddingOf, TYPE } from "./tar.ts";
import type { Change } from "./walk.ts";

/** How the container sees what lies on the disk. */
export interface View {
  readonly uid: (outside: number) => number;
  readonly gid: (outside: number) => number;
  /** it has a user namespace: ids in attributes would be others than it sees */
  readonly mapped: boolean;
  /** how overlayfs's own attributes begin */
  readonly prefix: string;
}

export interface Export {
  readonly path: Bytes;
  add(change: Change): void;
  /** Writes the end. @returns how many sockets are not in it, which a tar file cannot hold */
  finish(): number;
  /** closes it, and removes what is not finished */
  end(): void;
}

const SEEK_SET = 0;
const SEEK_CUR = 1;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const CHUNK = 32768;
const AT_MOST = 1 << 30;
const WHITEOUT = ".wh.";
const S_IFIFO = 0o010000;
/** attributes that hold ids */
const WITH_IDS = ["security.capability", "system.posix_acl_access", "system.posix_acl_default"];

const failed = (path: Bytes, why: string, errno?: number): NsError =>
  new NsError(`cannot export ${show(path)}: ${why}`, errno === undefined ? {} : { errno });

function must(path: Bytes, result: number): number {
  if (result < 0) throw failed(path, errnoText(-result), -result);
  return result;
}

function attributes({ parent, name, path }: Change, { mapped, prefix }: View): [Bytes, Bytes][] {
  const keys = attributesOf(parent, name);
  if (typeof keys === "number") throw failed(path, errnoText(-keys), -keys);
  const found: [Bytes, Bytes][] = [];
  for (const key of keys.sort()) {
    if (key.startsWith(prefix)) continue;
    if (key.includes("=")) throw failed(path, `a tar file cannot hold its attribute ${show(key)}`);
    if (mapped && WITH_IDS.includes(key))
      throw failed(path, `its attribute ${key} holds ids of the user namespace`);
    const value = attributeOf(parent, name, key);
    if (typeof value === "number") throw failed(path, errnoText(-value), -value);
    if (value !== null) found.push([key, value as Bytes]);
  }
  return found;
}

const typeOf = ({ mode }: Inode): Entry["type"] | null => {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return TYPE.file;
    case S_IFDIR:
      return TYPE.directory;
    case S_IFLNK:
      return TYPE.link;
    case S_IFCHR:
      return TYPE.character;
    case S_IFBLK:
      return TYPE.block;
    case S_IFIFO:
      return TYPE.fifo;
    default:
      return null;
  }
};

/** Makes the file, which may not be there yet. @param path absolute @throws NsError */
export function createExport(path: Bytes, view: View): Export {
  const out = scratch((memory) =>
    call(
      "openat",
      AT_FDCWD,
      memory.placeString(path),
      O.O_WRONLY | O.O_CREAT | O.O_EXCL | O.O_CLOEXEC,
      0o600,
    ),
  );
  if (out < 0)
    throw new NsError(`cannot make ${show(path)}: ${errnoText(-out)}`, {
      errno: -out,
      note:
        out === -errnoNumber("EEXIST")
          ? "--export makes the file: name one that is not there yet"
          : undefined,
    });
  let finished = false;
  let sockets = 0;
  /** where the first name of a file with several is in the tar file */
  const first = new Map<string, Bytes>();

  const put = (bytes: Bytes): void => {
    for (let at = 0; at < bytes.length; ) at += must(path, write(out, bytes.slice(at, at + CHUNK)));
  };

  /** Copies a file's content; where it has holes, so has the tar file. */
  const copy = (fd: number, size: number, of: Bytes): void => {
    for (let at = 0; at < size; ) {
      const found = call("lseek", fd, at, SEEK_DATA);
      // EINVAL: a file system that does not know; ENXIO: nothing but a hole
      const data = found >= 0 ? found : found === -errnoNumber("ENXIO") ? size : at;
      const hole = data >= size ? size : call("lseek", fd, data, SEEK_HOLE);
      const until = hole < 0 ? size : Math.min(hole, size);
      must(path, call("lseek", out, Math.min(data, size) - at, SEEK_CUR));
      if (data < size) must(of, call("lseek", fd, data, SEEK_SET));
      for (at = Math.min(data, size); at < until; ) {
        const n = must(path, call("sendfile", out, fd, 0, Math.min(AT_MOST, until - at)));
        if (n === 0) throw failed(of, "it changes while it is read");
        at += n;
      }
    }
    put("\0".repeat(paddingOf(size)));
  };

  const content = ({ parent, name, path: of }: Change, inode: Inode): void => {
    const opened = openOwn(parent, name, O.O_RDONLY | O.O_NONBLOCK, 0o400);
    if (typeof opened === "number") throw failed(of, errnoText(-opened), -opened);
    const { fd, before } = opened;
    try {
      const now = inodeOf(fd, "");
      if (typeof now === "number" || now.id !== inode.id || now.size !== inode.size)
        throw failed(of, "it changes while it is read");
      copy(fd, inode.size, of);
    } finally {
      if (before !== null) chmodOpen(fd, before);
      close(fd);
    }
  };

  const whiteout = (at: Bytes): void =>
    put(headersOf({ type: TYPE.file, path: at, mode: 0o644, uid: 0, gid: 0, size: 0, seconds: 0 }));

  const add = (change: Change): void => {
    const { path: full, name, kind, parent, inode, implied, opaque } = change;
    const at = full === "/" ? "./" : full.slice(1);
    if (name.startsWith(WHITEOUT))
      throw failed(full, "in a layer such a name would say that something is deleted");
    if (inode === null) {
      if (!implied) whiteout(`${at.slice(0, at.length - name.length)}${WHITEOUT}${name}`);
      return;
    }
    const type = typeOf(inode);
    if (full === "/" && kind === null) return;
    if (type === null) {
      sockets++;
      return;
    }
    const owner = {
      mode: inode.mode,
      uid: view.uid(inode.uid),
      gid: view.gid(inode.gid),
      seconds: inode.seconds,
    };
    const other = inode.links > 1 && type !== TYPE.directory ? first.get(inode.id) : undefined;
    if (other !== undefined) {
      put(headersOf({ ...owner, type: TYPE.hardLink, path: at, size: 0, target: other }));
      return;
    }
    if (inode.links > 1) first.set(inode.id, at);
    const { major, minor } = inode;
    const target = type === TYPE.link ? readLink(name, parent) : "";
    if (typeof target === "number") throw failed(full, errnoText(-target), -target);
    const directory = type === TYPE.directory;
    put(
      headersOf({
        ...{ ...owner, type, target, major, minor, attributes: attributes(change, view) },
        path: directory && full !== "/" ? `${at}/` : at,
        size: type === TYPE.file ? inode.size : 0,
      }),
    );
    if (type === TYPE.file) content(change, inode);
    if (opaque) whiteout(`${at}/${WHITEOUT}${WHITEOUT}.opq`);
  };

  return {
    path,
    add,
    finish() {
      put(END);
      finished = true;
      return sockets;
    },
    end() {
      close(out);
      if (!finished) scratch((memory) => call("unlinkat", AT_FDCWD, memory.placeString(path), 0));
    },
  };
}
