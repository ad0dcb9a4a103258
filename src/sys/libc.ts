/** The name of the C library. One a system: for a name that is not found dlopen would search the working directory. */
export const LIBC = process.platform === "android" ? "libc.so" : "libc.so.6";
