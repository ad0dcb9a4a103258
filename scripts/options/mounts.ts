/** Examples of the options in src/cli/flags/mounts.ts. */
import type { Examples } from "./example.ts";

export const mountExamples: Examples = {};
