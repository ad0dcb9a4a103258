/** What works on this host for this caller, and what is missing for the rest: `ns check`. Tries it, and leaves nothing. */
import { probe } from "../../host/facts.ts";
import { type Host, readHost } from "../../host/survey/host.ts";
import { NsError } from "../../spec/error.ts";
import { defaultSpec, type Spec } from "../../spec/spec.ts";
import { listen } from "../listen.ts";
import type { Feature } from "./feature.ts";
import type { Stage } from "./rehearse.ts";
import { FEATURES } from "./table.ts";

export interface Finding {
  readonly id: string;
  readonly group: string;
  readonly name: string;
  readonly works: boolean;
  /** without it no container can be started */
  readonly needed: boolean;
  /** the option that asks for it, or a word on it */
  readonly detail: string | null;
  /** why it does not work, in the words of the run that would fail */
  readonly problem: string | null;
  /** what to do about it */
  readonly note: string | null;
}

export interface Survey {
  readonly host: Host;
  readonly caller: { readonly uid: number; readonly gid: number; readonly root: boolean };
  /** can a container be started here at all? */
  readonly works: boolean;
  readonly features: readonly Finding[];
}

function look(feature: Feature, stage: Stage, base: Spec): Finding {
  const { id, group, name } = feature;
  const about = { id, group, name, needed: feature.needed?.(base) ?? false };
  try {
    const detail = feature.attempt(stage, base);
    return { ...about, works: true, detail, problem: null, note: null };
  } catch (error) {
    if (!(error instanceof NsError)) throw error;
    return { ...about, works: false, detail: null, problem: error.message, note: error.note ?? null };
  }
}

/**
 * Looks at everything, in about a quarter of a second. Needs a process of its own: it catches signals, and may move itself
 * into a scope of systemd's.
 * @throws NsError when the host cannot be looked at, or a signal stops it
 */
export function survey(): Survey {
  const facts = { ...probe(), terminal: null };
  const listener = listen(facts.ignoredSignals);
  const host = readHost();
  const root = facts.capabilities.sysAdmin;
  const base: Spec = { ...defaultSpec(), user: root ? null : { uid: facts.uid, gid: facts.gid } };
  const stage = { facts, listener };
  const features: Finding[] = [];
  for (const feature of FEATURES) {
    listener.stopIfAsked();
    if (feature.asked?.(stage) !== false) features.push(look(feature, stage, base));
  }
  // root in somebody's user namespace may have to take a user namespace too
  const works = features.some(({ id, works: one }) => (id === "job" || id === "job-user") && one);
  return { host, caller: { uid: facts.uid, gid: facts.gid, root }, works, features };
}
