/** Options about what init starts with, and how it ends. */
import { addEnvFile, addKept } from "../../host/environment.ts";
import { parseDuration, parsePositiveDuration } from "../../spec/duration.ts";
import { parseKeptName, parseVariable } from "../../spec/env.ts";
import { usageError } from "../../spec/error.ts";
import { parseAbsolute, parseDescriptor, parseUmask, TTY } from "../../spec/process.ts";
import { parseSignal } from "../../spec/signal.ts";
import { show } from "../../sys/bytes.ts";
import type { Flag } from "./flag.ts";

export const processFlags: readonly Flag[] = [
  {
    name: "env",
    short: "e",
    kind: "list",
    hint: "NAME=VALUE",
    help: "a variable of INIT's environment; goes before all others",
    apply: ({ spec }, value, option) => {
      spec.process.env.set.push(parseVariable(value, option));
    },
  },
  {
    name: "env-file",
    kind: "list",
    hint: "FILE",
    help: "variables of a file: NAME=VALUE lines without quotes, # for comments",
    apply: ({ spec }, value, option) => {
      spec.process.env.fromFiles = addEnvFile(spec.process.env, value, option);
    },
  },
  {
    name: "keep-env",
    kind: "list",
    hint: "NAME",
    help: "the caller's variable of this name; NAME*: all that begin so",
    apply: ({ spec }, value, option) => {
      spec.process.env.kept = addKept(spec.process.env, parseKeptName(value, option));
    },
  },
  {
    name: "clear-env",
    kind: "switch",
    help: "none of ns's own variables, PATH and container included",
    apply: ({ spec }) => {
      spec.process.env.clear = true;
    },
  },
  {
    name: "workdir",
    short: "w",
    kind: "value",
    hint: "DIR",
    help: "INIT's working directory, inside NEWROOT",
    apply: ({ spec }, value, option) => {
      spec.process.workdir = parseAbsolute(value, option);
    },
  },
  {
    name: "umask",
    kind: "value",
    hint: "OCTAL",
    help: "INIT's umask, 022 without it",
    apply: ({ spec }, value, option) => {
      spec.process.umask = parseUmask(value, option);
    },
  },
  {
    name: "arg0",
    kind: "value",
    hint: "NAME",
    help: "what INIT finds as its own name instead of its path (not if it is a script)",
    apply: ({ spec }, value) => {
      spec.process.arg0 = value;
    },
  },
  {
    name: "pass-fd",
    kind: "list",
    hint: "N",
    help: "INIT keeps descriptor N, and so reaches whatever it refers to",
    apply: ({ spec }, value, option) => {
      const fd = parseDescriptor(value, option);
      if (!spec.process.passFds.includes(fd)) spec.process.passFds.push(fd);
    },
  },
  {
    name: "reaper",
    kind: "switch",
    help: "for an INIT that is none: a tiny process 1 that reaps and passes signals on to it",
    apply: ({ spec }) => {
      spec.process.reaper = true;
    },
  },
  {
    name: "tty",
    kind: "value",
    hint: "auto|yes|no",
    help: "a terminal of INIT's own: for those of 0, 1, 2 that are terminals; for all three; or none, but the caller's",
    apply: ({ spec }, value, option) => {
      const tty = TTY.find((word) => word === value);
      if (tty === undefined) throw usageError(`${option}: '${show(value)}' is not one of ${TTY.join(", ")}`);
      spec.process.tty = tty;
    },
  },
  {
    name: "timeout",
    kind: "value",
    hint: "TIME",
    help: "stop INIT when it has run that long: 30s, 5m; exit status 124",
    apply: ({ spec }, value, option) => {
      spec.process.stop.timeout = parsePositiveDuration(value, option);
    },
  },
  {
    name: "stop-signal",
    kind: "value",
    hint: "SIGNAL",
    help: "what is sent to INIT for a SIGTERM: INT, RTMIN+3",
    apply: ({ spec }, value, option) => {
      spec.process.stop.signal = parseSignal(value, option);
    },
  },
  {
    name: "stop-timeout",
    kind: "value",
    hint: "TIME",
    help: "kill INIT that long after it was asked to stop; without it: never, 10s after --timeout",
    apply: ({ spec }, value, option) => {
      spec.process.stop.grace = parseDuration(value, option);
    },
  },
  {
    name: "post",
    kind: "value",
    hint: "SCRIPT",
    help: "script to run on the host at the end, with PRE's argument and the exit status; absolute",
    apply: ({ spec }, value, option) => {
      spec.process.post = parseAbsolute(value, option);
    },
  },
];
