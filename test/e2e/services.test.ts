/** What people run in profile app works there: Debian's nginx, PostgreSQL, Node.js and apt, as root and in a user namespace. */
import { beforeAll, describe, expect, test } from "bun:test";
import { debianRoot, SERVICES } from "../vm/debian.ts";
import { isRoot, leavesNothing, ns, type Ran, runCommand } from "../harness.ts";

const NGINX = `
nginx -g 'daemon off;' &
bash -c 'until exec 3<>/dev/tcp/127.0.0.1/80; do :; done 2>/dev/null; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; grep -o "Welcome to nginx" <&3 | head -n 1'
kill -QUIT $!
wait $!
echo ended $?
`;

const POSTGRES = `
pg_ctlcluster 15 main start &&
su postgres -c 'psql -qAtc "create table t as select generate_series(1, 100000) n" -c "set force_parallel_mode = on" -c "select sum(n) from t"' &&
pg_ctlcluster 15 main stop -m fast
echo ended $?
`;

const NODE = `exec node -e '
const { Worker } = require("worker_threads");
const http = require("http");
new Worker("require(\\"worker_threads\\").parentPort.postMessage(6 * 7)", { eval: true }).on("message", (n) => {
  const server = http.createServer((_, response) => response.end("answer " + n)).listen(0, () =>
    http.get({ port: server.address().port }, (response) =>
      response.on("data", (data) => console.log(String(data))).on("end", () => server.close())));
});'`;

const APT = `
apt-get -q remove -y nginx-light >/dev/null && dpkg --audit
echo audit $?
dpkg-query -W -f '\${Status}\\n' nginx-light
`;

const missing = !isRoot
  ? "making a Debian root needs root"
  : Bun.which("mmdebstrap") === null
    ? "mmdebstrap is missing: install the package mmdebstrap"
    : null;
if (missing !== null) console.log(`skipped: services in profile app: ${missing}`);

/** Ids of which the host knows nothing, for every id of the root. */
const USER = ["--map-uid=0:200000:65536", "--map-gid=0:200000:65536", "--idmap-root"];

leavesNothing();

describe.skipIf(missing !== null)("a Debian root in profile app", () => {
  let root: string;
  beforeAll(async () => {
    root = await debianRoot(SERVICES);
  }, 300_000);

  const service = (script: string, options: string[]): Promise<Ran> =>
    runCommand([
      ...[ns, "--profile=app", "--reaper", "-n", "--ephemeral", ...options],
      ...["-", root, "/bin/sh", "--", "-c", script],
    ]);

  describe.each([
    ["as root", []],
    ["in a user namespace", USER],
  ] as [string, string[]][])("%s", (_, options) => {
    const works = (name: string, script: string, out: string): void =>
      test(name, async () => {
        const { status, stdout, stderr } = await service(script, options);
        expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: out, stderr: "" });
      }, 60_000);
    works("nginx answers, and ends in good order", NGINX, "Welcome to nginx\nended 0\n");
    works("PostgreSQL starts, runs a parallel query, and stops", POSTGRES, "5000050000\nended 0\n");
    works("Node.js: a thread, a server, a request", NODE, "answer 42\n");
    works("apt removes a package", APT, "audit 0\nunknown ok not-installed\n");
  });
});
