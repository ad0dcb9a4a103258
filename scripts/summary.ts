/** Prints `N passed, N failed, N skipped` from a junit report; called last by scripts/test.sh. Fails when nothing ran. */
import { readFileSync } from "node:fs";

const path = process.argv[2] ?? "";
let report = "";
try {
  report = readFileSync(path, "utf8");
} catch {
  console.log(`no report in ${path}: the test runner did not finish`);
}
const count = (pattern: RegExp): number => report.match(pattern)?.length ?? 0;
const cases = count(/<testcase\b/g);
const failed = count(/<(failure|error)\b/g);
const skipped = count(/<skipped\b/g);
const passed = cases - failed - skipped;
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);
