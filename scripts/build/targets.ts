/**
 * What can be built: a target is a Bun executable and the launcher for its architecture. Called by build.ts and
 * release.ts; the README's table of targets says which is for which host.
 */
import type { Abi } from "../../src/sys/abi.ts";
import * as arm64 from "../../src/sys/abi/arm64.ts";
import * as x64 from "../../src/sys/abi/x64.ts";

export type Compiler = "tinycc" | "clang";
export type Architecture = "x64" | "arm64";

export interface Target {
  readonly arch: Architecture;
  /** what Bun calls it */
  readonly bun: string;
  /** the npm package of its Bun executable */
  readonly base: string;
  /** what compiles its launcher: Android's Bun has no TinyCC */
  readonly compiler: Compiler;
}

export const TARGETS = {
  "linux-x64": { arch: "x64", bun: "bun-linux-x64", base: "@oven/bun-linux-x64", compiler: "tinycc" },
  "linux-arm64": {
    arch: "arm64",
    bun: "bun-linux-arm64",
    base: "@oven/bun-linux-aarch64",
    compiler: "tinycc",
  },
  "linux-x64-musl": {
    arch: "x64",
    bun: "bun-linux-x64-musl",
    base: "@oven/bun-linux-x64-musl",
    compiler: "tinycc",
  },
  "linux-arm64-musl": {
    arch: "arm64",
    bun: "bun-linux-arm64-musl",
    base: "@oven/bun-linux-aarch64-musl",
    compiler: "tinycc",
  },
  "android-arm64": {
    arch: "arm64",
    bun: "bun-linux-arm64-android",
    base: "@oven/bun-linux-aarch64-android",
    compiler: "clang",
  },
  "android-x64": {
    arch: "x64",
    bun: "bun-linux-x64-android",
    base: "@oven/bun-linux-x64-android",
    compiler: "clang",
  },
} as const satisfies Record<string, Target>;

export type TargetName = keyof typeof TARGETS;
export const targetNames = Object.keys(TARGETS) as TargetName[];

export const ABI: Readonly<Record<Architecture, Abi>> = { x64, arm64 };

/** The target that this machine runs, as far as Bun tells. */
export const nativeTarget = `linux-${process.arch}` as TargetName;
