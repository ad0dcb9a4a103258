/** docs/performance.md: what was measured goes between two marks, the words around it are kept. Pure. */
const BEGIN = "<!-- measured: begin -->";
const END = "<!-- measured: end -->";

/** The page with these measurements in place of its old ones. @throws Error when the page has lost its marks */
export function putMeasured(page: string, measured: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin)
    throw new Error(`docs/performance.md: the lines ${BEGIN} and ${END} are missing`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${measured}\n\n${page.slice(end)}`;
}
