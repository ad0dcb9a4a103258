/** Capabilities by name (capabilities(7), linux/capability.h) and the sets that the profiles start from. */
import { type Bytes, show } from "../sys/bytes.ts";
import { usageError } from "./error.ts";

/** The name of capability number N, without CAP_. */
export const CAPABILITIES = (
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE " +
  "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split(" ");

/** A capability, by its number. */
export type Capability = number;

const numbersOf = (names: string): Capability[] => names.split(" ").map((name) => CAPABILITIES.indexOf(name));

export const ALL_CAPABILITIES: readonly Capability[] = CAPABILITIES.map((_, number) => number);

/** What Podman's containers have. */
export const APP_CAPABILITIES: readonly Capability[] = numbersOf(
  "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT",
);

/**
 * What reaches the machine and no init needs: its modules, its clock, its log, its memory and processors, files by their
 * number (which leads out of any root), flags that keep the host's root from removing a file.
 */
export const MACHINE_CAPABILITIES: readonly Capability[] = numbersOf(
  "DAC_READ_SEARCH LINUX_IMMUTABLE SYS_MODULE SYS_RAWIO SYS_PACCT SYS_TIME MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM " +
    "BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE",
);

/** What reaches the machine's network, where the container has none of its own. */
export const NETWORK_CAPABILITIES: readonly Capability[] = numbersOf("NET_ADMIN NET_RAW");

/**
 * Capabilities as the user names them: with or without CAP_, in either case, ALL, several with commas.
 * @throws NsError (usage)
 */
export function parseCapabilities(text: Bytes, option: string): Capability[] {
  return text.split(",").flatMap((word) => {
    const name = word.toUpperCase().replace(/^CAP_/, "");
    if (name === "ALL") return [...ALL_CAPABILITIES];
    const number = CAPABILITIES.indexOf(name);
    if (number < 0) throw usageError(`${option}: '${show(word)}' is no capability (capabilities(7))`);
    return [number];
  });
}
