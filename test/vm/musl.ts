/**
 * What a musl executable of Bun's is linked to, from Debian's packages: musl, libstdc++ and libgcc. Debian has the last
 * two for glibc only; musl-shim.c makes up for what musl lacks. Called by image.ts for machines without glibc.
 */
import { join } from "node:path";
import { unpackPackages } from "./apt.ts";
import { cached, run } from "./cache.ts";
import type { MachineName } from "./machine.ts";

interface Kind {
  triple: string;
  musl: string;
  /** what libstdc++ asks for besides libgcc_s and libc: the shim may be that too */
  alsoNeeded: string[];
}
const kinds: Record<MachineName, Kind> = {
  x64: { triple: "x86_64-linux", musl: "ld-musl-x86_64.so.1", alsoNeeded: ["ld-linux-x86-64.so.2"] },
  arm64: { triple: "aarch64-linux", musl: "ld-musl-aarch64.so.1", alsoNeeded: ["ld-linux-aarch64.so.1"] },
};

/** What libgcc_s is called here: the shim has its name, and needs it. */
const realName = "libgcc_real.so.1";

/** The libraries as [path here, path there]. Needs clang and lld. */
export async function muslLibraries(machine: MachineName): Promise<[string, string][]> {
  const { triple, musl, alsoNeeded } = kinds[machine];
  const source = join(import.meta.dir, "musl-shim.c");
  const hash = new Bun.CryptoHasher("sha256");
  for (const file of [source, import.meta.path]) hash.update(await Bun.file(file).bytes());
  const home = await cached(`musl-${machine}-${hash.digest("hex").slice(0, 8)}`, async (draft) => {
    await unpackPackages("bookworm", machine, ["musl", "libstdc++6", "libgcc-s1"], draft);
    const shape = [`--target=${triple}-musl`, "-shared", "-nostdlib", "-fPIC", "-O1", "-fuse-ld=lld"];
    // an empty library of that name, only to be asked for
    const asked = join(draft, realName);
    await run(["clang", ...shape, `-Wl,-soname,${realName}`, "-x", "c", "/dev/null", "-o", asked]);
    const name = "-Wl,--no-as-needed,-soname,libgcc_s.so.1";
    await run(["clang", ...shape, name, source, asked, "-o", join(draft, "shim.so")]);
  });
  const shim = join(home, "shim.so");
  return [
    [join(home, `lib/${triple}-musl/libc.so`), `/lib/${musl}`],
    [join(home, `usr/lib/${triple}-gnu/libstdc++.so.6`), "/usr/lib/libstdc++.so.6"],
    [join(home, `lib/${triple}-gnu/libgcc_s.so.1`), `/usr/lib/${realName}`],
    ...["libgcc_s.so.1", ...alsoNeeded].map((name): [string, string] => [shim, `/usr/lib/${name}`]),
  ];
}
