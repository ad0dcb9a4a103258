/** Attacks on the root file system's walls: out of it by name, by descriptor, by mount, and to the disks below it. */
import { AT_FDCWD, CLONE, MNT, O, S_IFBLK, S_IFCHR } from "../../sys/constants.ts";
import type { ErrnoName } from "../../sys/errno.ts";
import {
  ALWAYS,
  type Attack,
  type AttackOp,
  fileId,
  op,
  opens,
  resultOf,
  slot,
  tellsFile,
  tellsId,
  tellsIdOf,
  tellsResult,
} from "./attack.ts";

/** As deep as a root may lie. */
const DEEP = 40;
const NODES = ["/tmp/.ns-prove", "/dev/.ns-prove"] as const;
const NOWHERE: readonly ErrnoName[] = ["EROFS", "ENOENT", "ENOTDIR"];
const REFUSALS: readonly ErrnoName[] = [
  "EPERM",
  "EACCES",
  "EROFS",
  "ENOENT",
  "ENOTDIR",
  "ENXIO",
  "ENODEV",
  "EIO",
];
const noOption = "no option is needed: ns does not let it happen";

/** A new device number (makedev(3)), as mknod(2) takes it. */
const device = (major: number, minor: number): number =>
  (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);

/** Makes a device file in the first place that there is for it, and opens it for reading. */
const nodeOps = (type: number, major: number, minor: number): AttackOp[] => [
  {
    ...op("mknodat", AT_FDCWD, NODES[0], type | 0o600, device(major, minor)),
    ...{ fine: NOWHERE, skipNext: true },
  },
  { ...op("mknodat", AT_FDCWD, NODES[1], type | 0o600, device(major, minor)), held: NOWHERE },
  { ...opens(NODES[0], O.O_RDONLY), fine: ["ENOENT", "ENOTDIR"], skipNext: true },
  opens(NODES[1], O.O_RDONLY, "ENOENT", "ENOTDIR"),
];
const removeNodes: AttackOp[] = NODES.map((path) => ({
  ...op("unlinkat", AT_FDCWD, path, 0),
  fine: ["ENOENT", "EROFS", "ENOTDIR", "EACCES", "EPERM"],
}));

const results = (output: string): number[] =>
  Array.from({ length: output.length / 16 }, (_, i) => resultOf(output.slice(16 * i, 16 * i + 16)));

export const files = (): Attack[] => [
  {
    name: "chroot",
    does: "leave the root by a second chroot",
    closes: noOption,
    promised: ALWAYS,
    ops: (_, room) => [
      opens("/", O.O_RDONLY | O.O_DIRECTORY),
      op("chroot", "/proc"),
      op("fchdir", slot("file")),
      ...Array.from({ length: DEEP }, () => op("chdir", "..")),
      ...tellsId(room, "."),
    ],
    judge: (output, { root }) => fileId(output) === root,
  },
  {
    name: "old-root",
    does: "reach the host's root through process 1",
    closes: noOption,
    promised: ALWAYS,
    ops: (_, room) => tellsId(room, "/proc/1/root/."),
    judge: (output, { root }) => fileId(output) === root,
  },
  {
    name: "root-below",
    does: "unmount its own root and see the host's below it",
    closes: "--profile=app (in an initramfs)",
    last: 2,
    promised: ALWAYS,
    excused: ({ onRootfs }) => onRootfs,
    ops: (_, room) => [
      op("unshare", CLONE.CLONE_NEWNS),
      opens("/proc/self/ns/mnt", O.O_RDONLY),
      { ...op("umount2", "/", MNT.MNT_DETACH), held: ["EINVAL"] },
      { ...op("setns", slot("file"), CLONE.CLONE_NEWNS), held: ["EINVAL", "ENOENT"] },
      ...tellsId(room, "/", "ENOENT"),
    ],
    judge: (output, { root }) => fileId(output) === root,
  },
  {
    name: "file-handle",
    does: "open a file outside of the root by its inode number (shocker)",
    closes: "-u, or leave out --cap-add=DAC_READ_SEARCH",
    promised: ALWAYS,
    ops: ({ handle }, room) =>
      handle === null
        ? "nothing outside lies on NEWROOT's file system, or that has no handles"
        : [
            opens("/", O.O_RDONLY | O.O_DIRECTORY),
            {
              ...op("open_by_handle_at", slot("file"), room.bytes(handle.bytes), O.O_RDONLY),
              ...{ save: "outside", held: ["ESTALE"] },
            },
            ...tellsIdOf(room, slot("outside")),
          ],
    judge: (output, { handle }) => fileId(output) === handle?.is,
  },
  {
    name: "mounts",
    does: "mount something that the host sees, or see what the host mounts",
    closes: noOption,
    promised: ALWAYS,
    ops: ({ peers }, room) =>
      peers.length === 0 ? "the host shares no mounts" : tellsFile(room, "/proc/self/mountinfo"),
    judge: (output, { peers }) =>
      [...output.matchAll(/ (?:shared|master):(\d+)/g)].some((match) => peers.includes(match[1]!)),
  },
  {
    name: "disk",
    does: "make a device file for a disk of the machine and read it",
    closes: "-u, --cap-drop=MKNOD, or a device cgroup without --allow-device",
    promised: ["user", "strict"],
    ops: ({ disk }) =>
      disk === null ? "no disk in /proc/partitions" : nodeOps(S_IFBLK, disk.major, disk.minor),
    clean: removeNodes,
  },
  {
    name: "memory-device",
    does: "make a device file for the machine's memory and read it",
    closes: "-u, or leave out --cap-add=SYS_RAWIO",
    promised: ALWAYS,
    needs: "/dev/mem",
    ops: () => nodeOps(S_IFCHR, 1, 1),
    clean: removeNodes,
  },
  {
    name: "device-files",
    does: "open a disk or the memory of the machine by a device file that the root has",
    closes: "--dev=minimal, or a device cgroup without --allow-device",
    promised: [],
    ops: ({ nodes }, room) =>
      nodes.flatMap((path) => [{ ...opens(path, O.O_RDONLY), fine: REFUSALS }, ...tellsResult("file", room)]),
    judge: (output) => results(output).some((result) => result >= 0),
  },
];
