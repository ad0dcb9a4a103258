/** All controllers that ns knows. To add one: a file beside this, and its name here. */
import type { Controller } from "./controller.ts";
import { cpu } from "./cpu.ts";
import { cpuset } from "./cpuset.ts";
import { hugetlb } from "./hugetlb.ts";
import { io } from "./io.ts";
import { memory } from "./memory.ts";
import { pids } from "./pids.ts";

export const CONTROLLERS: readonly Controller[] = [memory, cpu, cpuset, pids, io, hugetlb];
