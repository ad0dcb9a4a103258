/** One container from its start to its end. `run()` reads as the sequence of events. */
import { type Cgroup, endOf } from "../host/cgroup/cgroup.ts";
import { probe } from "../host/facts.ts";
import { findIdentity } from "../host/identity.ts";
import { insideNetwork } from "../host/netns.ts";
import { closeSources, findSources } from "../host/sources.ts";
import { cloneFlags, namespacesOf } from "../plan/namespaces.ts";
import { showChild } from "../plan/show.ts";
import { wantsCgroup } from "../spec/limits.ts";
import { NO_SOURCES } from "../spec/mounts.ts";
import { makesUser, type Spec } from "../spec/spec.ts";
import { type Bytes, show } from "../sys/bytes.ts";
import { SIGNALS } from "../sys/constants.ts";
import { close, workingDirectory, write } from "../sys/file.ts";
import { call, giveTerminalBack, scratch } from "../sys/kernel.ts";
import { checkCapabilities } from "./check-security.ts";
import { check } from "./check.ts";
import { type Child, inheritedDescriptors, startChild } from "./child.ts";
import { clearAway, type Ended, endRun, endState, type Progress } from "./end.ts";
import { childError, cloneError } from "./failure.ts";
import { giveMaps, idmappedRoot } from "./idmap.ts";
import { confine, isConfined, showBranch } from "./limits.ts";
import { prepareJoin } from "./join.ts";
import { listen } from "./listen.ts";
import { endNetwork, startNetwork } from "./network.ts";
import { runPre } from "./pre.ts";
import { type Payload, preparePlans } from "./prepare.ts";
import { awaitReport, makePipe, reapNow } from "./task.ts";
import { armPost, draftPost, type PostDraft, withPost } from "./post.ts";
import { begin, lookAt, openStatus, type StatusTo, telling } from "./status.ts";
import { BRIEFLY, FOREVER, superviseInit } from "./supervise.ts";
import { type Relay, startRelay } from "./terminal.ts";
import { makeCgroup } from "./systemd.ts";
import { type Joined, joinUser } from "./userns.ts";
import { handOver } from "./waiter.ts";
import { startWatcher, type Watcher } from "./watcher.ts";

export interface RunOptions {
  /** told one line a step */
  readonly progress?: Progress | null;
  /**
   * Let this process become a small waiting program once init runs, showing these words as its command line; `run()`
   * does not return then. For a program that does nothing else; without it this process waits itself.
   */
  readonly become?: readonly Bytes[];
  /** where status lines go (status.ts) */
  readonly status?: StatusTo | null;
  readonly payload?: Payload | null; // runs in INIT's place
}

/**
 * Runs a container until its init has ended, and leaves nothing behind.
 * @throws NsError when init could not be started; nothing of the container is left then either
 */
export function run(spec: Spec, options: RunOptions = {}): Ended {
  const status = options.status == null ? null : openStatus(options.status, spec.process.passFds);
  const post = draftPost(spec);
  const container = () => runContainer(spec, options, post, status);
  return telling(status, () =>
    post === null ? container() : withPost(post, options.progress ?? null, container),
  );
}

