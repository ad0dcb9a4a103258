/**
 * Writes docs/ns.1 from the flag table, the examples of the options and the table of commands. `bun run scripts/man.ts`; a
 * test compares, and has groff and mandoc look at it.
 */
import { join } from "node:path";
import { version } from "../package.json";
import { COMMANDS } from "../src/cli/commands/table.ts";
import type { Flag } from "../src/cli/flags/flag.ts";
import { GROUPS } from "../src/cli/flags/table.ts";
import { examples } from "./options/examples.ts";

/** What man(7) shows as the page's date: that of the text below. */
const DATE = "2026-11-23";

/** A text as roff: nothing in it is a request or an escape; a minus is one that can be copied. */
const roff = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replace(/^([.'])/gm, "\\&$1");

/** Markdown's `code` and [links](to) of the examples' texts. */
const prose = (text: string): string =>
  text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .split("`")
    .map((part, i) => (i % 2 === 0 ? roff(part).replace(/(\w)\\-(?=\w)/g, "$1-") : `\\fB${roff(part)}\\fR`))
    .join("");

const code = (text: string): string => `.IP\n.nf\n${roff(text)}\n.fi`;

function tag(flag: Flag): string {
  const bold = (text: string): string => `\\fB${roff(text)}\\fR`;
  const names = [...(flag.short === undefined ? [] : [bold(`-${flag.short}`)]), bold(`--${flag.name}`)].join(
    ", ",
  );
  if (flag.kind === "switch") return names;
  const hint = `\\fI${roff(flag.hint)}\\fR`;
  return flag.kind === "optional" ? `${names}[=${hint}]` : `${names} ${hint}`;
}

const upper = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`;
const dashed = (names: readonly string[], between: string): string =>
  names.map((name) => `--${name}`).join(between);

function option(flag: Flag): string {
  const more = [
    prose(upper(flag.help)),
    ...(flag.kind === "list" ? ["May be given more than once."] : []),
    ...(flag.needs === undefined ? [] : [roff(`Needs ${dashed(flag.needs, " or ")}.`)]),
    ...(flag.excludes === undefined ? [] : [roff(`Not with ${dashed(flag.excludes, ", ")}.`)]),
    ...(examples[flag.name] === undefined ? [] : [prose(examples[flag.name]!.text)]),
  ];
  return `.TP\n${tag(flag)}\n${more.join("\n")}`;
}

/** A command's text: paragraphs; what is indented is shown as it is. */
const paragraphs = (text: string): string =>
  text
    .split("\n\n")
    .map((part) =>
      part.startsWith("  ") ? code(part.replace(/^ {2}/gm, "")) : `.PP\n${prose(part.replaceAll("\n", " "))}`,
    )
    .join("\n");

const SECTIONS = {
  arguments: [
    [
      "PRE",
      "script to run on the host before INIT starts, with INIT's process id as its argument; - for none",
    ],
    [
      "NEWROOT",
      "directory that holds the root file system; A:B:C are directories over one another, A on top",
    ],
    ["INIT", "absolute path inside NEWROOT of what becomes process 1; ARGs are passed to it"],
    ["UID GID", "with --user: what root inside is outside"],
  ],
  status: [
    ["N", "INIT's own"],
    ["128+N", "signal N ended INIT"],
    ["124", "INIT was stopped after its --timeout"],
    ["125", "ns failed; INIT has not run"],
    ["126", "INIT cannot be executed"],
    ["127", "INIT is not there"],
    ["2", "wrong usage"],
  ],
  environment: [
    ["PATH", "where ns looks for newuidmap, newgidmap and pasta; INIT has one of its own"],
    ["NO_COLOR", "if it is set, the help has no colours"],
  ],
  files: [
    ["/etc/subuid, /etc/subgid", "ids for --map=auto"],
    [
      "/sys/fs/cgroup",
      "where limits are set: a directory ns of the caller's cgroup, for the time of the run",
    ],
    ["UPPER.ns-work", "made for a run with --overlay, and removed"],
  ],
} as const;

const list = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([name, text]) => `.TP\n\\fB${roff(name)}\\fR\n${prose(upper(text))}`).join("\n");

/** The page. */
export const manPage = (): string => `.\\" made by scripts/man.ts from the tables of options and commands
.TH NS 1 ${DATE} "ns ${version}" "User Commands"
.SH NAME
ns \\- start a root file system's init as an isolated container
.SH SYNOPSIS
.B ns
[\\fIoptions\\fR] \\fIPRE\\fR \\fINEWROOT\\fR \\fIINIT\\fR [\\fIUID\\fR \\fIGID\\fR] [\\fB\\-\\-\\fR \\fIARG\\fR...]
${COMMANDS.map(({ usage }) => `.br\n${roff(usage)}`).join("\n")}
.SH DESCRIPTION
${prose("ns starts a root file system's init as an isolated container: in namespaces of its own, with NEWROOT as its root, a fresh /proc, and nothing of the caller's but standard input, output and error. When INIT has ended, nothing of the container is left: no process, no mount, no cgroup.")}
${list(SECTIONS.arguments)}
.SH OPTIONS
A long option's value follows after a space or after =.
Options may stand before, between and behind the words, up to \\fB\\-\\-\\fR.
${GROUPS.filter(({ flags }) => flags.length > 0)
  .map(({ title, flags }) => `.SS ${title}\n${flags.map(option).join("\n")}`)
  .join("\n")}
.SH COMMANDS
${COMMANDS.map(({ name, usage, text, options, container }) =>
  [
    `.SS ns ${name}`,
    roff(usage),
    paragraphs(text),
    ...options.map(option),
    ...(container ? [".PP\nIt takes all options of ns as well."] : []),
  ].join("\n"),
).join("\n")}
.SH EXIT STATUS
${list(SECTIONS.status)}
.SH ENVIRONMENT
${list(SECTIONS.environment)}
.SH FILES
${list(SECTIONS.files)}
.SH EXAMPLES
.nf
${roff("sudo ns -m 1G -n /tmp/pre.sh /tmp/root /init.sh\nns -u - /tmp/root /bin/sh $(id -u) $(id -g)\nns --config web.json -m 2G")}
.fi
.SH SEE ALSO
.BR chroot (8),
.BR unshare (1),
.BR namespaces (7),
.BR cgroups (7)
`;

if (import.meta.main) await Bun.write(join(import.meta.dir, "../docs/ns.1"), manPage());
