/** Run by another architecture's Bun under qemu-user (launcher.ts): compiles the launcher and writes it as JSON. */
import { compileLauncher } from "../../src/sys/compile.ts";
import type { Printed } from "./launcher.ts";

const { head, entry } = compileLauncher();
process.stdout.write(JSON.stringify({ head: Buffer.from(head).toString("base64"), entry } satisfies Printed));
