/**
 * What the lane asks of Debian's apt: the mirror this machine is configured for, and packages of a suite, fetched and
 * unpacked without installing anything. Called by kernel.ts and debian.ts. A suite that the machine itself follows is
 * read through its own package lists; any other through private ones, so that the machine's apt state stays as it was. No mirror's name is written here: wherever apt fetches from, the lane does.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./cache.ts";
import { type EmulatedName, machines } from "./machine.ts";

interface Source {
  uri: string;
  suite: string;
}

/** Debian's main archive (not security, not third parties) as configured on this machine, one entry a suite. */
async function mainSources(): Promise<Source[]> {
  const only = ["Created-By: Packages", "Origin: Debian", "Label: Debian", "Component: main"];
  const lines = await run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", ...only]);
  const sources = lines.split("\n").flatMap((line) => {
    const [uri, suite] = line.split(" ");
    return uri && suite ? [{ uri, suite }] : [];
  });
  if (sources.length === 0) throw new Error("apt has no lists of a Debian mirror: run apt-get update first");
  return sources;
}

export async function debianMirror(): Promise<string> {
  return (await mainSources())[0]!.uri;
}

/** Calls `use` with the options that make apt-get and apt-cache speak about `suite`; `home` is scratch space. */
async function withSuite<T>(
  suite: string,
  machine: EmulatedName,
  home: string,
  use: (options: string[]) => Promise<T>,
): Promise<T> {
  const sources = await mainSources();
  const { debian } = machines[machine];
  if (machine === "x64" && sources.some((source) => source.suite === suite)) return use([]);
  const options = [
    ...privateTo(home),
    ...["APT::Architecture", "APT::Architectures"].flatMap((name) => ["-o", `${name}=${debian}`]),
  ];
  try {
    await mkdir(join(home, "lists/partial"), { recursive: true });
    await mkdir(join(home, "cache/archives/partial"), { recursive: true });
    await Bun.write(join(home, "sources.list"), `deb [arch=${debian}] ${sources[0]!.uri} ${suite} main\n`);
    await run(["apt-get", ...options, "update", "-q", "--error-on=any"]);
    return await use(options);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function privateTo(home: string): string[] {
  const settings = {
    "Dir::Etc::SourceList": join(home, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::Lists": join(home, "lists"),
    "Dir::Cache": join(home, "cache"),
    "Acquire::Languages": "none",
    "APT::Sandbox::User": "",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/**
 * Unpacks into `target` the real package that a meta package of `suite` depends on (linux-image-cloud-amd64 names
 * linux-image-6.1.0-…). Uses the folders `target`.lists and `target`.deb beside it and removes them.
 */
export async function unpackDependency(
  suite: string,
  machine: EmulatedName,
  meta: string,
  target: string,
): Promise<void> {
  await unpack(suite, machine, target, async (options) => {
    const record = await run(["apt-cache", ...options, "show", "--no-all-versions", meta]);
    const wanted = /^Depends: (\S+) \(= ([^)\s]+)\)/m.exec(record);
    if (!wanted) throw new Error(`${meta} of ${suite} names no package to take: ${record.slice(0, 200)}`);
    return [`${wanted[1]}=${wanted[2]}`];
  });
}

/** Unpacks packages of `suite` into `target`, over each other and without documentation; with the same folders beside it. */
export async function unpackPackages(
  suite: string,
  machine: EmulatedName,
  names: string[],
  target: string,
): Promise<void> {
  await unpack(suite, machine, target, async () => names);
  await rm(join(target, "usr/share"), { recursive: true, force: true });
}

async function unpack(
  suite: string,
  machine: EmulatedName,
  target: string,
  choose: (options: string[]) => Promise<string[]>,
): Promise<void> {
  const parcel = `${target}.deb`;
  await mkdir(parcel, { recursive: true });
  try {
    await withSuite(suite, machine, `${target}.lists`, async (options) => {
      const fetch = ["apt-get", ...options, "-o", "APT::Sandbox::User=", "-q", "download"];
      await run(["env", "-C", parcel, ...fetch, ...(await choose(options))]); // writes into the working directory only
    });
    for (const file of await readdir(parcel)) await run(["dpkg-deb", "-x", join(parcel, file), target]);
  } finally {
    await rm(parcel, { recursive: true, force: true });
  }
}
