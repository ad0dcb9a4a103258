/**
 * Writes docs/containment.md: what each attack of `ns prove` comes to with ns's profiles and with other programs, on this
 * machine. Run as root, after a release build: `bun run scripts/containment.ts`.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attackGroups } from "../src/plan/attack/all.ts";
import { attackBy, outputOf } from "./containment/attacker.ts";
import { columns, type Column, everyPeerGroup, GROUP, withBait } from "./containment/columns.ts";

const project = join(import.meta.dir, "..");
const scratch = mkdtempSync(join(tmpdir(), "ns-containment-"));
const ns = join(scratch, "ns");

type Cells = ReadonlyMap<string, string>;

async function cellsOf({ words, options }: Column, root: string): Promise<Cells> {
  if (words === undefined) {
    const { stdout, stderr } = await outputOf(withBait([ns, "prove", "--json", ...options(root)]));
    const text = new TextDecoder().decode(stdout);
    if (text === "") throw new Error(stderr);
    const { attacks } = JSON.parse(text) as { attacks: { name: string; verdict: string }[] };
    return new Map(attacks.map(({ name, verdict }) => [name, verdict]));
  }
  const { verdicts, stderr } = await attackBy(
    root,
    (bait) => ({ ...bait, groups: [GROUP], peers: everyPeerGroup, capabilities: -1n }),
    () => outputOf(withBait(words(root))),
  );
  if (![...verdicts.values()].some(({ verdict }) => verdict === "held")) throw new Error(stderr);
  return new Map([...verdicts].map(([name, { verdict }]) => [name, verdict]));
}

try {
  process.env.SECRET = "of-the-caller";
  Bun.spawnSync(["chmod", "755", scratch]);
  cpSync(join(project, "build/linux-x64-rel/ns"), ns);
  const found: Cells[] = [];
  for (const [i, column] of columns.entries()) {
    const root = join(scratch, `root${i}`);
    Bun.spawnSync(["sh", join(project, "scripts/mk-test-root.sh"), root]);
    mkdirSync(join(root, "usr"), { recursive: true });
    found.push(await cellsOf(column, root));
  }
  const kernel = (await outputOf(["uname", "-r"])).stdout;
  const head = ["attack", "who is inside can", ...columns.map(({ name }) => name)];
  const cell = (verdict: string | undefined): string =>
    verdict === "open" ? "**open**" : verdict === "held" ? "held" : "–";
  const sections = attackGroups().map(({ title, attacks }) =>
    [
      `## ${title}\n`,
      `| ${head.join(" | ")} |`,
      `|${head.map(() => "---").join("|")}|`,
      ...attacks.map(({ name, does }) => {
        const cells = found.map((column) => cell(column.get(name)));
        return `| ${name} | ${does.replaceAll("|", "\\|")} | ${cells.join(" | ")} |`;
      }),
    ].join("\n"),
  );
  const count = (which: string): string =>
    columns
      .map(({ name }, i) => `${name} ${[...found[i]!.values()].filter((one) => one === which).length}`)
      .join(", ");
  const text = `# What holds

Made by \`bun run scripts/containment.ts\` on Linux ${new TextDecoder().decode(kernel).trim().split("-")[0]}. Each row is an attack of \`ns prove\`, made by the same
program in each column; \`ns prove\` in front of your own options shows what they come to on your machine. **open**: it works
there. held: the kernel refuses it, or it reaches nothing of the host's. –: it cannot be tried on this machine or with that
program; what needs another machine is tried in a virtual one (test/vm/prove.test.ts). That each attack works where nothing
holds it is tested too (test/e2e/prove.test.ts).

${columns.map(({ name, says }) => `- ${name}: ${says}`).join("\n")}

Open: ${count("open")}.

${sections.join("\n\n")}
`;
  writeFileSync(join(project, "docs/containment.md"), text);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
