/**
 * How many containers a second one program starts with the library, beside a shell's loop of bwrap in the same namespaces.
 * `bun run scripts/bench-many.ts [STARTS]`, as root; the bench includes `measureMany()`. Rounds of one and of the other take
 * turns, so that both meet the same machine; the rate is the median round's.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start, type Wanted } from "../src/index.ts";

const ROUNDS = 5;
const AT_ONCE = 16;
const BWRAP_STARTS = 200;

export interface Many {
  /** starts a second of /bin/true, several on their way at once */
  readonly library: number;
  /** the same, one after the other */
  readonly inTurn: number;
  /** the same with a memory limit, each in a cgroup of its own */
  readonly limited: number;
  /** of a shell's loop of bwrap; null: there is none */
  readonly bwrap: number | null;
  /** what all the starts of the measurement have cost: bytes of resident memory, and descriptors */
  readonly grown: { readonly memory: number; readonly descriptors: number };
  readonly starts: number;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Runs so many containers to their ends; starts a second. */
async function rateOf(spec: Wanted, count: number, atOnce: number): Promise<number> {
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const { status } = await (await start(spec)).exited;
      if (status !== 0) throw new Error(`status ${status}`);
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: atOnce }, one));
  return (count * 1000) / (performance.now() - begin);
}

function rateOfBwrap(root: string): number | null {
  if (Bun.which("bwrap") === null) return null;
  const bwrap = `bwrap --unshare-pid --unshare-uts --unshare-ipc --unshare-cgroup --bind '${root}' / --proc /proc /bin/true`;
  const loop = `i=0; while [ $i -lt ${BWRAP_STARTS} ]; do ${bwrap} || exit 1; i=$((i+1)); done`;
  const begin = performance.now();
  if (Bun.spawnSync(["sh", "-c", loop], { stdin: "ignore" }).exitCode !== 0) return null;
  return (BWRAP_STARTS * 1000) / (performance.now() - begin);
}

/** @param root a busybox root @param starts in all, of the first kind */
export async function measureMany(root: string, starts = 10_000): Promise<Many> {
  const spec = { root, init: "/bin/true" };
  const limited = { ...spec, limits: { memory: "64M" } };
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  const memory = (): number => {
    Bun.gc(true);
    return process.memoryUsage.rss();
  };
  await rateOf(spec, 500, AT_ONCE);
  const before = { memory: memory(), descriptors: descriptors() };
  const rates: { library: number; inTurn: number; limited: number; bwrap: number | null }[] = [];
  for (let round = 0; round < ROUNDS; round++)
    rates.push({
      library: await rateOf(spec, Math.ceil(starts / ROUNDS), AT_ONCE),
      bwrap: rateOfBwrap(root),
      inTurn: await rateOf(spec, 200, 1),
      limited: await rateOf(limited, 200, AT_ONCE),
    });
  const grown = { memory: memory() - before.memory, descriptors: descriptors() - before.descriptors };
  const of = (kind: "library" | "inTurn" | "limited"): number => median(rates.map((rate) => rate[kind]));
  const bwrap = rates.flatMap((rate) => (rate.bwrap === null ? [] : [rate.bwrap]));
  return {
    ...{ library: of("library"), inTurn: of("inTurn"), limited: of("limited") },
    ...{ bwrap: bwrap.length === 0 ? null : median(bwrap), grown, starts },
  };
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), "ns-bench-many-"));
  const root = join(folder, "root");
  try {
    Bun.spawnSync(["sh", join(import.meta.dir, "mk-test-root.sh"), root]);
    const many = await measureMany(root, Number(process.argv[2] ?? 10_000));
    const per = (rate: number): string => `${rate.toFixed(0)} a second`;
    console.log(`library, ${AT_ONCE} at once: ${per(many.library)}`);
    console.log(`library, one after the other: ${per(many.inTurn)}`);
    console.log(`library, each with a memory limit: ${per(many.limited)}`);
    if (many.bwrap !== null)
      console.log(`a loop of bwrap: ${per(many.bwrap)}, ratio ${(many.library / many.bwrap).toFixed(1)}`);
    const { memory, descriptors } = many.grown;
    console.log(
      `after ${many.starts} starts: ${(memory / 1024).toFixed(0)} kB, ${descriptors} descriptors more`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
