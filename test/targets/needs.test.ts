/**
 * What executables need of the system they start on. For Android that is all that can be tested without bionic, with how
 * they are laid out; their launcher runs in blobs.test.ts and linux-arm64.test.ts, which has it in a real ns.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { buildTarget } from "../../scripts/build/executable.ts";
import { type Elf, type Needs, readElf, readNeeds } from "../../scripts/build/readelf.ts";
import { folder } from "../harness.ts";

const PT_LOAD = 1;
const ET_DYN = 3;
const PAGE_16K = 0x4000;

/** Milliseconds that a test may take: a target's Bun may have to be fetched. */
const FETCHING = 300_000;

describe.each([
  ["android-arm64", 183],
  ["android-x64", 62],
] as const)("%s", (target, machine) => {
  let file: Buffer;
  let elf: Elf;
  let needs: Needs;
  beforeAll(async () => {
    const outfile = `${folder}/${target}`;
    await buildTarget(target, { release: true, outfile });
    file = readFileSync(outfile);
    elf = readElf(file);
    needs = readNeeds(file);
  }, FETCHING);

  test("is position-independent, for that machine and Android's loader", () => {
    expect({ type: elf.type, machine: elf.machine }).toEqual({ type: ET_DYN, machine });
    expect(needs.interpreter).toBe("/system/bin/linker64");
  });
  test("needs what every Android has, of Android 9 at most", () => {
    expect([...needs.libraries].sort()).toEqual(["libc.so", "libdl.so", "libm.so"]);
    const versions = Object.values(needs.versions).flat();
    expect(versions).toContain("LIBC_P"); // P is Android 9
    expect(versions.filter((version) => !["LIBC", "LIBC_N", "LIBC_O", "LIBC_P"].includes(version))).toEqual(
      [],
    );
  });
  test("loads where a page has 16 KiB", () => {
    const segments = elf.segments.filter(({ type }) => type === PT_LOAD);
    expect(segments.length).toBeGreaterThan(1);
    for (const { align, address, offset } of segments) {
      expect(align).toBeGreaterThanOrEqual(PAGE_16K);
      expect(address % PAGE_16K).toBe(offset % PAGE_16K);
    }
  });
  test("asks the C library by Android's name only", () => {
    expect(file.includes('"libc.so"')).toBe(true);
    expect(file.includes('"libc.so.6"')).toBe(false);
  });
});

// what the README says of the others, from the same source
test.each([
  ["linux-x64", "/lib64/ld-linux-x86-64.so.2"],
  ["linux-arm64", "/lib/ld-linux-aarch64.so.1"],
] as const)(
  "%s needs glibc 2.17 and nothing newer",
  async (target, interpreter) => {
    const outfile = `${folder}/${target}-needs`;
    await buildTarget(target, { release: true, outfile });
    const needs = readNeeds(readFileSync(outfile));
    expect(needs.interpreter).toBe(interpreter);
    const minors = Object.values(needs.versions)
      .flat()
      .map((version) => Number(/^GLIBC_2\.(\d+)/.exec(version)?.[1]));
    expect(Math.max(...minors)).toBe(17);
  },
  FETCHING,
);

test.each(["linux-x64-musl", "linux-arm64-musl"] as const)(
  "%s needs musl and libstdc++",
  async (target) => {
    const outfile = `${folder}/${target}-needs`;
    await buildTarget(target, { release: true, outfile });
    const arch = target === "linux-x64-musl" ? "x86_64" : "aarch64";
    const { interpreter, libraries } = readNeeds(readFileSync(outfile));
    expect(interpreter).toBe(`/lib/ld-musl-${arch}.so.1`);
    expect(libraries).toEqual(["libstdc++.so.6", `libc.musl-${arch}.so.1`]);
  },
  FETCHING,
);
