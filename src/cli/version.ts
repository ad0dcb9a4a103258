/** What this build is. scripts/build.ts defines it; run from sources it is a debug build. */
declare const NS_BUILD: { version: string; type: "dbg" | "rel"; target: string; launcher: string };

const build =
  typeof NS_BUILD === "undefined"
    ? { version: "0.0.0", type: "dbg" as const, target: "source", launcher: "compiled now" }
    : NS_BUILD;

export const buildVersion = build.version;
export const isDebug = build.type === "dbg";

/** "ns 0.1.0 (release, linux-x64, launcher 483a1127f8e9, Bun 1.4.5)" */
export const versionLine = (): string =>
  `ns ${build.version} (${isDebug ? "debug" : "release"}, ${build.target}, launcher ${build.launcher}, Bun ${Bun.version})`;