function runContainer(
  spec: Spec,
  { progress = null, become, payload = null }: RunOptions,
  post: PostDraft | null,
  status: number | null,
): Ended {
  const say = (line: () => string): void => progress?.(line());
  const facts = probe();
  const root = check(spec, facts);
  const listener = listen(facts.ignoredSignals);
  let cgroup: Cgroup | null = null;
  let child: Child | null = null;
  let watcher: Watcher | null = null;
  let preProcess: number | null = null;
  let helper: number | null = null;
  let relay: Relay | null = null;
  let rootTree: number | undefined;
  let joined: Joined | null = null;
  let sources = NO_SOURCES;
  const work = () => sources.changes?.work ?? null;
  try {
    joined = joinUser(spec);
    const identity = findIdentity(spec, facts, root, joined?.maps);
    checkCapabilities(spec, facts, identity);
    const restricted = makeCgroup({ spec, facts, listener, say, becomes: become !== undefined });
    cgroup = restricted.cgroup;
    for (const branch of cgroup ?? []) say(() => showBranch(branch, spec.limits));
    const { problem } = restricted;
    if (problem !== null) say(() => `devices: any may be opened: ${problem.message}`);
    sources = findSources(spec, facts, root, identity, (fd) => {
      listener.waitForInput(fd);
      listener.stopIfAsked();
    });
    const asks = isConfined(spec, cgroup);
    // the clone carries the working directory, and only that, into the new mount namespace
    call("fchdir", root);
    const here = workingDirectory();
    const path = typeof here === "string" ? here : spec.root;
    const inherited = inheritedDescriptors(facts);
    if (spec.user !== null && facts.capabilities.setGid) call("setgroups", 0, 0);
    const ids = { spec, facts, identity, inherited, listener };
    rootTree = idmappedRoot(ids, root, path);
    const gate = makePipe("to the child");
    const life = makePipe("to the watcher");
    const report = makePipe("from the child");
    const joining = prepareJoin(cgroup, asks, joined === null);
    const confined = asks || joining.rest !== null;
    const ready = { identity, inherited, sources, joining, path, rootTree, gate, life, report, payload };
    const { plans, pipes, promised } = preparePlans(spec, facts, ready);
    say(() => `namespaces: ${namespacesOf(spec, facts).join(" ")}`);
    const started = insideNetwork(spec.namespaces.joinNet, () =>
      startChild(plans, cloneFlags(spec, facts), pipes, confined, joined),
    );
    if (rootTree !== undefined) close(rootTree);
    rootTree = undefined;
    joining.tasks.forEach(close);
    if (joining.into !== null) close(joining.into);
    scratch((memory) => call("chdir", memory.placeString("/")));
    if (typeof started === "number") throw cloneError(spec, facts, -started);
    child = started;
    if (become !== undefined) spec.process.passFds.forEach(close); // init alone has them now
    close(gate[0]);
    closeSources(sources);
    const pidfd = facts.kernel.pidfd ? child.task.pidfd() : -1;
    const watch = (): Watcher => {
      const end = cgroup === null ? null : endOf(cgroup);
      watcher ??= startWatcher({
        ...{ life, pidfd, cgroup: end, work: work(), terminal: promised?.terminal ?? null },
        closing: [gate[1], root, report[0], ...spec.process.passFds, ...(status === null ? [] : [status])],
      });
      return watcher;
    };
    // where there is nothing to take down yet but the child, which sees to it itself, the watcher can wait
    if (wantsCgroup(spec.limits) || spec.pre !== null) watch();

    const throwReported = (): void => {
      const failure = awaitReport(started, listener.waitForInput);
      if (failure !== null) throw childError(spec, started.failed(failure.op), failure.errno, root);
    };
    say(() => `child: process ${started.pid}`);
    if (makesUser(spec)) {
      giveMaps(ids, child.pid, progress);
      write(gate[1], "g");
    }
    if (confined) {
      // not before its memory is its own: a limit that is reached kills all who share it
      if (!started.waitUntilEntered()) throwReported();
      confine(spec.limits, joining.rest, child.pid, facts);
    }
    helper = startNetwork({ spec, facts, child: child.pid, inherited, listener, say, watch });
    listener.stopIfAsked();
    if (post !== null) armPost(post, started.pid, watch(), facts, inherited, listener);
    if (spec.pre !== null) {
      const { pre } = spec;
      say(() => `pre script: ${show(pre)} ${started.pid}`);
      runPre({
        ...{ spec, facts, pre, child: child.pid, inherited, listener },
        onProcess: (pid) => {
          preProcess = pid;
          watch().watchPre(pid);
        },
      });
      listener.stopIfAsked();
      say(() => "pre script: exited with status 0");
    }

    if (progress !== null)
      for (const call of showChild([...plans.enter, ...plans.close], plans.main)) progress(`op: ${call}`);
    // until init runs, signals wait for it: its process would only drop them
    const { pid } = started;
    const early: number[] = [];
    listener.onSignal = (signal) =>
      signal === SIGNALS.SIGKILL ? call("kill", pid, signal) : early.push(signal);
    const placed = status === null ? null : lookAt(pid, spec, facts);
    write(gate[1], "g");
    const running = watch(); // while the child makes its mounts; it does not run init without it
    write(gate[1], "g");
    close(gate[1]);
    throwReported();
    say(() => `init: ${show(spec.init)} runs as process ${pid}`);
    if (promised !== null) relay = startRelay(promised, spec, pid, facts, life[1], inherited, listener);
    listener.giveBack(early);
    const begun = begin(status, pid, placed, cgroup);
    const state = endState(facts, cgroup, spec, post, progress !== null, work(), begun);
    const supervision = superviseInit(spec, pid, listener.caught, relay);
    let ending = supervision.wait(become === undefined ? FOREVER : BRIEFLY);
    if (ending === null) {
      const rules = supervision.rules();
      const title = become ?? [];
      handOver({ child: pid, pidfd, listener, rules, watcher: running, state, helper, relay, title, facts });
      ending = supervision.wait(FOREVER)!;
    }
    listener.onSignal = () => {};
    if (relay !== null) relay.end(listener.caught);
    else if (facts.terminal !== null) giveTerminalBack(facts.terminal.foreground);
    child = null;
    cgroup = null;
    return endRun(state, ending, supervision.rules().impatience, () => running.dismiss(), progress);
  } finally {
    if (preProcess !== null) call("kill", -preProcess, SIGNALS.SIGKILL);
    if (helper !== null) endNetwork(helper);
    if (child !== null) {
      call("kill", child.pid, SIGNALS.SIGKILL);
      reapNow(child.pid);
    }
    relay?.end(listener.caught);
    clearAway({ cgroup, self: facts, work: work() }, () => watcher?.dismiss(), progress);
    joined?.leave();
    if (rootTree !== undefined) close(rootTree);
    close(root);
    if (sources.changes !== null) close(sources.changes.work.lock);
    close(listener.caught);
  }
}
