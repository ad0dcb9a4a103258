/**
 * The kinds of virtual machines: what differs between them for the rest of the lane. All are emulated; x64 and arm64 have
 * their disks on NVMe, armv7 (test/targets/armv7.ts) has none. Called by vm.ts, image.ts, kernel.ts and apt.ts.
 */
export type MachineName = "x64" | "arm64";
/** armv7 is for frozen starts only */
export type EmulatedName = MachineName | "armv7";

export interface Machine {
  /** Debian's name of the architecture */
  debian: string;
  qemu: string;
  /** the Debian package of that qemu */
  package: string;
  /** qemu's arguments, one string */
  arguments: string;
  console: string;
  /** loader and C library, by their paths in the machine */
  libraries: string[];
}

const names = "libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2".split(" ");
const common = "-smp 2 -nodefaults -no-user-config -display none -serial stdio -no-reboot";

export const machines: Record<EmulatedName, Machine> = {
  x64: {
    debian: "amd64",
    qemu: "qemu-system-x86_64",
    package: "qemu-system-x86",
    arguments: `-accel tcg,thread=multi -cpu max ${common} -device isa-debug-exit,iobase=0xf4,iosize=0x01`,
    console: "ttyS0",
    libraries: ["/lib64/ld-linux-x86-64.so.2", ...names.map((name) => `/lib/x86_64-linux-gnu/${name}`)],
  },
  arm64: {
    debian: "arm64",
    qemu: "qemu-system-aarch64",
    package: "qemu-system-arm",
    // -cpu max is three times slower: it has pointer authentication
    arguments: `-M virt -accel tcg,thread=multi -cpu cortex-a72 ${common} -semihosting-config enable=on,userspace=on,target=native`,
    console: "ttyAMA0",
    libraries: ["/lib/ld-linux-aarch64.so.1", ...names.map((name) => `/lib/aarch64-linux-gnu/${name}`)],
  },
  armv7: {
    debian: "armhf",
    qemu: "qemu-system-arm",
    package: "qemu-system-arm",
    arguments: `-M virt -accel tcg -cpu cortex-a15 -m 256 ${common}`,
    console: "ttyAMA0",
    libraries: [],
  },
};
