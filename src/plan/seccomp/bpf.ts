/**
 * Classic BPF as the kernel's seccomp runs it (linux/filter.h, networking/filter.rst). A filter is made as a graph of
 * steps that may share what follows, and then laid out from its end to its beginning: BPF only jumps forward.
 */
import { NsError } from "../../spec/error.ts";

export const CODE = {
  /** A = 32 bits of struct seccomp_data at k */
  load: 0x20,
  /** A &= k */
  and: 0x54,
  /** goto k instructions on */
  jump: 0x05,
  jumpIfEqual: 0x15,
  jumpIfGreater: 0x25,
  jumpIfGreaterOrEqual: 0x35,
  /** return k */
  give: 0x06,
} as const;

export type Step =
  | { readonly give: number }
  | { readonly code: typeof CODE.load | typeof CODE.and; readonly k: number; readonly then: Step }
  | { readonly code: number; readonly k: number; readonly yes: Step; readonly no: Step };

export const give = (action: number): Step => ({ give: action });
export const load = (offset: number, then: Step): Step => ({ code: CODE.load, k: offset, then });
export const mask = (bits: number, then: Step): Step =>
  bits === 0xffffffff ? then : { code: CODE.and, k: bits, then };
/** if (A <code> k) yes else no */
export const branch = (code: number, k: number, yes: Step, no: Step): Step => ({ code, k, yes, no });

/** As far as a conditional jump reaches, and as much as the kernel takes (BPF_MAXINSNS). */
const NEAR = 255;
const MAX_INSTRUCTIONS = 4096;

/**
 * The filter as the kernel wants it: struct sock_filter, 8 bytes each.
 * @throws RangeError when it is too long
 */
export function assemble(first: Step): Uint8Array {
  /** the instructions, the last one first */
  const out: { code: number; jt: number; jf: number; k: number }[] = [];
  const places = new Map<Step, number>();
  const emit = (code: number, k: number, jt = 0, jf = 0): number =>
    out.push({ code, jt, jf, k: k >>> 0 }) - 1;
  /** how many instructions lie between the next one and that place */
  const distance = (place: number): number => out.length - place - 1;

  const place = (step: Step): number => {
    const known = places.get(step);
    if (known !== undefined) return known;
    const made = lay(step);
    places.set(step, made);
    return made;
  };
  /** a place of the step that a branch which comes next but one at most can reach */
  const near = (step: Step): number => {
    const there = place(step);
    if (distance(there) + 2 <= NEAR) return there;
    return "give" in step ? emit(CODE.give, step.give) : emit(CODE.jump, distance(there));
  };
  const lay = (step: Step): number => {
    if ("give" in step) return emit(CODE.give, step.give);
    if ("then" in step) {
      const next = place(step.then);
      if (distance(next) > 0) emit(CODE.jump, distance(next));
      return emit(step.code, step.k);
    }
    place(step.no);
    place(step.yes);
    const no = near(step.no);
    const yes = near(step.yes);
    return emit(step.code, step.k, distance(yes), distance(no));
  };

  const entry = place(first);
  if (distance(entry) > 0) emit(CODE.jump, distance(entry));
  if (out.length > MAX_INSTRUCTIONS)
    throw new NsError(`the seccomp profile is too long: its filter has ${out.length} instructions`, {
      note: `the kernel takes ${MAX_INSTRUCTIONS}: fewer system calls, or fewer rules for arguments`,
    });
  const bytes = new Uint8Array(out.length * 8);
  const view = new DataView(bytes.buffer);
  out.reverse().forEach(({ code, jt, jf, k }, i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k, true);
  });
  return bytes;
}
