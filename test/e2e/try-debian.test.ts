/** `ns try` on a Debian root: a package is installed, listed, exported and applied; all agree with what the overlay holds. */
import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, isRoot, leavesNothing, ns, runCommand } from "../harness.ts";
import { debianRoot, SERVICES } from "../vm/debian.ts";

const missing = !isRoot
  ? "making a Debian root needs root"
  : Bun.which("mmdebstrap") === null
    ? "mmdebstrap is missing: install the package mmdebstrap"
    : null;
if (missing !== null) console.log(`skipped: ns try on a Debian root: ${missing}`);

const CONTROL = `Package: ns-hello
Version: 1.0
Architecture: all
Maintainer: nobody <nobody@example.invalid>
Description: a package to install
`;

leavesNothing();

describe.skipIf(missing !== null)("a package on a Debian root", () => {
  const root = join(folder, "debian");
  const kept = join(folder, "kept");
  const tar = join(folder, "layer.tar");
  const must = async (words: string[]): Promise<string[]> => {
    const { status, stdout, stderr } = await runCommand(words);
    expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: "" });
    return stdout.split("\n").filter((text) => text !== "");
  };

  beforeAll(async () => {
    const from = await debianRoot(SERVICES);
    await must(["cp", "-a", from, root]);
    const tree = join(folder, "ns-hello");
    for (const directory of ["DEBIAN", "usr/bin"]) mkdirSync(join(tree, directory), { recursive: true });
    writeFileSync(join(tree, "DEBIAN/control"), CONTROL);
    writeFileSync(join(tree, "usr/bin/ns-hello"), "#!/bin/sh\necho hello from a package\n", { mode: 0o755 });
    await must(["dpkg-deb", "--root-owner-group", "-b", tree, join(root, "hello.deb")]);
  }, 300_000);

  test("is installed, listed, exported, applied", async () => {
    const options = ["--apply", "--keep", kept, "--export", tar, "-n"];
    const install = ["/usr/bin/apt-get", "-qq", "install", "-y", "/hello.deb"];
    const ran = await runCommand([ns, "try", ...options, root, ...install]);
    expect(ran.status).toBe(0);
    const listed = ran.stderr.split("\n").filter((text) => /^[ACD] \//.test(text));
    expect(listed).toContain("A /usr/bin/ns-hello");
    expect(listed).toContain("A /var/lib/dpkg/info/ns-hello.list");
    expect(listed).toContain("C /var/lib/dpkg/status");
    expect(listed.filter((text) => text.startsWith("D "))).toEqual([]);

    // the overlay's own content
    const upper = join(kept, "upper");
    const files = await must(["find", upper, "-mindepth", "1", "!", "-type", "d", "-printf", "/%P\n"]);
    const directories = new Set(
      await must(["find", upper, "-mindepth", "1", "-type", "d", "-printf", "/%P\n"]),
    );
    const paths = listed.map((text) => text.slice(2));
    expect(paths.filter((path) => !directories.has(path)).toSorted()).toEqual(files.toSorted());
    const entries = (await must(["tar", "-tf", tar])).map((name) => `/${name.replace(/\/$/, "")}`);
    expect(entries.toSorted()).toEqual([...files, ...directories].toSorted());

    // and the root has it now, as overlayfs has it
    for (const file of files) await must(["cmp", join(upper, file), join(root, file)]);
    const inside = (init: string, ...args: string[]) => must([ns, "-", root, init, "--", ...args]);
    expect(await inside("/usr/bin/ns-hello")).toEqual(["hello from a package"]);
    expect(await inside("/usr/bin/dpkg-query", "-W", "-f", `\${Status}\n`, "ns-hello")).toEqual([
      "install ok installed",
    ]);
    expect(await inside("/usr/bin/dpkg", "--audit")).toEqual([]);
  }, 60_000);
});
