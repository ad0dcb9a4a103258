/** `ns check`: may a program in memory be executed? The container's first one is, so that it never has ns's own file open. */
import { encodeTask } from "../../plan/encode.ts";
import type { Op } from "../../plan/op.ts";
import { NsError } from "../../spec/error.ts";
import { AT_EMPTY_PATH } from "../../sys/constants.ts";
import { errnoText } from "../../sys/errno.ts";
import { close } from "../../sys/file.ts";
import { draftProgram, writeProgram } from "../program.ts";
import type { Feature } from "./feature.ts";
import { attempt, type Stage } from "./rehearse.ts";

const ROOM = 4096;
const NOTE =
  "allow them: sysctl -w vm.memfd_noexec=0; without it ns itself stays in memory while the container runs";

function runFromMemory({ listener }: Stage): null {
  const draft = draftProgram(ROOM);
  // a task without a step ends at once
  const { address } = encodeTask([], { flags: 0, report: -1, stack: 0 }, draft.memory);
  const program = writeProgram(draft, address);
  const refuse = (errno: number): NsError =>
    new NsError(`cannot execute a program in memory: ${errnoText(errno)}`, { errno, note: NOTE });
  if (program < 0) throw refuse(-program);
  const execute: Op = {
    call: "execveat",
    args: [program, "", { strings: ["ns"] }, { strings: [] }, AT_EMPTY_PATH],
    step: "execute it",
  };
  const result = attempt([execute], 0, listener);
  close(program);
  if (typeof result === "number") throw refuse(-result);
  if (result !== null) throw refuse(result.errno ?? 0);
  return null;
}

export const programsFeature: Feature = {
  ...{ id: "memory-programs", group: "system calls", name: "programs in memory" },
  attempt: runFromMemory,
};
