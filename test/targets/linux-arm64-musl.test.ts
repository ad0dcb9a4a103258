/** The linux-arm64-musl executable in a machine of its kind. Run by `bun run test:targets`. */
import { testCore } from "./core.ts";

await testCore("linux-arm64-musl");
