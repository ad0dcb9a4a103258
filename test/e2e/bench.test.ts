/** The short benchmark, with one round: that it runs and what its lines look like, not how fast anything is. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { leavesNothing, project, rootTest, runCommand } from "../harness.ts";

leavesNothing();

const compiler = Bun.which("cc") !== null;

rootTest(
  "bench.ts --short prints every ratio beside the recorded one and writes nothing",
  async () => {
    const recorded = join(project, "docs/performance.json");
    const before = readFileSync(recorded, "utf8");
    const words = [process.execPath, "run", join(project, "scripts/bench.ts"), "--short", "--rounds", "1"];
    const ran = await runCommand(words, { cwd: project });
    if (!compiler) {
      expect(ran.stderr).toContain("cc is missing (Debian: apt-get install gcc libc6-dev)");
      return;
    }
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    const lines = ran.stdout.trim().split("\n");
    const ratios = lines.filter((line) => !/: without [\w-]+: \S/.test(line));
    expect(ratios.length).toBeGreaterThan(6);
    for (const line of ratios)
      expect(line).toMatch(/^bench: [\w ]+ \/ [\w ,-]+: \d+\.\d\d \((recorded \d+\.\d\d|not recorded)\)$/);
    expect(ran.stdout).toMatch(/^bench: bare \/ C reference: .* \(recorded/m);
    expect(ran.stdout).toMatch(/^bench: everything \/ C reference|memory cgroup: without/m);
    expect(readFileSync(recorded, "utf8")).toBe(before);
  },
  60_000,
);
