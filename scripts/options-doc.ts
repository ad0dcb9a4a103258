/** Writes docs/options.md from the flag table and its examples. `bun run scripts/options-doc.ts`; a test compares. */
import { join } from "node:path";
import type { Flag } from "../src/cli/flags/flag.ts";
import { GROUPS } from "../src/cli/flags/table.ts";
import { examples } from "./options/examples.ts";

const HEAD = `# Options

Made from the flag table (\`src/cli/flags/\`) by \`bun run scripts/options-doc.ts\`. Every example is run by the tests. In them
\`ROOT\` is a busybox root (\`scripts/mk-test-root.sh ROOT\`); an ordinary user adds what stands in brackets, \`-u\` and his
ids (\`$(id -u) $(id -g)\`), root leaves it out.

A long option's value follows after a space or after \`=\`. In a JSON spec (\`ns batch\`) the keys are the long names.
`;

/** How an option is written, as the headings and the help show it. */
export function showFlag(flag: Flag): string {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  if (flag.kind === "switch") return `${short}--${flag.name}`;
  return flag.kind === "optional"
    ? `${short}--${flag.name}[=${flag.hint}]`
    : `${short}--${flag.name} ${flag.hint}`;
}

function entry(flag: Flag): string {
  const example = examples[flag.name];
  const more = [
    ...(flag.kind === "list" ? ["May be given more than once."] : []),
    ...(flag.needs === undefined ? [] : [`Needs ${flag.needs.map((name) => `--${name}`).join(" or ")}.`]),
    ...(flag.excludes === undefined
      ? []
      : [`Not with ${flag.excludes.map((name) => `--${name}`).join(", ")}.`]),
    ...(example?.root ? ["Root only."] : []),
  ];
  const help = `${flag.help[0]!.toUpperCase()}${flag.help.slice(1)}.`;
  const shown = example === undefined ? "" : `\n${example.text}\n\n\`\`\`\n${example.command}\n\`\`\`\n`;
  return `### \`${showFlag(flag)}\`\n\n${[help, ...more].join(" ")}\n${shown}`;
}

export const optionsDoc = (): string =>
  `${HEAD}\n${GROUPS.filter(({ flags }) => flags.length > 0)
    .map(({ title, flags }) => `## ${title}\n\n${flags.map(entry).join("\n")}`)
    .join("\n")}`;

if (import.meta.main) await Bun.write(join(import.meta.dir, "../docs/options.md"), optionsDoc());
