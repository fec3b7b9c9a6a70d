# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # what the caller sets
# What guest-pebs found of the workload's hot range. The caller sets $run, $vm and $HOT_PAGES,
# and has a command `ext`. Hot are the $HOT_PAGES pages from page $HOT_FIRST of the workload's buffer on (0).

# From the log's first line alone: the log grows by megabytes.
told_first() { sed -n "1s/^kx-workload .* $1=\\([0-9a-f]*\\).*/\\1/p; 1q" "$run/$vm.log"; }
first_page() { echo $((0x$(told_first base) >> 12)); }
arena_pages() { told_first arena_pages; }

# The ranges that guest-pebs told last of the workload, the hottest first: FIRST-PAGE PAGES HEAT
told_ranges() {
	ext heat "$vm" --json --top 1000 >"$LAB_OUT/heat.json" &&
		jq -r '[.[0].heat.maps[] | select(.tracker == "guest-pebs" and (.process // "" | startswith("kx-workload")))][-1].ranges[] |
			"\(.start / 4096 | floor) \(.size / 4096 | floor) \(.heat)"' "$LAB_OUT/heat.json"
}

# The pages taken, and how many of them are hot: of the workload's buffer, of which alone there is truth, the hottest pages by
# the guest's addresses, as many as are hot. (The workload's own notes are hotter than any of its buffer.)
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
	echo "$hot of the $taken pages taken are hot, of $HOT_PAGES that are"
	[ "$taken" -gt 0 ] && [ $((hot * 10)) -ge $((taken * 9)) ] && [ $((hot * 10)) -ge $((HOT_PAGES * 9)) ]
}
