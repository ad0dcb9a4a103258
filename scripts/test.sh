#!/bin/sh
# test.sh, which is `npm test`, installs what the tests need, builds both executables and runs every test: units, end to
# end on this host, and in virtual machines; but not those of other targets (test-targets.sh). Arguments go to `bun test`
# (a file or folder to run only that). The last line is `N passed, N failed, N skipped`.
set -eu
cd "$(dirname "$0")/.."

# busybox-static: roots; uidmap: newuidmap; bubblewrap, util-linux: controls that an attack works where ns must stop it;
# nftables, iproute2, iputils-ping: the network of the examples; passt: --net=pasta; squashfs-tools, erofs-utils, fdisk, e2fsprogs: images; qemu and what follows: the virtual
# machines; clang, lld, libclang-rt: frozen starts, the fuzzer; zsh, fish, man-db, groff-base, mandoc: completions and the man page
scripts/setup.sh busybox-static util-linux uidmap bsdutils bubblewrap nftables iproute2 iputils-ping passt hostname \
	strace squashfs-tools erofs-utils fdisk qemu-system-x86 e2fsprogs xz-utils mmdebstrap clang lld libclang-rt-14-dev \
	zsh fish man-db groff-base mandoc

bun=node_modules/.bin/bun
$bun run scripts/build.ts
$bun run scripts/build.ts --release

report=build/junit.xml
rm -f $report
status=0
[ $# -gt 0 ] || set -- --path-ignore-patterns='test/targets/**'
$bun test --reporter=junit --reporter-outfile=$report "$@" || status=$?
$bun run scripts/summary.ts $report $status || status=1
exit $status
