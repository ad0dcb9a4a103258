/** Examples of the options in src/cli/flags/root.ts. */
import type { Examples } from "./example.ts";

export const rootExamples: Examples = {
  "read-only": {
    text: "Nothing in the root can be written.",
    command: "ns --read-only [-u] - ROOT /bin/sh [UID GID] -- -c 'touch /x 2>/dev/null || echo read-only'",
    prints: "read-only",
  },
  ephemeral: {
    text: "The file is there as long as the container.",
    command:
      "ns --ephemeral=16M [-u] - ROOT /bin/sh [UID GID] -- -c 'echo x >/new; ls /new'; ls ROOT/new 2>/dev/null || echo gone",
    prints: "/new\ngone",
  },
  overlay: {
    text: "What the container changes can be looked at afterwards. The directory for the kernel, UPPER.ns-work, is made for the run and removed.",
    command: "d=$(mktemp -d); ns --overlay $d [-u] - ROOT /bin/touch [UID GID] -- /new; ls $d; rm -r $d",
    prints: "new",
  },
  image: {
    text: "The image is never written; with --ephemeral or --overlay the container can write nevertheless. With --user its files belong to nobody inside unless --idmap-root is given too. Device files in it do not work.",
    command:
      "i=$(mktemp); mksquashfs ROOT $i -noappend -quiet -no-progress >/dev/null; ns --image $i --ephemeral - / /bin/sh -- -c 'touch /new; ls /new'; rm $i",
    prints: "/new",
    root: true,
  },
};
