/** The io controller, blkio on v1: bytes and operations a second of a disk (cgroup-v2.rst, blkio-controller.rst). */
import { NsError } from "../../../spec/error.ts";
import { IO_KINDS, type IoKind } from "../../../spec/io.ts";
import { type Bytes, show } from "../../../sys/bytes.ts";
import { O, S_IFBLK, S_IFMT } from "../../../sys/constants.ts";
import { errnoText } from "../../../sys/errno.ts";
import { close, open, statusOf } from "../../../sys/file.ts";
import type { Controller } from "./controller.ts";

/** MAJOR:MINOR of a device file. @throws NsError when it is none */
function numbersOf(device: Bytes): string {
  if (!device.startsWith("/")) return device;
  const refuse = (why: string): NsError => new NsError(`--io-max: ${show(device)} ${why}`);
  const fd = open(device, O.O_PATH);
  if (fd < 0) throw refuse(`cannot be used: ${errnoText(-fd)}`);
  const status = statusOf(fd);
  close(fd);
  if (typeof status === "number") throw refuse(`cannot be used: ${errnoText(-status)}`);
  if ((status.mode & S_IFMT) !== S_IFBLK) throw refuse("is not a block device");
  return status.device;
}

const V1_FILES: Readonly<Record<IoKind, string>> = {
  rbps: "blkio.throttle.read_bps_device",
  wbps: "blkio.throttle.write_bps_device",
  riops: "blkio.throttle.read_iops_device",
  wiops: "blkio.throttle.write_iops_device",
};
const note = "limits are for a whole disk that is there, not for a partition: see lsblk";

export const io: Controller = {
  name: "io",
  v1: "blkio",
  limits: "I/O",
  needed: (limits) => limits.io !== null,
  settings: (version, limits) =>
    (limits.io ?? []).flatMap(({ device, max }) => {
      const numbers = numbersOf(device);
      const kinds = IO_KINDS.filter((kind) => max[kind] !== undefined);
      if (version === 1)
        return kinds.map((kind) => ({ file: V1_FILES[kind], value: `${numbers} ${max[kind]}`, note }));
      const all = kinds.map((kind) => `${kind}=${max[kind]}`).join(" ");
      return [{ file: "io.max", value: `${numbers} ${all}`, note }];
    }),
};
