/** Options about what is mounted in the container, in the order given. */
import type { Flag } from "./flag.ts";

export const mountFlags: readonly Flag[] = [];
