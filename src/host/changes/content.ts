/** Copies what is in a file; its holes stay holes. */
import { errnoNumber } from "../../sys/errno.ts";
import { call } from "../../sys/kernel.ts";

const SEEK_SET = 0;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const AT_MOST = 1 << 30;

/** @param size bytes @returns 0 or -errno; -ESTALE when the file has become shorter meanwhile */
export function copyContent(from: number, to: number, size: number): number {
  for (let at = 0; at < size; ) {
    const found = call("lseek", from, at, SEEK_DATA);
    // EINVAL: a file system that does not know; ENXIO: nothing but a hole
    const data = found >= 0 ? found : found === -errnoNumber("ENXIO") ? size : at;
    if (data >= size) break;
    const hole = call("lseek", from, data, SEEK_HOLE);
    const until = hole < 0 ? size : Math.min(hole, size);
    const moved = Math.min(call("lseek", from, data, SEEK_SET), call("lseek", to, data, SEEK_SET));
    if (moved < 0) return moved;
    for (at = data; at < until; ) {
      const n = call("sendfile", to, from, 0, Math.min(AT_MOST, until - at));
      if (n < 0) return n;
      if (n === 0) return -errnoNumber("ESTALE");
      at += n;
    }
  }
  return call("ftruncate", to, size);
}
