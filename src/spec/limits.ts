/** What the container may use at most. */
export interface Limits {
  /** bytes, without swap on top; null: no limit */
  readonly memory: bigint | null;
}

export const defaultLimits = (): Limits => ({ memory: null });
