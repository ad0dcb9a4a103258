/** The launcher's machine code and the head of the programs that ns makes of it. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { compileLauncher } from "../../src/sys/compile.ts";
import * as arm64 from "../../src/sys/abi/arm64.ts";
import * as x64 from "../../src/sys/abi/x64.ts";
import { CODE_AT, dataBase, HEAD_SIZE, programHead } from "../../src/sys/elf.ts";
import { project } from "../project.ts";

const { head, entry } = compileLauncher();
const view = new DataView(head.buffer);

test("the same bytes on every build", () => {
  expect(Buffer.compare(compileLauncher().head, head)).toBe(0);
});

test("a static executable: one segment of code, one of data, none that is both, a stack that is not code", () => {
  expect([...head.subarray(0, 7)]).toEqual([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const segments = Array.from({ length: view.getUint16(56, true) }, (_, i) => {
    const at = 64 + 56 * i;
    return [view.getUint32(at, true), view.getUint32(at + 4, true)];
  });
  const [load, stack, readExecute, readWrite] = [1, 0x6474e551, 5, 6];
  expect(segments).toEqual([
    [load, readExecute],
    [load, readWrite],
    [stack, readWrite],
  ]);
});

test("the entry calls the launcher with the task whose address the data begins with", () => {
  const stub = view.getUint32(24, true) - 0x10000;
  const call = stub + 15;
  expect(head[call]).toBe(0xe8);
  expect(call + 5 + view.getInt32(call + 1, true)).toBe(entry);
  expect(view.getUint32(stub + 11, true)).toBe(dataBase(x64.HEAD_SIZE));
});

test("code that has grown too large is refused", () => {
  expect(() => programHead(new Uint8Array(HEAD_SIZE - CODE_AT), 0, x64)).toThrow("too many");
});

const csrc = join(project, "csrc");
const parts = readdirSync(csrc, { recursive: true, encoding: "utf8" }).filter((name) => /\.[ch]$/.test(name));

test.each(parts)("csrc/%s keeps the rules: no headers but its own, no string literals", (name) => {
  const source = readFileSync(join(csrc, name), "utf8");
  expect(source.split("\n").length).toBeLessThanOrEqual(240);
  expect(source).toMatch(/^\/\*/);
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "");
  for (const [, included] of code.matchAll(/#include "(.*)"\n/g)) expect(parts).toContain(included!);
  const withoutAssembly = code
    .replace(/#include "(.*)"\n/g, "")
    .replace(/__asm__\([\s\S]*?\);/g, "")
    .replace(/#error .*|__attribute__\(.*\)/g, "");
  expect(withoutAssembly).not.toMatch(/"|#include|#pragma/);
});

test("arm64's entry calls the launcher with the task whose address the data begins with", () => {
  const code = new Uint8Array(64);
  const words = new Uint32Array(programHead(code, 8, arm64).buffer);
  const stub = (CODE_AT + code.length) / 4;
  const call = stub + 4;
  const immediate = (at: number): number => (words[at]! >> 5) & 0xffff;
  expect(immediate(stub + 1) + immediate(stub + 2) * 65536).toBe(dataBase(arm64.HEAD_SIZE));
  expect(words[call]! >>> 26).toBe(0x94000000 >>> 26);
  expect((call + ((words[call]! << 6) >> 6)) * 4).toBe(CODE_AT + 8);
});
