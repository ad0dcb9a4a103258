/** Examples of the options in src/cli/flags/security.ts. */
import type { Examples } from "./example.ts";

const BOUNDING = "grep CapBnd /proc/self/status";

export const securityExamples: Examples = {
  profile: {
    text: "A service that can do what Podman's can: 11 capabilities, a filter, nothing gained by an exec.",
    command: `ns --profile=app [-u] - ROOT /bin/sh [UID GID] -- -c '${BOUNDING}; mount -t tmpfs x /tmp || true' 2>&1`,
    prints: /^CapBnd:\t00000000800405fb\nmount: .*(denied|not permitted)/,
  },
  "cap-add": {
    text: "A service that may set its clock's time, if the host lets it.",
    command: `ns --profile=app --cap-add SYS_TIME [-u] - ROOT /bin/sh [UID GID] -- -c '${BOUNDING}'`,
    prints: "CapBnd:\t00000000820405fb",
  },
  "cap-drop": {
    text: "None but one.",
    command: `ns --cap-drop ALL --cap-add CHOWN [-u] - ROOT /bin/sh [UID GID] -- -c '${BOUNDING}'`,
    prints: "CapBnd:\t0000000000000001",
  },
  seccomp: {
    text: "A filter in the JSON that Docker takes.",
    command:
      'printf \'{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}\' ' +
      "> FOLDER/seccomp.json; ns --seccomp FOLDER/seccomp.json --no-new-privs [-u] - ROOT /bin/mkdir [UID GID] -- /tmp/x 2>&1 || true",
    prints: /Function not implemented/,
  },
  dev: {
    text: "A /dev that holds nothing of the machine, whatever the root brings.",
    command: "ns --dev=minimal [-u] - ROOT /bin/ls [UID GID] -- /dev",
    prints: "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero",
  },
  sys: {
    text: "What programs want to know of the processors, and nothing that they could change.",
    command:
      "ns --sys=ro -n [-u] - ROOT /bin/sh [UID GID] -- -c 'cat /sys/devices/system/cpu/online; (: > /sys/kernel/uevent_helper) 2>&- || echo held'",
    prints: /^[0-9,-]+\nheld$/,
  },
  "no-new-privs": {
    text: "Set-user-ID programs gain nothing.",
    command: "ns --no-new-privs [-u] - ROOT /bin/grep [UID GID] -- NoNewPrivs /proc/self/status",
    prints: "NoNewPrivs:\t1",
  },
  mask: {
    text: "A file that is empty inside.",
    command: "ns --mask /etc/passwd [-u] - ROOT /bin/sh [UID GID] -- -c 'wc -c < /etc/passwd'",
    prints: "0",
  },
  "read-only-path": {
    text: "A directory that cannot be written.",
    command:
      "ns --read-only-path /etc [-u] - ROOT /bin/sh [UID GID] -- -c 'touch /etc/x 2>&- || echo read-only'",
    prints: "read-only",
  },
  unmask: {
    text: "Profile app, but with what /proc/interrupts says.",
    command:
      "ns --profile=app --unmask /proc/interrupts [-u] - ROOT /bin/sh [UID GID] -- -c 'head -n 1 /proc/interrupts'",
    prints: /CPU0/,
  },
  "allow-device": {
    text: "The control file of loop devices can be opened, which it cannot otherwise in a container that root has started.",
    command:
      "ns --allow-device /dev/loop-control:r - ROOT /bin/sh -- -c 'mknod /tmp/loop c 10 237; true </tmp/loop && echo opened; rm /tmp/loop'",
    prints: "opened",
    root: true,
  },
};
