/**
 * The lane's cache folder (build/vm/, git-ignored; removing it is always safe) and the one way the lane runs other
 * programs. Called by everything in test/vm: kernels, images and roots are dear to make and are made once.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";

export const cacheDir = resolve(import.meta.dir, "../../build/vm");

/** The path of a cached file or folder; `make` fills a path beside it, which takes the name only when complete. */
export async function cached(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(cacheDir, name);
  if (existsSync(path)) return path;
  await mkdir(cacheDir, { recursive: true });
  const draft = join(cacheDir, `draft-${process.pid}-${name}`);
  try {
    await make(draft);
    await rename(draft, path).catch((error) => {
      if (!existsSync(path)) throw error; // else another process was faster, and its copy serves as well
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return path;
}

/** Removes what killed processes left here: unfinished drafts, and the scratch folders of vm.ts. */
export async function sweepCache(): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  for (const name of await readdir(cacheDir)) {
    const pid = /^(?:draft|run)-(\d+)-/.exec(name)?.[1];
    if (pid && !existsSync(`/proc/${pid}`))
      await run(["rm", "-rf", "--one-file-system", join(cacheDir, name)]);
  }
}

/** Runs a program to its end and returns its standard output; failure is an error that holds its last words. */
export async function run(argv: string[], options: { env?: Record<string, string> } = {}): Promise<string> {
  const child = Bun.spawn(argv, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, LC_ALL: "C", ...options.env },
  });
  const [stdout, stderr, status] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  if (status === 0) return stdout;
  throw new Error(
    `${argv[0]} failed with status ${status}: ${stderr.trim().split("\n").slice(-3).join("; ")}`,
  );
}
