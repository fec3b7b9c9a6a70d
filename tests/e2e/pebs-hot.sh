# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # what the caller sets
# What guest-pebs found of the workload's hot range. The caller sets $run, $vm and $HOT_PAGES, and has a command `ext`.

first_page() { echo $((0x$(sed -n 's/^kx-workload .* base=\([0-9a-f]*\).*/\1/p' "$run/$vm.log" | tail -n 1) >> 12)); }
arena_pages() { sed -n 's/^kx-workload .* arena_pages=\([0-9]*\).*/\1/p' "$run/$vm.log" | tail -n 1; }

# The pages taken, and how many of them are hot: of the workload's buffer, of which alone there is truth, the hottest pages by
# the guest's addresses, as many as are hot. (The workload's own notes are hotter than any of its buffer.)
hot_taken() {
	ext heat "$vm" --json --top 1000 >"$LAB_OUT/heat.json" &&
		jq -r '[.[0].heat.maps[] | select(.tracker == "guest-pebs" and (.process // "" | startswith("kx-workload")))][-1].ranges[] |
			"\(.start / 4096 | floor) \(.size / 4096 | floor) \(.heat)"' "$LAB_OUT/heat.json" |
		awk -v first="$(first_page)" -v arena="$(arena_pages)" -v number="$HOT_PAGES" '
			{
				from = $1 > first ? $1 : first
				to = $1 + $2 < first + arena ? $1 + $2 : first + arena
			}
			to > from && taken < number && $3 > 0 {
				n = to - from < number - taken ? to - from : number - taken
				taken += n
				end = from + n < first + number ? from + n : first + number
				if (end > from) hot += end - from
			}
			END { print taken + 0, hot + 0 }'
}

hot_found() {
	local taken hot
	read -r taken hot < <(hot_taken)
	echo "$hot of the $taken pages taken are hot, of $HOT_PAGES that are"
	[ "$taken" -gt 0 ] && [ $((hot * 10)) -ge $((taken * 9)) ] && [ $((hot * 10)) -ge $((HOT_PAGES * 9)) ]
}
