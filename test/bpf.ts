/** An interpreter of classic BPF as seccomp runs it, for tests: what the kernel would answer to a call. */
export interface CallData {
  readonly nr: number;
  readonly arch: number;
  readonly args?: readonly bigint[];
}

/** The filter's answer and how many instructions it took. */
export function runFilter(
  filter: Uint8Array,
  { nr, arch, args = [] }: CallData,
): { action: number; steps: number } {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  for (let i = 0; i < 6; i++) data.setBigUint64(16 + 8 * i, args[i] ?? 0n, true);
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  const count = filter.byteLength / 8;
  let a = 0;
  let steps = 0;
  for (let pc = 0; pc < count; pc++) {
    steps++;
    const code = view.getUint16(pc * 8, true);
    const [jt, jf] = [view.getUint8(pc * 8 + 2), view.getUint8(pc * 8 + 3)];
    const k = view.getUint32(pc * 8 + 4, true);
    const jump = (taken: boolean): void => {
      pc += taken ? jt : jf;
    };
    switch (code) {
      case 0x20:
        a = data.getUint32(k, true);
        break;
      case 0x54:
        a = (a & k) >>> 0;
        break;
      case 0x05:
        pc += k;
        break;
      case 0x15:
        jump(a === k);
        break;
      case 0x25:
        jump(a > k);
        break;
      case 0x35:
        jump(a >= k);
        break;
      case 0x45:
        jump((a & k) !== 0);
        break;
      case 0x06:
        return { action: k, steps };
      default:
        throw new Error(`instruction ${pc}: unknown code ${code.toString(16)}`);
    }
  }
  throw new Error("the filter ends without an answer");
}
