/**
 * The program that ends the virtual machine with a status of our choosing, as the bytes of a static ELF executable:
 * written out here so that the lane needs no compiler. image.ts puts it into the image as /sbin/vmexit; init.sh calls
 * it. With n arguments it makes qemu exit with 2n+1: on x86-64 it writes n to port 0xf4, where isa-debug-exit does that;
 * on arm64 it asks for it by semihosting (SYS_EXIT_EXTENDED).
 */
import type { MachineName } from "./machine.ts";

const x64 = [
  "5b", //         pop rbx          the kernel leaves argc on top of the stack
  "bf 03000000", // mov edi, 3      the privilege level that may use ports
  "b8 ac000000", // mov eax, 172    iopl(2)
  "0f 05", //      syscall
  "8d 43 ff", //   lea eax, [rbx-1]
  "e6 f4", //      out 0xf4, al
  "eb fe", //      jmp .            until qemu is gone
];
const arm64 = [
  0xf94003e0, // ldr x0, [sp]       the kernel leaves argc there
  0xd37ff800, // lsl x0, x0, #1
  0xd1000400, // sub x0, x0, #1
  0xd28004c1, // mov x1, #0x26      ADP_Stopped_ApplicationExit
  0xf2a00041, // movk x1, #2, lsl #16
  0xa90003e1, // stp x1, x0, [sp]
  0x910003e1, // mov x1, sp
  0x52800400, // mov w0, #0x20      SYS_EXIT_EXTENDED
  0xd45e0000, // hlt #0xf000
  0x14000000, // b .                until qemu is gone
];
const codes: Record<MachineName, Buffer> = {
  x64: Buffer.from(x64.join("").replaceAll(" ", ""), "hex"),
  arm64: Buffer.from(new Uint32Array(arm64).buffer),
};
const elfMachines: Record<MachineName, number> = { x64: 62, arm64: 183 };

/** A 64-byte ELF header, one 56-byte program header, the code; see elf(5) for the fields. */
export function vmexitProgram(machine: MachineName): Uint8Array {
  const code = codes[machine];
  const base = 0x400000n;
  const headers = 64 + 56;
  const size = headers + code.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little endian, version 1
  view.setUint16(16, 2, true); // e_type: an executable
  view.setUint16(18, elfMachines[machine], true); // e_machine
  view.setUint32(20, 1, true); // e_version
  view.setBigUint64(24, base + BigInt(headers), true); // e_entry
  view.setBigUint64(32, 64n, true); // e_phoff
  view.setUint16(52, 64, true); // e_ehsize
  view.setUint16(54, 56, true); // e_phentsize
  view.setUint16(56, 1, true); // e_phnum
  view.setUint32(64, 1, true); // p_type: load
  view.setUint32(68, 5, true); // p_flags: read and execute
  view.setBigUint64(80, base, true); // p_vaddr
  view.setBigUint64(88, base, true); // p_paddr
  view.setBigUint64(96, BigInt(size), true); // p_filesz
  view.setBigUint64(104, BigInt(size), true); // p_memsz
  view.setBigUint64(112, 0x1000n, true); // p_align
  bytes.set(code, headers);
  return bytes;
}
