# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # what the caller sets
# Checks that guest-pebs finds the workload's hot range: $HOT_PAGES pages from page $HOT_FIRST (0) of the workload's buffer on. The
# caller sets $run, $vm and $HOT_PAGES, and has a command `ext`.

# Reads only the first line of the log, which can have megabytes.
told_first() { sed -n "1s/^kx-workload .* $1=\\([0-9a-f]*\\).*/\\1/p; 1q" "$run/$vm.log"; }
first_page() { echo $((0x$(told_first base) >> 12)); }
arena_pages() { told_first arena_pages; }

# Prints the ranges of the workload in the last map of guest-pebs, the hottest first: FIRST-PAGE PAGES HEAT
told_ranges() {
	ext heat "$vm" --json --top 1000 >"$LAB_OUT/heat.json" &&
		jq -r '[.[0].heat.maps[] | select(.tracker == "guest-pebs" and (.process // "" | startswith("kx-workload")))][-1].ranges[] |
			"\(.start / 4096 | floor) \(.size / 4096 | floor) \(.heat)"' "$LAB_OUT/heat.json"
}

# Takes the $HOT_PAGES hottest pages of the workload's buffer and prints their number, and how many of them are hot. Other pages of the
# workload are not counted: its bookkeeping is hotter than the buffer, and the log contains only accesses to the buffer.
hot_taken() {
	local first
	first=$(first_page)
	told_ranges | awk -v first="$first" -v arena="$(arena_pages)" -v hot_first="$((first + ${HOT_FIRST:-0}))" -v number="$HOT_PAGES" '
		{
			from = $1 > first ? $1 : first
			to = $1 + $2 < first + arena ? $1 + $2 : first + arena
		}
		to > from && taken < number && $3 > 0 {
			n = to - from < number - taken ? to - from : number - taken
			taken += n
			begin = from > hot_first ? from : hot_first
			end = from + n < hot_first + number ? from + n : hot_first + number
			if (end > begin) hot += end - begin
		}
		END { print taken + 0, hot + 0 }'
}

hot_found() {
	local taken hot
	read -r taken hot < <(hot_taken)
	echo "$hot of the $taken hottest pages found are hot; $HOT_PAGES pages are hot"
	[ "$taken" -gt 0 ] && [ $((hot * 10)) -ge $((taken * 9)) ] && [ $((hot * 10)) -ge $((HOT_PAGES * 9)) ]
}

# weight_found DRAWN: of the accesses that the $HOT_PAGES hottest pages get by the file DRAWN (tests/lab/drawn.c), those that
# as many pages get which guest-pebs has on top: parts in a thousand. And the accesses of all ranges in the workload's buffer.
weight_found() {
	told_ranges | awk -v first="$(first_page)" -v arena="$(arena_pages)" -v number="$HOT_PAGES" '
		FNR == NR { weight[$1] = $2; if (++n <= number) best += $2; next }
		$1 >= first && $1 + $2 <= first + arena { accesses += $3 * $2 }
		$3 > 0 {
			from = $1 > first ? $1 - first : 0
			to = $1 + $2 < first + arena ? $1 + $2 - first : arena
			for (page = from; page < to && taken < number; page++) { taken++; got += weight[page] }
		}
		END { print int(1000 * got / best), int(accesses) }' "$1" -
}
