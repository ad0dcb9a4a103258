/** Options about what the container shares with the host and what not. */
import { parseHostname } from "../../spec/namespaces.ts";
import type { Flag } from "./flag.ts";

export const namespaceFlags: readonly Flag[] = [
  {
    name: "hostname",
    kind: "value",
    hint: "NAME",
    help: "the host name inside",
    apply: ({ spec }, value, option) => {
      spec.namespaces.hostname = parseHostname(value, option);
    },
  },
];
