/**
 * Builds the single-file executable: `bun run build` a debug build, `bun run build --release` an optimised one, in a
 * folder for each platform and build type (build/linux-x64-dbg/ns). The launcher is compiled here, once, and embedded.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../package.json";
import { alignFile } from "./align.ts";
import { compileLauncher } from "../src/sys/compile.ts";

const { values } = parseArgs({ options: { release: { type: "boolean", default: false } }, strict: true });
const type = values.release ? "rel" : "dbg";
const target = `${process.platform}-${process.arch}`;
const root = join(import.meta.dir, "..");
const folder = join(root, "build", `${target}-${type}`);
const outfile = join(folder, "ns");

const launcher = compileLauncher();
// as 32-bit words: a quarter of the constants that a start has to load
const words = new Int32Array(launcher.head.buffer);
mkdirSync(folder, { recursive: true });
const result = await Bun.build({
  entrypoints: [join(root, "src/cli/entry.ts")],
  compile: {
    outfile,
    autoloadDotenv: false,
    autoloadBunfig: false,
    // without a "--" of our own, BUN_OPTIONS=--preload=x.ts would run a stranger's code
    execArgv: ["--"],
    jitPolicy: 1000,
  },
  define: {
    NS_LAUNCHER: JSON.stringify([...words]),
    NS_LAUNCHER_ENTRY: String(launcher.entry),
    NS_BUILD: JSON.stringify({ version, type, target }),
  },
  format: "esm",
  splitting: true,
  minify: values.release,
  bytecode: values.release,
  sourcemap: "none",
});
for (const message of result.logs) console.error(message);
if (!result.success) process.exit(1);
if (values.release) alignFile(outfile);
console.log(
  `${outfile}: launcher ${new Bun.CryptoHasher("sha256").update(launcher.head).digest("hex").slice(0, 16)}`,
);
