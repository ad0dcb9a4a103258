/** Options about what is mounted in the container, in the order given. */
import { parseBind, parseCopy, parseMount, parseSymlink, parseTmpfs } from "../../spec/mount-words.ts";
import { parseTarget } from "../../spec/path-words.ts";
import type { Flag } from "./flag.ts";

export const mountFlags: readonly Flag[] = [
  {
    name: "bind",
    kind: "list",
    hint: "SRC:DST[:OPTS]",
    help: "SRC of the host at DST inside; OPTS: ro,norec,dev,suid,noexec",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseBind(value, option, false));
    },
  },
  {
    name: "bind-try",
    kind: "list",
    hint: "SRC:DST[:OPTS]",
    help: "like --bind, but nothing where SRC is not there",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseBind(value, option, true));
    },
  },
  {
    name: "tmpfs",
    kind: "list",
    hint: "DST[:OPTS]",
    help: "a directory in memory; OPTS: size=SIZE,mode=MODE,ro,exec,dev,suid",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseTmpfs(value, option));
    },
  },
  {
    name: "mount",
    kind: "list",
    hint: "type=TYPE,dst=DST,...",
    help: "bind, overlay, tmpfs, proc, sysfs, devpts, mqueue or cgroup",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseMount(value, option));
    },
  },
  {
    name: "symlink",
    kind: "list",
    hint: "TARGET:LINK",
    help: "a link inside that holds TARGET, in the place of another link",
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseSymlink(value, option));
    },
  },
  {
    name: "dir",
    kind: "list",
    hint: "DST",
    help: "a directory inside, with those above it",
    apply: ({ spec }, value, option) => {
      spec.mounts.push({ type: "directory", target: parseTarget(value, option) });
    },
  },
  {
    name: "file",
    kind: "list",
    hint: "FD:DST",
    help: "a file inside with what can be read from the descriptor FD",
    commandOnly: true,
    apply: ({ spec }, value, option) => {
      spec.mounts.push(parseCopy(value, option));
    },
  },
];
