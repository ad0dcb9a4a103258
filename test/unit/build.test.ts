/** What the build refuses and what it says then: pins, hashes, names, missing tools; and relaxation of arm64 code. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { devDependencies } from "../../package.json";
import { checkIntegrity, pinOf } from "../../scripts/build/base.ts";
import { TARGETS } from "../../scripts/build/targets.ts";
import { relax } from "../../src/sys/relax.ts";
import { project } from "../project.ts";

const build = (words: string[], env: Record<string, string> = {}) => {
  const ran = Bun.spawnSync([process.execPath, "run", join(project, "scripts/build.ts"), ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...env },
  });
  return { status: ran.exitCode, err: `${ran.stderr}` };
};

describe("the Bun executables", () => {
  test("of every target are pinned, in the version that the project is developed with", () => {
    for (const { base } of Object.values(TARGETS)) {
      const { version, integrity } = pinOf(base);
      expect(version).toBe(devDependencies.bun);
      expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
    }
  });
  test("are refused when they are of another version or not named", () => {
    const lock = (packages: object): string => JSON.stringify({ packages });
    expect(() => pinOf("x", lock({}))).toThrow("does not pin x");
    const other = { "node_modules/x": { version: "0.0.1", integrity: "sha512-" } };
    expect(() => pinOf("x", lock(other))).toThrow(`pins x 0.0.1, but this is Bun ${Bun.version}`);
  });
  test("are refused when they are not what was pinned", () => {
    const folder = mkdtempSync(join(tmpdir(), "ns-test-"));
    try {
      const file = join(folder, "x.tgz");
      writeFileSync(file, "right");
      const hash = new Bun.CryptoHasher("sha512").update("right").digest("base64");
      checkIntegrity(file, "x", `sha512-${hash}`);
      writeFileSync(file, "wrong");
      expect(() => checkIntegrity(file, "x", `sha512-${hash}`)).toThrow("x: what npm fetched has sha512-");
      expect(() => checkIntegrity(file, "x", "sha1-abc")).toThrow("by sha1, not sha512");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the build says", () => {
  test("which targets there are", () => {
    const { status, err } = build(["--target=vax"]);
    expect({ status, err }).toEqual({
      status: 1,
      err: `build: no target vax; there are all, ${Object.keys(TARGETS).join(", ")}\n`,
    });
  });
  test.skipIf(process.arch !== "x64").each([
    ["linux-arm64", "qemu-aarch64-static", "qemu-user-static"],
    ["android-x64", "clang", "clang"],
  ])("what %s lacks, and its Debian package", (target, program, debian) => {
    const { status, err } = build([`--target=${target}`], { PATH: "/nowhere", ANDROID_NDK_HOME: "" });
    expect(status).toBe(1);
    expect(err).toContain(`needs ${program}, which is not here (Debian: apt-get install ${debian})\n`);
  });
  test("when ANDROID_NDK_HOME is no NDK", () => {
    const { status, err } = build(["--target=android-arm64"], { ANDROID_NDK_HOME: "/nowhere" });
    expect({ status, err }).toEqual({
      status: 1,
      err: "build: /nowhere/toolchains/llvm/prebuilt/linux-x86_64/bin/clang is not there: ANDROID_NDK_HOME has to be an NDK for Linux\n",
    });
  });
});

describe("relaxation", () => {
  const base = 0x1000;
  const nop = 0xd503201f;
  // adrp x2, the page after this; ldr x2, [x2, #16]
  const pair = [0xb0000002, 0xf9400842];
  const code = (words: number[]): Uint8Array => new Uint8Array(new Uint32Array(words).buffer);

  test("an address from a table becomes a distance", () => {
    const words = code([nop, ...pair, nop]);
    const asked: number[] = [];
    relax(words, base, (address) => {
      asked.push(address);
      return base + 12;
    });
    expect(asked).toEqual([0x2010]);
    // adr x2, #8
    expect([...new Uint32Array(words.buffer)]).toEqual([nop, 0x10000042, nop, nop]);
  });
  test("what is outside is refused", () => {
    for (const there of [base - 4, base + 16])
      expect(() => relax(code([nop, ...pair, nop]), base, () => there)).toThrow(
        "code at 4 needs something that is not in the launcher",
      );
    expect(() => relax(code([pair[0]!, nop]), base, () => base)).toThrow("in a way that is not known");
  });
});
