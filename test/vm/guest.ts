/**
 * Runs ns inside the virtual machine, many runs a boot: each run is a "case" with a name, and the tests ask afterwards
 * what its status, output and traces were. Called by the *.test.ts files in test/vm that are about ns itself.
 *
 * A script is shell text for busybox sh with these words on top of vm.ts: `run CASE COMMAND…` runs a command to its end;
 * `launch CASE COMMAND…` starts one and waits until something in the container writes a line to /ready, then `release`
 * lets the container's `read x </go` return, and `end $?` or `release` closes the case. Around every case the whole
 * machine is compared (`world`): processes of ns and of the container, every cgroup and its switches, every mount.
 * `as_user COMMAND…` and `in_cgroup FOLDER COMMAND…` become their command, as user 1000 or in that cgroup.
 */
import { existsSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { ns, root } from "../harness.ts";
import { run } from "./cache.ts";
import { busyboxFor } from "./image.ts";
import type { Content } from "./payload.ts";
import { runInVm, type VmOptions } from "./vm.ts";

/** NEWROOT in the machine. */
export const box = "/box";

const prelude = `
at=/results

# What ns could leave behind. The inode of its executable tells a process, whatever namespaces it is in.
world() {
  stat -L -c '%d:%i %n' /proc/[0-9]*/exe 2>/dev/null | grep -e "^$(stat -c %d:%i /usr/bin/ns) " -e "^$(stat -c %d:%i ${box}/bin/busybox) "
  ls -l /proc/[0-9]*/exe 2>/dev/null | grep -o '[0-9]*/exe -> .*memfd:.*' # what ns may have turned into
  find /sys/fs/cgroup -type d | sort
  grep -H . $(find /sys/fs/cgroup -name cgroup.subtree_control) /dev/null
  sed 's/\\( devtmpfs .*\\),size=[^,]*/\\1/' /proc/self/mountinfo # the test of Debian speaks about that size
}
members() { # the processes of containers, by their executable
  stat -L -c '%d:%i %n' /proc/[0-9]*/exe 2>/dev/null | sed -n "s,^$(stat -c %d:%i ${box}/bin/busybox) /proc/\\([0-9]*\\)/exe,\\1,p" | sort -n
}
now() { read -r up rest </proc/uptime && echo "\${up%.*}"; }
patience=10
eventually() { # until a command succeeds, at most that many seconds
  deadline=$(($(now) + patience))
  until "$@"; do
    [ "$(now)" -lt "$deadline" ] || { echo "never: $*" >>"$at/err"; return 1; }
  done
}
begin() { echo "case $1"; at=/results/$1; mkdir -p "$at"; chmod 777 "$at"; echo "$at" >/run/case; world >"$at/before"; }
same_world() { world >"$at/after"; cmp -s "$at/before" "$at/after"; }
end() { echo "$1" >"$at/status"; eventually same_world; diff "$at/before" "$at/after" >"$at/left"; }
# A case that hangs must not take the others with it.
finish() { # waits for the case's command
  { sleep 30; echo "never ended" >>"$at/err"; kill -9 "$job"; } </dev/null 8>&- 9>&- & dog=$!
  wait "$job"; status=$?
  kill $dog
  end $status
}
run() { begin "$1"; shift; "$@" >"$at/out" 2>"$at/err" </dev/null & job=$!; finish; }
ready() { read -r -t 30 word <&8 || echo "never ready" >>"$at/err"; }
launch() { begin "$1"; shift; "$@" >"$at/out" 2>"$at/err" </dev/null & job=$!; ready; }
release() { echo go >&9; finish; }
nobody() { [ -z "$(members)$(pidof ns; ls -l /proc/[0-9]*/exe 2>/dev/null | grep memfd:)" ]; }
has_process() { [ -n "$(cat "$1/cgroup.procs")" ]; }

chown -R 0:0 ${box} /usr/bin/ns /pre
[ -c ${box}/dev/null ] || { mknod -m 666 ${box}/dev/null c 1 3; mknod -m 666 ${box}/dev/zero c 1 5; }
mkfifo -m 666 ${box}/ready ${box}/go
exec 8<>${box}/ready 9<>${box}/go
`;

/** A pre script: what the host sees of the waiting child, written to the case's folder. */
const look = `#!/bin/sh
at=$(cat /run/case)
echo "$1" >$at/pid
echo "$PPID" >$at/pid-of-ns
if grep -q :memory: /proc/$1/cgroup; then
  own=$(sed -n 's/^[0-9]*:memory://p' /proc/$1/cgroup); dir=/sys/fs/cgroup/memory$own
else
  own=$(sed -n 's/^0:://p' /proc/$1/cgroup); own=\${own%/inside}; dir=/sys/fs/cgroup$own
fi
echo "$own" >$at/cgroup
cat /proc/$PPID/cgroup >$at/cgroup-of-ns
for place in $dir $dir/inside; do [ ! -e $place/cgroup.procs ] || cat $place/cgroup.procs; done >$at/cgroup.procs
for file in memory.max memory.swap.max memory.oom.group memory.limit_in_bytes memory.memsw.limit_in_bytes; do
  [ ! -e $dir/$file ] || cat $dir/$file >$at/$file
done
`;

const inCgroup = `#!/bin/sh
echo $$ >"$1/cgroup.procs" || exit 99
shift
exec "$@"
`;

export interface Case {
  status: number;
  out: string;
  err: string;
  /** lines of diff(1) between the machine before and after; empty when nothing was left */
  left: string;
  /** the text of another file of the case, without the last newline; "" when there is none */
  file(name: string): string;
}

export interface Guest {
  console: string;
  /** What became of a case; an error with the console when it was never run. */
  of(name: string): Case;
}

export interface GuestOptions extends VmOptions {
  /** the executable, if it is not the one that harness.ts tests */
  ns?: string;
}

/** The busybox root for a machine: on another architecture the same one with that one's busybox. */
async function boxFor(machine: VmOptions["machine"]): Promise<string> {
  if (machine === undefined || machine === "x64") return root;
  const path = `${root}-${machine}`;
  if (existsSync(path)) return path;
  await run(["cp", "-a", "-T", root, path]);
  await copyFile(await busyboxFor(machine), `${path}/bin/busybox`);
  return path;
}

/** Boots a machine with ns, the root /box and the pre scripts /pre/look and /pre/fail, and runs the script's cases. */
export async function runGuest(options: GuestOptions): Promise<Guest> {
  const files: Record<string, Content> = {
    "/usr/bin/ns": options.ns ?? ns,
    [box]: await boxFor(options.machine),
    "/usr/bin/as_user": { text: `#!/bin/sh\nexec su -c 'exec "$@"' -- user sh "$@"\n`, mode: 0o755 },
    "/usr/bin/in_cgroup": { text: inCgroup, mode: 0o755 },
    "/pre/look": { text: look, mode: 0o755 },
    "/pre/fail": { text: "#!/bin/sh\nexit 3\n", mode: 0o755 },
    ...options.files,
  };
  const script = `${prelude}\n${options.script}\nexit 0`;
  const { console, results } = await runInVm({ timeoutMs: 100_000, ...options, files, script });
  return {
    console,
    of(name) {
      const file = (path: string): string => `${results.get(`${name}/${path}`) ?? ""}`.replace(/\n$/, "");
      if (!results.has(`${name}/status`)) throw new Error(`case ${name} never ended; console:\n${console}`);
      return {
        status: Number(file("status")),
        out: file("out"),
        err: file("err"),
        left: file("left"),
        file,
      };
    },
  };
}
