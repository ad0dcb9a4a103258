/** Examples of the options in src/cli/flags/ids.ts. */
import type { Examples } from "./example.ts";

export const idExamples: Examples = {
  user: {
    text: "As an ordinary user: root inside is yourself outside.",
    command: "ns -u - ROOT /usr/bin/id UID GID -- -u",
    prints: "0",
  },
  map: {
    text: "Inside you are who you are, without any privilege, and so is init. With `auto` you are root inside, and the ids that the administrator has granted you follow; as root, root inside is the first of those granted to root.",
    command: 'ns --map=keep - ROOT /bin/sh -- -c \'test "$(id -u)" = "$0" && echo still myself\' "$(id -u)"',
    prints: "still myself",
  },
  "map-uid": {
    text: "Root inside is yourself outside, as with `-u`. Root can map more: `--map-uid 0:100000:65536`, and others what they were granted (`newuidmap`).",
    command: 'ns --map-uid "0:$(id -u):1" --map-gid "0:$(id -g):1" - ROOT /usr/bin/id -- -u',
    prints: "0",
  },
  "map-gid": {
    text: "Other gids than uids.",
    command:
      "ns --map-uid 0:100000:1000 --map-gid 0:200000:1000 - ROOT /bin/cat -- /proc/self/gid_map | tr -s ' '",
    prints: " 0 200000 1000",
    root: true,
  },
  userns: {
    text: "A second container, or a first one for a process that has a user namespace already. Root inside is whoever is root there. For an ordinary user it has to be one that he has made.",
    command:
      "unshare -Ur sh -c 'echo $$; exec sleep 1000' | { read -r pid; ns --userns=$pid - ROOT /usr/bin/id -- -u; kill $pid; }",
    prints: "0",
  },
  "idmap-root": {
    text: "Root's files are root's inside, though root inside is uid 100000 outside.",
    command: "ns --idmap-root --map-uid 0:100000:65536 - ROOT /bin/stat -- -c %U /etc/passwd",
    prints: "root",
    root: true,
  },
  as: {
    text: "Init is not root but a user that the root knows, in the groups that it knows. HOME is his. With groups (`--as USER:GROUP,MORE`) those count and no others.",
    command: "ns --as nobody - ROOT /usr/bin/id -- -un",
    prints: "nobody",
    root: true,
  },
};
