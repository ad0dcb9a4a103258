/** The linux-arm64 executable in a machine of its kind. Run by `bun run test:targets`. */
import { testCore } from "./core.ts";

await testCore("linux-arm64");
// the Android executable's launcher; what is left untried of that one is Bun on bionic
await testCore("linux-arm64", "clang");
