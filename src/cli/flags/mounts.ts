/** Options about what is mounted in the container, in the order given. */
import { parseBind, parseCopy, parseMount, parseSymlink, parseTmpfs } from "../../spec/mount-words.ts";
import { parseTarget } from "../../spec/path-words.ts";
import type { Flag } from "./flag.ts";

export const mountFlags: readonly Flag[] = [
  {
    name: "bind",
    kind: "list",
    hint: "SRC:DST[:OPT,...]",
    help: "the host's file or directory SRC at DST inside; OPT: ro, norec, dev, suid, noexec",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseBind(value, option, false));
    },
  },
  {
    name: "bind-try",
    kind: "list",
    hint: "SRC:DST[:OPT,...]",
    help: "like --bind, but nothing where SRC is not there",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseBind(value, option, true));
    },
  },
  {
    name: "tmpfs",
    kind: "list",
    hint: "DST[:OPT,...]",
    help: "an empty directory in memory at DST; OPT: size=SIZE, mode=MODE (1777), ro, exec, dev, suid",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseTmpfs(value, option));
    },
  },
  {
    name: "mount",
    kind: "list",
    hint: "type=TYPE,dst=DST[,...]",
    help: "TYPE bind (src=SRC), overlay (src=A:B), tmpfs, proc, sysfs, devpts, mqueue, cgroup; options as with --bind",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseMount(value, option));
    },
  },
  {
    name: "symlink",
    kind: "list",
    hint: "TARGET:LINK",
    help: "a symbolic link LINK inside that holds TARGET; another link of that name is replaced",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseSymlink(value, option));
    },
  },
  {
    name: "dir",
    kind: "list",
    hint: "DST",
    help: "a directory inside, made with those above it unless it is there",
    apply: ({ spec }, value, option) => {
      spec.mounts.push({ type: "directory", target: parseTarget(value, option) });
    },
  },
  {
    name: "file",
    kind: "list",
    hint: "FD:DST",
    help: "a file inside with what can be read from the descriptor FD; a file of that name is replaced",
    commandOnly: true,
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseCopy(value, option));
    },
  },
];
