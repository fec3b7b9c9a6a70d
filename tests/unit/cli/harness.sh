# SPDX-License-Identifier: GPL-2.0-or-later
# For tests of the command against tests/unit/fake-daemon.c: one such daemon, and ways to say what a command is to do. To be sourced.
# shellcheck shell=bash
set -u
build=${BUILD:-build}
cli=$build/hostd/kvm-ext
dir=$(mktemp -d)
passed=0 failed=0
unset KVM_EXT_SOCKET
export KVM_EXT_STATE_DIR=$dir/state
export LC_ALL=C.UTF-8

cleanup() {
	exec 9>&- 8>&- 7>&-
	wait
	rm -rf "$dir"
}
trap cleanup EXIT

mkfifo "$dir/in" "$dir/ready"
"$build/tests/fake-daemon" "$dir/sock" tests/golden/two-vms.json "$dir/calls" <"$dir/in" >"$dir/ready" 2>"$dir/fake.err" &
exec 9>"$dir/in"
read -r -t 20 word <"$dir/ready"
if [ "${word:-}" != ready ]; then
	cat "$dir/fake.err"
	echo "the fake daemon does not start"
	echo "0 passed, 1 failed"
	exit 1
fi

# run NAME CODE ARGS…: runs the CLI, checks its exit code; output in $dir/out and $dir/err
run() {
	name=$1
	local want=$2
	shift 2
	: >"$dir/calls"
	timeout 120 "$cli" --socket "$dir/sock" "$@" >"$dir/out" 2>"$dir/err"
	local code=$?
	check "exits with $want, not $code" [ "$code" -eq "$want" ]
}

# check WHAT COMMAND…: one test case
check() {
	local what=$1
	shift
	if "$@" >/dev/null 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED $name: $what"
		sed 's/^/    out: /' "$dir/out" | head -n 20
		sed 's/^/    err: /' "$dir/err" | head -n 20
		sed 's/^/    call: /' "$dir/calls" | head -n 20
	fi
}

out() { check "prints '$1'" grep -qF -e "$1" "$dir/out"; }
err() { check "says '$1'" grep -qF -e "$1" "$dir/err"; }
call() { check "calls '$1'" grep -qxF -e "$1" "$dir/calls"; }
no_call() { check "calls nothing" [ ! -s "$dir/calls" ]; }
silent() { check "prints nothing" [ ! -s "$dir/out" ]; }
# golden FILE: what was printed is tests/golden/FILE. UPDATE_GOLDEN=1 writes it anew: read the difference before committing.
golden() {
	[ -z "${UPDATE_GOLDEN-}" ] || cp "$dir/out" "tests/golden/$1"
	check "prints tests/golden/$1" cmp "$dir/out" "tests/golden/$1"
}
# csv_is FILE: the CSV that was printed says what the JSON list in FILE says
csv_is() { check 'CSV and JSON say the same' tests/unit/cli/csv-is-json "$dir/out" "$1"; }
json() { check "JSON: $1" jq -e "$1" "$dir/out"; }
