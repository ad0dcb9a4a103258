// bun examples/library/many.ts ROOT: a hundred containers, eight at a time, each with its limit and a deadline
import { NsError, start } from "ns";

const [root = "/tmp/root"] = process.argv.slice(2);
const left = Array.from({ length: 100 }, (_, i) => i);
let failed = 0;

async function work(): Promise<void> {
  for (let i = left.pop(); i !== undefined; i = left.pop()) {
    try {
      const container = await start(
        { root, init: "/bin/sh", args: ["-c", `exit ${i % 2}`], limits: { memory: "64M" } },
        { signal: AbortSignal.timeout(10_000) },
      );
      const { status, cause } = await container.exited;
      if (cause !== null) console.log(cause);
      failed += status === 0 ? 0 : 1;
    } catch (error) {
      if (!(error instanceof NsError)) throw error;
      console.log(`${error.message} (${error.status}) ${error.note ?? ""}`);
    }
  }
}

await Promise.all(Array.from({ length: 8 }, work));
console.log(`${failed} of 100 had another status than 0`);
