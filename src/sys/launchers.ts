/**
 * The launcher's machine code for the files of `ns freeze`, as scripts/build.ts embeds it: for every machine, by clang.
 * Imported when it is needed: a start does not load it. It imports none of ours, so that the bundler leaves all else in one
 * piece.
 */
interface Text {
  /** in base64 */
  readonly code: string;
  /** where in it its entry begins */
  readonly entry: number;
}
declare const NS_LAUNCHERS: Readonly<Record<string, Text>>;

/** By the machine's name. From sources it is compiled now, and for this machine alone. */
export async function launchers(): Promise<Readonly<Record<string, Text | undefined>>> {
  if (typeof NS_LAUNCHERS !== "undefined") return NS_LAUNCHERS;
  // by a name that is not known before: see kernel.ts
  const compiler = import.meta.resolve("./compile.ts");
  const { code, entry } = ((await import(compiler)) as typeof import("./compile.ts")).compileAlone();
  return { [process.arch]: { code: Buffer.from(code).toString("base64"), entry } };
}
