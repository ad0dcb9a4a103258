/**
 * The launcher's machine code for every machine, by clang, as scripts/build.ts embeds it. Imported when it is needed: a
 * start does not load it. It imports none of ours, so that the bundler leaves all else in one piece.
 */
declare const NS_LAUNCHERS: Readonly<Record<string, { readonly code: string; readonly entry: number }>>;

/** By the machine's name: the code in base64, and where in it its entry begins. None when ns runs from its sources. */
export const launchers = (): Readonly<
  Record<string, { readonly code: string; readonly entry: number } | undefined>
> => (typeof NS_LAUNCHERS === "undefined" ? {} : NS_LAUNCHERS);
