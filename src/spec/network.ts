/** What network the container has. */
export interface Network {
  /** the host's own, or a new network namespace with nothing but its loopback */
  readonly mode: "host" | "new";
}

export const defaultNetwork = (): Network => ({ mode: "host" });
