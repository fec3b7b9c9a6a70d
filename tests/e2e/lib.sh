# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For suites that run inside the emulated host: cases with names, waits with limits, the checks every suite ends with.

passed=0 failed=0
BUILD=${BUILD:-build}

note() { printf '   %s\n' "$*"; }

# $ONLY: words, of which one must be a case's command; for whoever works on one case.
wanted() { [ -z "${ONLY-}" ] || [[ " $ONLY " == *" $1 "* ]]; }

# test_case "the behaviour it holds" COMMAND…: the command's output is shown when it fails.
test_case() {
	local name=$1 log start=$SECONDS rc
	shift
	wanted "$1" || return 0
	log=$(mktemp)
	# Not as a condition: what is one, or is part of one, goes on after an error whatever -e says.
	( set -eu; "$@" ) >"$log" 2>&1
	rc=$?
	if [ $rc -eq 0 ]; then
		passed=$((passed + 1))
		printf 'ok   %s (%d s)\n' "$name" $((SECONDS - start))
	else
		failed=$((failed + 1))
		printf 'FAIL %s (%d s)\n' "$name" $((SECONDS - start))
		sed 's/^/     /' "$log" | tail -n 40
	fi
	rm -f "$log"
}

# long_case NAME FUNCTION [ARGUMENT…]: only with LONG=1, or if ONLY names it
long_case() {
	[ -z "${LONG-}${ONLY-}" ] || test_case "$@"
}

# How many times as long as on an idle machine all may take: an emulated host beside other work gets as little of a CPU.
PATIENCE=10

# wait_for SECONDS "what" COMMAND…: polls; a readable reason when the time is up. SECONDS: what an idle machine may need.
wait_for() {
	local limit=$(($1 * PATIENCE)) what=$2 end=$((SECONDS + $1 * PATIENCE))
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge $end ]; then
			echo "waited $limit s in vain for: $what"
			return 1
		fi
		sleep 0.1
	done
}

# fails_with CODE COMMAND…: the command must exit with that code, and say something on stderr.
fails_with() {
	local want=$1 rc=0 err
	shift
	err=$(mktemp)
	"$@" >/dev/null 2>"$err" || rc=$?
	if [ $rc -ne "$want" ] || [ ! -s "$err" ]; then
		echo "expected exit $want with a message, got exit $rc: $*"
		cat "$err"
		return 1
	fi
}

same() {
	[ "$1" = "$2" ] || { echo "$3: expected $1, got $2"; return 1; }
}

# within PERCENT WANTED FOUND WHAT
within() {
	figure "$4: $3, expected $2"
	[ $((($3 - $2) * 100)) -le $(($1 * $2)) ] && [ $((($2 - $3) * 100)) -le $(($1 * $2)) ]
}

# agrees WANTED FOUND SCATTER WHAT: within 1 %, or within SCATTER if that is more: what chance alone may add or take away
agrees() {
	local allowed=$(($1 / 100 > $3 ? $1 / 100 : $3))
	figure "$4: $2, expected $1 +- $allowed"
	[ $(($2 - $1)) -le $allowed ] && [ $(($1 - $2)) -le $allowed ]
}

# five_sigma VARIANCE: beyond this, chance takes a value once in two million times
five_sigma() { awk -v variance="$1" 'BEGIN { print int(5 * sqrt(variance)) + 1 }'; }

# figure TEXT: shown if the case fails, and kept in any case
figure() { echo "$*" | tee -a "$LAB_OUT/figures"; }

# few_foreign NUMBER SAMPLES: the emulated CPU counts what it stores to the kernel's stack when it enters the kernel, unlike real ones.
few_foreign() { [ $(($1 * 1000)) -le "$2" ] || { echo "$1 of $2 samples have an address that no process has"; return 1; }; }

session_threads() { pgrep -c '^kvm-ext/' || true; }
# To be waited for: whoever stopped a thread goes on when it has ended, which is a moment before it is out of /proc.
session_threads_are() { [ "$(session_threads)" -eq "$1" ]; }
module_users() { awk '$1 == "kvm_ext" { print $3 }' /proc/modules; }

# What the kernel logged that no test may cause.
kernel_complaints() {
	dmesg | grep -E 'WARNING|BUG|Oops|general protection|Call Trace|soft lockup|hung task|rcu.*stall|KASAN|UBSAN|refcount_t|leak' |
		grep -vE 'Spectre|mitigation|MDS|RETBleed' || true
}

no_kernel_complaints() {
	local found
	found=$(kernel_complaints)
	[ -z "$found" ] || { echo "$found"; return 1; }
}

summary() {
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
}

# DAMON's monitor of the whole machine (on by default in some kernels since 6.17) clears accessed bits that tests count.
quiet_damon() {
	local enabled=/sys/module/damon_stat/parameters/enabled
	if [ -e $enabled ] && [ "$(cat $enabled)" = Y ]; then
		note "switching DAMON's monitor off: it clears the accessed bits that the tests count"
		echo N >$enabled
	fi
}

# hot_pages LOG: the pages that the workload touched in more than half of its epochs, one a line: its hot ones.
hot_pages() {
	awk '
		function value(hex,  i, n) {
			n = 0
			for (i = 1; i <= length(hex); i++)
				n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
			return n
		}
		$1 == "epoch" && $3 == "end" { epochs++ }
		$1 == "touch" {
			n = split($3, runs, ",")
			for (i = 1; i <= n; i++) {
				split(runs[i], run, "+")
				first = value(run[1])
				for (k = 0; k < run[2]; k++)
					times[first + k]++
			}
		}
		END { for (page in times) if (times[page] * 2 > epochs) print page }
	' "$1"
}
