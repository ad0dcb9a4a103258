/**
 * Builds single-file executables: `bun run build` a debug build for this machine, `--release` an optimised one,
 * `--target=NAME` for another kind of machine, `--target=all` for all of them; each in a folder for its target and build
 * type (build/linux-x64-dbg/ns). The launcher is compiled here and embedded. `--compiler=clang` takes clang where TinyCC
 * is usual (for tests).
 */
import { parseArgs } from "node:util";
import { buildTarget } from "./build/executable.ts";
import { type Compiler, nativeTarget, type TargetName, targetNames } from "./build/targets.ts";
import { BuildError } from "./build/tools.ts";

function targetsOf(name: string): TargetName[] {
  if (name === "all") return targetNames;
  const found = targetNames.find((known) => known === name);
  if (found === undefined)
    throw new BuildError(`no target ${name}; there are all, ${targetNames.join(", ")}`);
  return [found];
}

try {
  const { values } = parseArgs({
    options: {
      release: { type: "boolean", default: false },
      target: { type: "string", default: nativeTarget },
      compiler: { type: "string" },
    },
    strict: true,
  });
  if (values.compiler !== undefined && values.compiler !== "tinycc" && values.compiler !== "clang")
    throw new BuildError(`no compiler ${values.compiler}; there are tinycc and clang`);
  const compiler = values.compiler as Compiler | undefined;
  for (const name of targetsOf(values.target))
    console.log((await buildTarget(name, { release: values.release, compiler })).says);
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`build: ${error.message}`);
  process.exit(1);
}
