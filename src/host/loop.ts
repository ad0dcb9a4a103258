/** Loop devices: a file as a disk (loop(4)). Called by image.ts. */
import { NsError } from "../spec/error.ts";
import type { Bytes } from "../sys/bytes.ts";
import { LO_FLAGS, LOOP, O } from "../sys/constants.ts";
import { errnoNumber, errnoText } from "../sys/errno.ts";
import { close, open } from "../sys/file.ts";
import { call, scratch } from "../sys/kernel.ts";

const CONTROL = "/dev/loop-control";
/** So often a free device may be taken by somebody else before it is ours. */
const TRIES = 1000;
/** struct loop_config: descriptor, block size, struct loop_info64, reserved (linux/loop.h) */
const CONFIG_SIZE = 304;
const INFO_AT = 8;

export interface Loop {
  readonly path: Bytes;
  /** keeps the device, until something mounted from it does */
  readonly fd: number;
}

/** Which part of the file; size 0: up to its end. In bytes, multiples of 512. */
interface Part {
  readonly offset: number;
  readonly size: number;
}

/**
 * Binds a file to an open device, for reading only; the kernel unbinds it when nobody has the device any more, however they
 * end. Before Linux 5.8 that takes two calls, and a SIGKILL between them leaves the device bound.
 * @returns 0 or -errno
 */
function bind(device: number, file: number, { offset, size }: Part): number {
  return scratch((memory) => {
    const config = memory.reserve(CONFIG_SIZE);
    const info = config + INFO_AT;
    memory.clear(config, CONFIG_SIZE);
    memory.putU32(config, file);
    memory.putI64(info + 24, offset);
    memory.putI64(info + 32, size);
    memory.putU32(info + 52, LO_FLAGS.LO_FLAGS_READ_ONLY | LO_FLAGS.LO_FLAGS_AUTOCLEAR);
    const configured = call("ioctl", device, LOOP.LOOP_CONFIGURE, config);
    if (configured !== -errnoNumber("EINVAL") && configured !== -errnoNumber("ENOTTY")) return configured;
    const set = call("ioctl", device, LOOP.LOOP_SET_FD, file);
    if (set < 0) return set;
    const described = call("ioctl", device, LOOP.LOOP_SET_STATUS64, info);
    if (described < 0) call("ioctl", device, LOOP.LOOP_CLR_FD, 0);
    return described;
  });
}

const fail = (what: Bytes, errno: number, note?: string): NsError =>
  new NsError(`cannot ${what}: ${errnoText(errno)}`, { errno, note });

/** Makes a loop device of a part of an open file. @throws NsError */
export function attachLoop(file: number, part: Part): Loop {
  const control = open(CONTROL, O.O_RDWR);
  if (control < 0)
    throw fail(
      `open ${CONTROL}`,
      -control,
      "an image needs loop devices: modprobe loop, and a /dev with them, which a container may lack",
    );
  try {
    for (let i = 0; ; i++) {
      const free = call("ioctl", control, LOOP.LOOP_CTL_GET_FREE);
      if (free < 0) throw fail("get a free loop device", -free);
      const path = `/dev/loop${free}`;
      const fd = open(path, O.O_RDONLY);
      if (fd < 0) throw fail(`open ${path}`, -fd, `it is not in /dev: mknod ${path} b 7 ${free}`);
      const bound = bind(fd, file, part);
      if (bound >= 0) return { path, fd };
      close(fd);
      if (bound !== -errnoNumber("EBUSY") || i === TRIES) throw fail(`bind it to ${path}`, -bound);
    }
  } finally {
    close(control);
  }
}
