/**
 * The program that ends the virtual machine with a status of our choosing, as the bytes of a static ELF executable:
 * written out here so that the lane needs no compiler. image.ts puts it into the image as /sbin/vmexit; init.sh calls
 * it. It writes its number of arguments n to port 0xf4, where qemu's isa-debug-exit makes qemu exit with 2n+1.
 */

const instructions = [
  "5b", //         pop rbx          the kernel leaves argc on top of the stack
  "bf 03000000", // mov edi, 3      the privilege level that may use ports
  "b8 ac000000", // mov eax, 172    iopl(2)
  "0f 05", //      syscall
  "8d 43 ff", //   lea eax, [rbx-1]
  "e6 f4", //      out 0xf4, al
  "eb fe", //      jmp .            until qemu is gone
];
const code = Buffer.from(instructions.join("").replaceAll(" ", ""), "hex");

/** A 64-byte ELF header, one 56-byte program header, the code; see elf(5) for the fields. */
export function vmexitProgram(): Uint8Array {
  const base = 0x400000n;
  const headers = 64 + 56;
  const size = headers + code.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little endian, version 1
  view.setUint16(16, 2, true); // e_type: an executable
  view.setUint16(18, 62, true); // e_machine: x86-64
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
