/**
 * scripts/android-smoke.sh, which needs a device, tried on this machine: an adb that runs everything here, in the test's
 * folder. What it tells of ns is real; only that the executable is not Android's has to be seen.
 */
import { expect } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, leavesNothing, ns, project, rootTest, runCommand } from "../harness.ts";

leavesNothing();

const device = join(folder, "device");

const adb = `#!/bin/sh
here() { sed 's,/data/local/tmp,${device},g; s,/system/bin/sh,/bin/sh,g'; }
what=$1; shift
case $what in
get-state) echo device ;;
push)
  to=$(echo "$2" | here)
  if head -c 4 "$1" | grep -q ELF; then cp "$1" "$to"; else here <"$1" >"$to"; fi ;;
shell) PATH=${device}:$PATH exec sh -c "$(echo "$*" | here)" ;;
esac
`;

rootTest(
  "every check passes that can here, and the one that cannot is told",
  async () => {
    mkdirSync(device);
    for (const [name, text] of [
      ["adb", adb],
      ["getprop", "#!/bin/sh\necho 9\n"],
    ] as const) {
      writeFileSync(join(device, name), text);
      chmodSync(join(device, name), 0o755);
    }
    const env = { PATH: `${device}:${process.env.PATH}` };
    const busybox = Bun.which("busybox")!;
    const ran = await runCommand([join(project, "scripts/android-smoke.sh"), ns, busybox], { env });
    const lines = ran.stdout.split("\n");
    expect(lines.filter((line) => line.startsWith("fail: "))).toEqual([
      "fail: ns starts: status 0 (should be 0)",
    ]);
    expect(lines.at(-2)).toBe("20 passed, 1 failed");
    expect(ran).toMatchObject({ status: 1, stderr: "" });
    expect(Bun.file(join(device, "ns-smoke/ns")).size).toBe(0);
  },
  60_000,
);
