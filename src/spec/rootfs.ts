/** What is made of the directory NEWROOT: who may write to it, and where that goes. */
export interface Rootfs {
  /** nothing in the root can be written, whatever is mounted below it included */
  readonly readOnly: boolean;
}

export const defaultRootfs = (): Rootfs => ({ readOnly: false });
