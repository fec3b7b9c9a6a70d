# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For suites that run inside the emulated host: cases with names, waits with time limits, checks at the end of every suite.

# shellcheck source=tests/e2e/kernel-log.sh
. "$(dirname "${BASH_SOURCE[0]}")/kernel-log.sh"

passed=0 failed=0 lacking=0
BUILD=${BUILD:-build}

note() { printf '   %s\n' "$*"; }

# If $ONLY is set, only the cases whose command is one of its words run.
wanted() { [ -z "${ONLY-}" ] || [[ " $ONLY " == *" $1 "* ]]; }

# not_here REASON: ends a case that this host cannot show, after what it can: the case counts neither as passed nor as failed.
not_here() { echo "n/a: $*"; exit 77; }

# test_case "the expected behaviour" COMMAND…: runs the case; if the command fails, prints its output.
test_case() {
	local name=$1 log start=$SECONDS rc
	shift
	wanted "$1" || return 0
	log=$(mktemp)
	# Not as a condition: in a condition, commands continue after an error in spite of -e.
	( set -eu; "$@" ) >"$log" 2>&1
	rc=$?
	if [ $rc -eq 0 ]; then
		passed=$((passed + 1))
		printf 'ok   %s (%d s)\n' "$name" $((SECONDS - start))
	elif [ $rc -eq 77 ] && [[ $(tail -n 1 "$log") == "n/a: "* ]]; then
		lacking=$((lacking + 1))
		printf 'n/a  %s: %s\n' "$name" "$(tail -n 1 "$log" | cut -c 6-)"
	else
		failed=$((failed + 1))
		printf 'FAIL %s (%d s)\n' "$name" $((SECONDS - start))
		sed 's/^/     /' "$log" | tail -n 40
	fi
	rm -f "$log"
}

# long_case NAME COMMAND…: as test_case, but only with LONG=1, or if ONLY names the command
long_case() {
	[ -z "${LONG-}${ONLY-}" ] || test_case "$@"
}

# Factor of all time limits over an idle machine: beside other work an emulated host gets little CPU time.
PATIENCE=10

# wait_for SECONDS "what" COMMAND…: repeats COMMAND until it succeeds; fails with a message after SECONDS * PATIENCE. SECONDS is the limit
# of an idle machine.
wait_for() {
	local limit=$(($1 * PATIENCE)) what=$2 end=$((SECONDS + $1 * PATIENCE))
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge $end ]; then
			echo "did not happen within $limit s: $what"
			return 1
		fi
		sleep 0.1
	done
}

# jq 1.6 with -e succeeds if its input is empty, so a command that failed before the pipe would pass as well: nothing printed is no success.
jq() {
	local out
	case " $*" in
	*" -e"*) ;;
	*)
		command jq "$@"
		return
		;;
	esac
	out=$(command jq "$@"; echo "=$?")
	[ "$out" != "=0" ] || return 4
	printf '%s' "${out%=*}"
	return "${out##*=}"
}
export -f jq

# fails_with CODE COMMAND…: the command must exit with that code and print a message on stderr.
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

# within PERCENT EXPECTED FOUND WHAT
within() {
	figure "$4: $3, expected $2"
	[ $((($3 - $2) * 100)) -le $(($1 * $2)) ] && [ $((($2 - $3) * 100)) -le $(($1 * $2)) ]
}

# agrees EXPECTED FOUND SCATTER WHAT: the difference is at most 1 %, or SCATTER (the possible effect of chance) if that is more
agrees() {
	local allowed=$(($1 / 100 > $3 ? $1 / 100 : $3))
	figure "$4: $2, expected $1 +- $allowed"
	[ $(($2 - $1)) -le $allowed ] && [ $(($1 - $2)) -le $allowed ]
}

# five_sigma VARIANCE: a deviation that chance exceeds once in two million times
five_sigma() { awk -v variance="$1" 'BEGIN { print int(5 * sqrt(variance)) + 1 }'; }

# figure TEXT: printed if the case fails, and always written to $LAB_OUT/figures
figure() { echo "$*" | tee -a "$LAB_OUT/figures"; }

# few_foreign NUMBER SAMPLES: unlike real CPUs, the emulated CPU counts its own stores to the kernel's stack at kernel entry.
few_foreign() { [ $(($1 * 1000)) -le "$2" ] || { echo "$1 of $2 samples have an address of no process"; return 1; }; }

session_threads() { pgrep -c '^kvm-ext/' || true; }
# Use with wait_for: a thread disappears from /proc a moment after it has ended, which is what the module waits for.
session_threads_are() { [ "$(session_threads)" -eq "$1" ]; }
module_users() { awk '$1 == "kvm_ext" { print $3 }' /proc/modules; }

summary() {
	[ $lacking -eq 0 ] || echo "$lacking n/a on this host"
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
}

# Stops DAMON's monitor of the whole machine (on by default in some kernels since 6.17), which clears accessed bits.
quiet_damon() {
	local enabled=/sys/module/damon_stat/parameters/enabled
	if [ -e $enabled ] && [ "$(cat $enabled)" = Y ]; then
		note "DAMON's monitor is switched off: it clears the accessed bits that the tests count"
		echo N >$enabled
	fi
}

# hot_pages LOG: prints the workload's hot pages, one per line: those that it touched in more than half of its epochs since its last start.
hot_pages() {
	awk '
		function value(hex,  i, n) {
			n = 0
			for (i = 1; i <= length(hex); i++)
				n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
			return n
		}
		$1 == "ready" { epochs = 0; delete times }
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

# overlap FIRST NUMBER: reads spans (lines FIRST NUMBER …, hottest first) from stdin and takes NUMBER pages from the top. Succeeds if at
# least 80 % of NUMBER are hot, which means in the NUMBER pages from page FIRST on.
overlap() {
	awk -v first="$1" -v number="$2" '
		taken < number {
			n = $2 < number - taken ? $2 : number - taken
			taken += n
			from = $1 > first ? $1 : first
			to = $1 + n < first + number ? $1 + n : first + number
			if (to > from) hot += to - from
		}
		END { printf "%d of %d pages at the top are hot; %d pages are hot\n", hot, taken, number; exit !(hot * 10 >= number * 8) }'
}
