// bun examples/library/filter.ts ROOT <input: a program in a container between two streams of this one
import { start } from "ns";

const [root = "/tmp/root"] = process.argv.slice(2);
await using container = await start(
  { root, init: "/bin/rev", network: { mode: "new" } },
  { stdin: "pipe", stdout: "pipe" },
);
const sending = Bun.stdin.stream().pipeTo(container.stdin!);
for await (const chunk of container.stdout!) await Bun.write(Bun.stdout, chunk);
await sending;
