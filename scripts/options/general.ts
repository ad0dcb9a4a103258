/** Examples of the options in src/cli/flags/general.ts. */
import type { Examples } from "./example.ts";

export const generalExamples: Examples = {
  config: {
    text: "The keys are pre, root, init, args, uid, gid and the long names of the options ([config.md](config.md)). A value on the command line stands for the file's, a list's are added to the file's.",
    command: `echo '{"root": "ROOT", "init": "/bin/sh", "args": ["-c", "echo $A $B"], "env": ["A=file"], "map": "keep"}' | ns --config - -e B=line`,
    prints: "file line",
  },
  verbose: {
    text: "Each step is told on standard error.",
    command: "ns -v [-u] - ROOT /bin/true [UID GID] 2>&1 | grep -c init:",
    prints: "1",
  },
  "status-fd": {
    text: "A program learns how it went (docs/status.md).",
    command:
      'ns --status-fd 5 [-u] - ROOT /bin/sh [UID GID] -- -c \'exit 3\' 5>&1 | grep -o \'"event":"[a-z]*","status":[0-9]*\'',
    prints: '"event":"exited","status":3',
  },
  "status-file": {
    text: "The same in a file.",
    command:
      'f=$(mktemp); ns --status-file $f [-u] - ROOT /bin/no [UID GID] 2>/dev/null; grep -o \'"event":"[a-z]*","status":[0-9]*\' $f; rm $f',
    prints: '"event":"failed","status":127',
  },
  "dry-run": {
    text: "The plan, and nothing is run.",
    command: "ns --dry-run [-u] - ROOT /bin/true [UID GID] | grep -c pivot_root",
    prints: "1",
  },
  help: { text: "All options.", command: "ns --help | head -n 1", prints: /^Usage: ns \[options\]/ },
  version: { text: "What this build is.", command: "ns --version", prints: /^ns \d+\.\d+\.\d+ \(/ },
};
