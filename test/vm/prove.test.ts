/**
 * `ns prove` in machines that have what this one may lack: cgroup v2 alone and a kernel with modules, kexec, ports, disks and
 * /dev/mem; and an initramfs. What profile init as real root does not hold shows that the attacks work, and that the
 * profiles are what holds them. Run by `bun test`.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { NEEDS_MACHINE } from "../../scripts/containment/controls.ts";
import { type Guest, runGuest } from "./guest.ts";
import { vmMissing } from "./lane.ts";

interface Told {
  setting: string;
  attacks: { name: string; verdict: string; broken: boolean }[];
}

const told = (guest: Guest, name: string) => {
  const { setting, attacks } = JSON.parse(guest.of(name).out) as Told;
  const of = (which: string): string[] =>
    attacks.filter(({ verdict }) => verdict === which).map((attack) => attack.name);
  const broken = attacks.filter((attack) => attack.broken).map((attack) => attack.name);
  return { setting, broken, open: of("open"), held: of("held") };
};

const loose =
  "--profile=app --cap-add=ALL --seccomp=none --unmask=ALL --allow-device=all --dev=keep --bind=/sys:/sys";
const script = `
echo +memory +pids >/sys/fs/cgroup/cgroup.subtree_control
mkdir -p /box/sys
mknod -m 600 /box/dev/mem c 1 1
for disk in /sys/block/nvme*; do mknod -m 600 /box/dev/$(basename $disk) b $(tr : " " <$disk/dev); done
run loose ns prove --json ${loose} - /box /bin/sh
run init ns prove --json -m 64M - /box /bin/sh
run app ns prove --json -m 64M --profile=app - /box /bin/sh
run strict ns prove --json -m 64M --profile=strict - /box /bin/sh
run user ns prove --json -m 64M -u - /box /bin/sh 1000 1000
run user-app as_user ns prove --json -u --profile=app - /box /bin/sh 1000 1000
run user-own as_user ns prove --json -u - /box /bin/sh 1000 1000
`;

describe.skipIf(await vmMissing("ns prove on cgroup v2"))("on cgroup v2", () => {
  let guest: Guest;
  beforeAll(async () => {
    guest = await runGuest({ script });
  }, 120_000);

  test("what needs such a machine is open there, to a root that nothing holds", () => {
    const { open } = told(guest, "loose");
    expect(NEEDS_MACHINE.filter((name) => !open.includes(name))).toEqual([]);
    expect(guest.of("loose").status).toBe(1);
    expect(guest.of("loose").left).toBe("");
  });

  test.each(["init", "app", "strict", "user", "user-app", "user-own"])(
    "%s holds what it promises",
    (name) => {
      const { broken } = told(guest, name);
      expect({ broken, err: guest.of(name).err, left: guest.of(name).left }).toEqual({
        ...{ broken: [], err: "", left: "" },
      });
      expect(guest.of(name).status).toBe(0);
    },
  );

  test("app, strict and a user namespace hold what needs such a machine", () => {
    const openTo = (name: string) =>
      NEEDS_MACHINE.filter((attack) => told(guest, name).open.includes(attack));
    for (const name of ["user", "user-app", "user-own"]) expect(openTo(name)).toEqual([]);
    // real root's device files are a device cgroup's to hold
    const nodes = ["disk", "device-files"];
    for (const name of ["app", "strict"])
      expect(openTo(name).filter((one) => !nodes.includes(one))).toEqual([]);
  });

  test("the limits of cgroup v2 are the machine's root's to lift, and nobody else's", () => {
    expect(told(guest, "init").open).toContain("limits");
    for (const name of ["app", "strict", "user"]) expect(told(guest, name).held).toContain("limits");
  });
});

describe.skipIf(await vmMissing("ns prove on an initramfs"))("on an initramfs", () => {
  let guest: Guest;
  beforeAll(async () => {
    const runs = `
run user as_user ns prove --json -u - /box /bin/sh 1000 1000
run app as_user ns prove --json -u --profile=app - /box /bin/sh 1000 1000
`;
    guest = await runGuest({ initramfs: true, script: runs });
  }, 120_000);

  test("the root below is open, as SECURITY.md says, but not with a profile", () => {
    expect(told(guest, "user").open).toContain("root-below");
    expect(told(guest, "user").broken).toEqual([]);
    expect(told(guest, "app").held).toContain("root-below");
    expect(guest.of("app").status).toBe(0);
  });
});
