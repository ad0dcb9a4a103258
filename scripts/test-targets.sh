#!/bin/sh
# test-targets.sh, which is `bun run test:targets` or `npm run test:targets`, runs the tests of executables for other
# machines: arm64, musl, Android, and what they are built with. Arguments go to `bun test`. Needs the npm registry and
# Debian's packages the first time; build/cache and build/vm keep them. The last line is `N passed, N failed, N skipped`.
set -eu
cd "$(dirname "$0")/.."

# clang, lld: the launcher for Android; qemu-user-static, libc6-arm64-cross: TinyCC for arm64; qemu-system-*: the machines
scripts/setup.sh busybox-static util-linux bubblewrap qemu-system-x86 qemu-system-arm qemu-user-static \
	libc6-arm64-cross clang lld e2fsprogs xz-utils git

bun=node_modules/.bin/bun
$bun run scripts/build.ts --release

report=build/junit-targets.xml
rm -f $report
status=0
[ $# -gt 0 ] || set -- test/targets
$bun test --reporter=junit --reporter-outfile=$report "$@" || status=$?
$bun run scripts/summary.ts $report $status || status=1
exit $status
