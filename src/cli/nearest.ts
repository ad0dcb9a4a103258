/** "Did you mean": the known word that a mistyped one is nearest to. */

/** The number of letters to insert, delete, replace or swap with a neighbour to make one word the other. */
export function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The nearest word, if it is near enough to be meant: a beginning of it, or a third of its letters wrong at most. */
export function nearest(word: string, known: readonly string[]): string | null {
  if (word.length > 40) return null;
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const d = word.length >= 2 && candidate.startsWith(word) ? 0.5 : distance(word, candidate);
    if (d < least && d <= Math.max(1, candidate.length / 3)) {
      best = candidate;
      least = d;
    }
  }
  return best;
}
