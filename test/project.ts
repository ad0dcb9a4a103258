/** Where the project is, for every test. */
import { join } from "node:path";

export const project = join(import.meta.dir, "..");
