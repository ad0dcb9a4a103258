/** What is mounted in the container besides its root and /proc. */
export type Mount = never;
