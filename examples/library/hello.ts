// bun examples/library/hello.ts ROOT: one container, and what it says
import { start } from "ns";

const [root = "/tmp/root"] = process.argv.slice(2);
const container = await start({ root, init: "/bin/sh", args: ["-c", "echo hello from $$"] }, { stdout: "pipe" });
console.log(await new Response(container.stdout).text());
const { status } = await container.exited;
console.log(`status ${status}`);
