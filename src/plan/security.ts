/**
 * The last steps before the exec that make init less than root: capabilities, no_new_privs, the seccomp filter. Used by
 * child.ts around the change to init's own ids.
 */
import type { Facts, Spec } from "../spec/spec.ts";
import { PR } from "../sys/constants.ts";
import { boundCapabilities, capabilitiesOf, setCapabilities } from "./capabilities.ts";
import type { Op } from "./op.ts";

const SECCOMP_SET_MODE_FILTER = 1;
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** Can init and its children gain nothing by an exec? The profiles but init's say so. */
export const hasNoNewPrivs = ({ security }: Spec): boolean =>
  security.noNewPrivs || security.profile !== "init";

/** A session keyring of its own (session-keyring(7)): the caller's holds his keys. A kernel may have no keyrings. */
export const newKeyring = (): Op => ({
  call: "keyctl",
  args: [KEYCTL_JOIN_SESSION_KEYRING, 0],
  step: "make a session keyring",
  fine: ["ENOSYS"],
});

/**
 * Root's usual rules for ids and capabilities, whatever the caller has set (capabilities(7), "The securebits flags"); a new
 * user namespace has them. What is locked stays: it gives init less, never more.
 */
const usualSecurebits = ({ user }: Spec): Op[] =>
  user === null
    ? [{ call: "prctl", args: [PR.PR_SET_SECUREBITS, 0], step: "reset the securebits", fine: ["EPERM"] }]
    : [];

const installFilter = (filter: Uint8Array | null): Op[] =>
  filter === null
    ? []
    : [
        {
          call: "seccomp",
          args: [SECCOMP_SET_MODE_FILTER, 0, { filter }],
          step: "install the seccomp filter",
        },
      ];

/**
 * What takes a privilege that is about to go: the bounding set takes CAP_SETPCAP, a filter without no_new_privs
 * CAP_SYS_ADMIN.
 */
export function holdPrivileges(spec: Spec, facts: Facts, filter: Uint8Array | null): Op[] {
  return [
    ...usualSecurebits(spec),
    ...boundCapabilities(spec, facts, capabilitiesOf(spec, facts)),
    ...(hasNoNewPrivs(spec) ? [] : installFilter(filter)),
  ];
}

/** The very last steps. @param isRoot init is uid 0 inside; another has lost its capabilities with that */
export function giveUpPrivileges(spec: Spec, facts: Facts, filter: Uint8Array | null, isRoot: boolean): Op[] {
  const ops = isRoot ? setCapabilities(spec, capabilitiesOf(spec, facts)) : [];
  if (!hasNoNewPrivs(spec)) return ops;
  return [
    ...ops,
    { call: "prctl", args: [PR.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], step: "set no_new_privs" },
    ...installFilter(filter),
  ];
}
