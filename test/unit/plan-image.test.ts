/** Golden text of the plans for a root in an image: what the child does with the tree that the parent has mounted. */
import { expect, test } from "bun:test";
import { parseArgv, specOf } from "../../src/cli/argv.ts";
import { plan } from "../../src/run/plan.ts";
import type { Facts } from "../../src/spec/spec.ts";

const facts: Facts = {
  pid: 1,
  uid: 0,
  gid: 0,
  capabilities: { mask: "1ffffffffff", sysAdmin: true, setUid: true, setGid: true },
  ignoredSignals: [],
  cgroupNamespace: true,
  kernel: { mountDescriptors: true, closeRange: true, openat2: true, pidfd: true, mountSetattr: true },
  onRootfs: false,
  openFiles: null,
  terminal: null,
};

/** What ns does up to the clone, and the child from the private mounts on to the fresh /proc. */
function planOf(words: string, with_: Facts): string {
  const lines = plan(specOf(parseArgv(["--cgroup", "none", ...words.split(" ")]), false), with_).map(
    ({ who, call }) => `${who}: ${call}`,
  );
  const clone = lines.findIndex((line) => line.includes("PID"));
  const first = lines.findIndex((line) => line.includes("MS_PRIVATE"));
  const last = lines.findIndex((line) => line.includes('"proc"'));
  return [...lines.slice(0, clone), ...lines.slice(first, last)].join("\n");
}

test.each([
  "--image i - / /i",
  "--image i --read-only - /sub /i",
  "--image i -u - / /i 5 6",
  "--image i --ephemeral - / /i",
  "--image i -u --idmap-root --overlay /u - / /i 5 6",
])("%s", (words) => {
  expect(planOf(words, facts)).toMatchSnapshot();
});

test("on an initramfs the root is there already", () => {
  expect(planOf("--image i - / /i", { ...facts, onRootfs: true })).toMatchSnapshot();
});
