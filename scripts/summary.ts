/**
 * summary.ts REPORT STATUS prints `N passed, N failed, N skipped` from a junit report and the test runner's exit status;
 * called last by scripts/test.sh. Fails when nothing ran. What fails outside of every test (a file that cannot be loaded,
 * an afterAll) is in no report, and in the status only: it counts as one.
 */
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
const told = count(/<(failure|error)\b/g);
const failed = told > 0 || process.argv[3] === "0" ? told : 1;
if (failed > told) console.log("a failure outside of every test: see `error:` above");
const skipped = count(/<skipped\b/g);
const passed = cases - told - skipped;
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);
