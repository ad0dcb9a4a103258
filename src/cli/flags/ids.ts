/** Options about whose ids the container's are. */
import type { Flag } from "./flag.ts";

export const idFlags: readonly Flag[] = [
  {
    name: "user",
    short: "u",
    kind: "switch",
    help: "a user namespace: root inside is UID and GID outside",
    apply: (draft) => {
      draft.user = true;
    },
  },
];
