/**
 * The library: one container among many, started by a program that goes on doing other things. `startSpec()` reads as the
 * sequence of events, like `run()` in run.ts; the differences are that nothing blocks, that a keeper (keeper.ts) is the
 * parent, and that nothing of the program itself is changed.
 */
import { wasOutOfMemory } from "../host/cgroup/cgroup.ts";
import { inheritedOf, findSources } from "../host/sources.ts";
import { removeWork } from "../host/work.ts";
import { findIdentity } from "../host/identity.ts";
import { NsError } from "../spec/error.ts";
import { NO_SOURCES } from "../spec/mounts.ts";
import { showSize } from "../spec/size.ts";
import type { Spec } from "../spec/spec.ts";
import { specOf, type Wanted } from "../spec/wanted.ts";
import { SIGNALS, type SignalName } from "../sys/constants.ts";
import { errnoText } from "../sys/errno.ts";
import { close, write } from "../sys/file.ts";
import { call } from "../sys/kernel.ts";
import { check } from "./check.ts";
import type { Outcome } from "./end.ts";
import { childError } from "./failure.ts";
import { type Keeper, theKeeper } from "./keeper.ts";
import { type Launched, launch, type Opened } from "./launch.ts";
import { type Limited, limit, removeLimited } from "./own-cgroup.ts";
import { giveMapsBeside, runPreBeside } from "./beside.ts";
import { openStandards, readableOf, type StandardOptions, writableOf } from "./standard.ts";
import { checkSupported } from "./unsupported.ts";
import { statusOf } from "./task.ts";

export interface ContainerOptions extends StandardOptions {
  /** kills the container, whenever it is aborted; `start()` rejects with its reason if init does not run yet */
  readonly signal?: AbortSignal;
}

/** A container whose init runs. */
export interface Container extends AsyncDisposable {
  /** of init, as the host sees it */
  readonly pid: number;
  /** what init reads; null unless asked for with "pipe" */
  readonly stdin: WritableStream<Uint8Array | string> | null;
  /** what init writes; null unless asked for with "pipe" */
  readonly stdout: ReadableStream<Uint8Array> | null;
  readonly stderr: ReadableStream<Uint8Array> | null;
  /** how it ended; resolves when nothing of it is left. It never rejects. */
  readonly exited: Promise<Outcome>;
  /** Sends init a signal, by name or number; false when it has ended. @throws NsError when the kernel refuses */
  kill(signal?: SignalName | number): boolean;
}

/**
 * Starts a container and resolves when init has been executed.
 * @throws NsError when init could not be started; nothing of the container is left then
 */
export const start = async (wanted: Wanted, options: ContainerOptions = {}): Promise<Container> =>
  startSpec(specOf(wanted), options);

/** The same for a finished Spec, whose names are bytes already. */
export async function startSpec(spec: Spec, options: ContainerOptions = {}): Promise<Container> {
  const { signal } = options;
  signal?.throwIfAborted();
  checkSupported(spec);
  const keeper = theKeeper();
  const root = check(spec, keeper.facts);
  const opened: Opened = { child: [], ours: [root] };
  let limited: Limited | null = null;
  let sources = NO_SOURCES;
  let launched: Launched | null = null;
  let pre: { kill(): void; over: Promise<unknown> } | null = null;
  const kill = (): void => {
    if (launched !== null) keeper.signal(launched.job, SIGNALS.SIGKILL);
    pre?.kill();
  };
  const end = async (): Promise<void> => {
    signal?.removeEventListener("abort", kill);
    await pre?.over;
    if (launched !== null && launched.pidfd() >= 0) close(launched.pidfd());
    launched?.free();
    if (sources.changes !== null) {
      removeWork(sources.changes.work);
      close(sources.changes.work.lock);
    }
    if (limited !== null) await removeLimited(keeper, limited);
  };
  try {
    const identity = findIdentity(spec, keeper.facts, root);
    limited = limit(keeper, spec, opened.child);
    sources = findSources(spec, keeper.facts, root, identity);
    opened.child.push(...inheritedOf(sources));
    const standards = openStandards(options, opened.child, opened.ours);
    launched = launch(spec, keeper, identity, root, limited, sources, standards, opened);
    const { job, gate } = launched;
    signal?.addEventListener("abort", kill);
    await job.started;
    if (job.pid() > 0) {
      opened.child.length = 0; // closed by the keeper
      if (spec.user !== null) {
        await giveMapsBeside(keeper, spec.user, identity, job.pid());
        write(gate!, "g");
      }
      if (spec.pre !== null) {
        const script = runPreBeside(keeper, spec, spec.pre, job.pid());
        pre = script;
        if (signal?.aborted) script.kill();
        await script.succeeded;
        write(gate!, "g");
      }
    }
    const failure = await job.reported;
    signal?.throwIfAborted();
    if (failure !== null && job.pid() === 0) throw launched.notStarted(failure);
    if (failure !== null) throw childError(spec, launched.failed(failure.op), failure.errno, root);
    launched.free();
    const [stdin, stdout, stderr] = standards.ours;
    for (const fd of opened.ours) if (!standards.ours.includes(fd)) close(fd);
    opened.ours.length = 0;
    return createContainer(spec, keeper, launched, limited, end, {
      stdin: stdin == null ? null : writableOf(stdin),
      stdout: stdout == null ? null : readableOf(stdout),
      stderr: stderr == null ? null : readableOf(stderr),
    });
  } catch (error) {
    kill();
    await launched?.job.ended;
    for (const fd of [...opened.child, ...opened.ours]) close(fd);
    await end();
    throw signal?.aborted ? signal.reason : error;
  }
}

function createContainer(
  spec: Spec,
  keeper: Keeper,
  { job, pidfd }: Launched,
  limited: Limited | null,
  end: () => Promise<void>,
  streams: Pick<Container, "stdin" | "stdout" | "stderr">,
): Container {
  let over = false;
  const finish = async (): Promise<Outcome> => {
    const ending = (await job.ended)!;
    over = true;
    const { memory } = spec.limits;
    const killed = "signal" in ending && ending.signal === SIGNALS.SIGKILL;
    const cause =
      limited !== null && memory !== null && killed && wasOutOfMemory(limited.cgroup)
        ? `init was killed: out of its ${showSize(memory)} memory limit`
        : null;
    await end();
    return { status: statusOf(ending), cause };
  };
  const exited = finish();
  return {
    ...streams,
    pid: job.pid(),
    exited,
    kill(signal = "SIGTERM") {
      const number = typeof signal === "number" ? signal : SIGNALS[signal];
      if (!(Number.isInteger(number) && number > 0 && number <= 64))
        throw new NsError(`'${signal}' is not a signal`, { status: 2 });
      if (over) return false;
      if (pidfd() < 0) {
        keeper.signal(job, number);
        return true;
      }
      const result = call("pidfd_send_signal", pidfd(), number, 0, 0);
      if (result === 0) return true;
      if (errnoText(-result) === errnoText(3)) return false;
      throw new NsError(`cannot signal process ${job.pid()}: ${errnoText(-result)}`, { errno: -result });
    },
    async [Symbol.asyncDispose]() {
      if (!over) keeper.signal(job, SIGNALS.SIGKILL);
      for (const stream of [streams.stdout, streams.stderr])
        if (stream !== null && !stream.locked) await stream.cancel();
      if (streams.stdin !== null && !streams.stdin.locked) await streams.stdin.abort();
      await exited;
    },
  };
}
