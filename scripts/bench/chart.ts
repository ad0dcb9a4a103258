/** docs/performance.svg: the time from start to end at every level, a bar for each program. Pure; no library. */
import type { LevelResult } from "./results.ts";

const WIDTH = 760;
const NAMES = 130;
const VALUES = 110;
const BAR = 14;
const STEP = 20;
const HEAD = 34;
/** a bar may be this many times as long as ns's; longer ones are cut, and show it by a gap */
const LONGEST = 3.2;

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const STYLE = `text{font:13px system-ui,sans-serif;fill:#1f2328}.head{font-weight:600}.bar{fill:#8c959f}.ns{fill:#0969da}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#6e7681}.ns{fill:#58a6ff}}`;

/** The picture as text. Readable on light and on dark pages. */
export function chart(levels: readonly LevelResult[]): string {
  const parts: string[] = [];
  let y = 4;
  for (const { name, rows } of levels) {
    const longest = Math.max(...rows.map((row) => row.end));
    const scale = (WIDTH - NAMES - VALUES) / Math.min(longest, LONGEST * (rows[0]?.end ?? longest));
    parts.push(`<text class="head" x="0" y="${y + 16}">${escapeXml(name)}</text>`);
    y += HEAD - 8;
    for (const [i, row] of rows.entries()) {
      const length = row.end * scale;
      const room = WIDTH - NAMES - VALUES;
      const kind = i === 0 ? "ns" : "bar";
      const bar = (x: number, width: number): string =>
        `<rect class="${kind}" x="${x.toFixed(1)}" y="${y}" width="${Math.max(width, 1).toFixed(1)}" height="${BAR}"/>`;
      parts.push(`<text x="${NAMES - 8}" y="${y + 11}" text-anchor="end">${escapeXml(row.name)}</text>`);
      if (length <= room + 0.5) parts.push(bar(NAMES, length));
      else parts.push(bar(NAMES, room - 24), bar(NAMES + room - 20, 20));
      const end = NAMES + Math.min(length, room) + 6;
      parts.push(`<text x="${end.toFixed(1)}" y="${y + 11}">${row.end.toFixed(1)} ms</text>`);
      y += STEP;
    }
    y += HEAD - STEP;
  }
  const title = "Milliseconds from start to end, ns and its peers";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img">
<title>${title}</title>
<style>${STYLE}</style>
${parts.join("\n")}
</svg>
`;
}
