# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2153 # QTESTS is set by build
#
# The qtests of a build of QEMU: which ones, and how they are run. Read by build.

# series -> PROGRAM[:CASE] of QEMU's qtests. pebs-test, tcg-pebs-test and dirty-tap-test come with the series; the others are QEMU's
# own for what the series change: features and names of CPUs, CPUs plugged in, and migration.
# shellcheck disable=SC2034 # used by build
declare -A QTESTS_OF=(
	[7.2]='pebs-test dirty-tap-test test-x86-cpuid-compat cpu-plug-test machine-none-test
		migration-test:/x86_64/migration/precopy/unix/plain'
	[10.0]='pebs-test dirty-tap-test test-x86-cpuid-compat cpu-plug-test machine-none-test
		migration-test:/x86_64/migration/precopy/unix/plain'
	[10.0-tcg]='pebs-test tcg-pebs-test dirty-tap-test test-x86-cpuid-compat cpu-plug-test machine-none-test
		migration-test:/x86_64/migration/precopy/unix/plain'
)

qtest_programs() {
	local qtest
	for qtest in $QTESTS; do
		echo "${qtest%%:*}"
	done | sort -u
}

# run_qtests DIRECTORY: the results, and the last line that tests/check sums up. A qtest without one test that passed has failed.
run_qtests() {
	local dir=$1 qtest program case passed=0 failed=0 ok bad rc tap
	tap=$(mktemp)
	for qtest in $QTESTS; do
		program=${qtest%%:*} case=${qtest#"$program"}
		rc=0
		QTEST_QEMU_BINARY=$dir/qemu-system-x86_64 G_TEST_DBUS_DAEMON=/bin/false \
			timeout 600 "$dir/qtest/$program" --tap -k ${case:+-p "${case#:}"} >"$tap" 2>&1 </dev/null || rc=$?
		ok=$(grep -c '^ok [0-9]* [^#]*$' "$tap" || :)
		bad=$(grep -c '^not ok ' "$tap" || :)
		if ((bad == 0 && (rc || ok == 0))); then
			bad=1
		fi
		if ((bad)); then
			cat "$tap" >&2
			say "$program ended with status $rc"
		else
			grep '^ok ' "$tap"
		fi
		passed=$((passed + ok)) failed=$((failed + bad))
	done
	rm -f "$tap"
	echo "$passed passed, $failed failed"
	((failed == 0))
}
