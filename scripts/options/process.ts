/** Examples of the options in src/cli/flags/process.ts. */
import type { Examples } from "./example.ts";

export const processExamples: Examples = {
  env: {
    text: "A variable, and another PATH.",
    command: "ns -e LANG=C -e PATH=/bin [-u] - ROOT /bin/sh [UID GID] -- -c 'echo $LANG $PATH $container'",
    prints: "C /bin ns",
  },
  "env-file": {
    text: "Variables from a file.",
    command:
      "printf 'A=1 2\\n# what B is\\nB=3\\n' | ns --env-file /dev/stdin -e B=4 [-u] - ROOT /bin/sh [UID GID] -- -c 'echo $A $B'",
    prints: "1 2 4",
  },
  "keep-env": {
    text: "The caller's locale.",
    command:
      "LANG=de_DE LC_TIME=C ns --keep-env LANG --keep-env 'LC_*' [-u] - ROOT /bin/sh [UID GID] -- -c 'echo $LANG $LC_TIME'",
    prints: "de_DE C",
  },
  "clear-env": {
    text: "Nothing but one variable.",
    command: "ns --clear-env -e A=1 [-u] - ROOT /bin/cat [UID GID] -- /proc/self/environ | tr '\\0' ' '",
    prints: "A=1",
  },
  workdir: {
    text: "Init begins in a directory of the root.",
    command: "ns -w /etc [-u] - ROOT /bin/pwd [UID GID]",
    prints: "/etc",
  },
  umask: {
    text: "What init makes is its own alone.",
    command: "ns --umask 077 [-u] - ROOT /bin/sh [UID GID] -- -c umask",
    prints: "0077",
  },
  arg0: {
    text: "busybox is the program that it is called.",
    command: "ns --arg0 basename [-u] - ROOT /bin/busybox [UID GID] -- /a/b",
    prints: "b",
  },
  "pass-fd": {
    text: "A file that lies outside the root.",
    command: "echo outside | ns --pass-fd 7 [-u] - ROOT /bin/sh [UID GID] -- -c 'cat <&7' 7<&0 </dev/null",
    prints: "outside",
  },
  reaper: {
    text: "The command is not process 1: SIGTERM ends it, and its orphans are reaped.",
    command: "ns --reaper [-u] - ROOT /bin/sh [UID GID] -- -c 'echo $$; kill -TERM $$'",
    prints: "2",
    status: 143,
  },
  tty: {
    text: "A terminal, where there is none to be had from the caller.",
    command:
      "ns --tty=yes [-u] - ROOT /bin/sh [UID GID] -- -c 'test -t 0 && test -t 1 && echo a terminal' </dev/null",
    prints: "a terminal",
  },
  timeout: {
    text: "A command that takes too long.",
    command: "ns --reaper --timeout 0.1s [-u] - ROOT /bin/sleep [UID GID] -- 1000",
    prints: "",
    status: 124,
  },
  "stop-signal": {
    text: "What would stop systemd in good order.",
    command:
      "ns --timeout 0.3s --stop-signal USR1 [-u] - ROOT /bin/sh [UID GID] -- -c 'trap \"echo stopping; exit\" USR1; while :; do sleep 1000 & wait; done'",
    prints: "stopping",
    status: 124,
  },
  "stop-timeout": {
    text: "A shell as process 1 takes no notice of SIGTERM: it is killed 0.1 seconds later.",
    command: "ns --timeout 0.1s --stop-timeout 0.1s [-u] - ROOT /bin/sh [UID GID] -- -c 'sleep 1000; :'",
    prints: "",
    status: 124,
  },
  post: {
    text: "What is left to do on the host when the container is gone.",
    command:
      "printf '#!/bin/sh\\necho status $2\\n' >FOLDER/post; chmod +x FOLDER/post; ns --post FOLDER/post [-u] - ROOT /bin/false [UID GID]",
    prints: "status 1",
    status: 1,
  },
};
