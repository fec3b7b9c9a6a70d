# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # what the caller sets
# A domain whose guest runs kvm_ext_guest.ko beside the workload: its console and log, and whether a tracker in the guest found the
# workload's hot range. The caller sets $run, $vm and $HOT_PAGES, and has a command `ext`.

# --- the guest -----------------------------------------------------------------------------------------------------------

console() { tr -d '\r' <"$run/$vm.console"; }
# in_guest VERB ARGUMENTS: the guest's init executes this
in_guest() { tests/lab/domains command "$vm" "$*"; }
starts() { grep -c '^ready ' "$run/$vm.log" || true; }
work_lines() { grep -c '^work ' "$run/$vm.log" || true; }
more_work() { [ "$(work_lines)" -gt "$1" ]; }
works() { wait_for 20 "progress of the guest" more_work "$(work_lines)"; }

# --- the truth -------------------------------------------------------------------------------------------------------------

first_page() { echo $((0x$(sed -n 's/^kx-workload .* base=\([0-9a-f]*\).*/\1/p' "$run/$vm.log" | tail -n 1) >> 12)); }

# ranges_of FILTER: prints the ranges of the selected map, hottest first: FIRST NUMBER, in pages.
ranges_of() {
	ext heat "$vm" --json --top 1000 >"$LAB_OUT/heat.json" &&
		jq -r "[.[0].heat.maps[] | select($1)][-1].ranges[] | \"\(.start / 4096 | floor) \(.size / 4096 | floor)\"" "$LAB_OUT/heat.json"
}

# By the guest's virtual addresses
finds_hot_addresses() {
	ranges_of ".tracker == \"$1\" and (.process // \"\" | startswith(\"kx-workload\"))" | overlap "$(first_page)" "$HOT_PAGES"
}

# By frames: the HOT_PAGES frames at the top contain half of the hot ones. (A range of frames also contains frames between hot ones.)
finds_hot_frames() {
	hot_pages "$run/$vm.log" | sort >"$LAB_OUT/hot-frames"
	ranges_of ".tracker == \"$1\" and (.process // \"\") == \"\"" | awk -v number="$HOT_PAGES" '
		taken < number {
			n = $2 < number - taken ? $2 : number - taken
			taken += n
			for (k = 0; k < n; k++) print $1 + k
		}' | sort >"$LAB_OUT/found-frames"
	local hot found both
	hot=$(wc -l <"$LAB_OUT/hot-frames") found=$(wc -l <"$LAB_OUT/found-frames")
	both=$(comm -12 "$LAB_OUT/hot-frames" "$LAB_OUT/found-frames" | wc -l)
	echo "$hot frames are hot; of the $found frames at the top, $both are hot"
	[ "$hot" -gt 1000 ] && [ $((both * 2)) -ge "$hot" ]
}

# await_hot SECONDS FINDER ARGUMENTS…: waits until FINDER succeeds; on a timeout prints what it found last
await_hot() {
	wait_for "$1" "the hot range ($2)" "${@:2}" || {
		"${@:2}"
		return 1
	}
}

window() { ext report "$vm" --json | jq -er ".vms[0].windows[-1] | $1"; }
samples_above() { [ "$(window .samples)" -gt "$1" ]; }
plugged() { virsh -q dumpxml "$vm" | grep -c "model type='ivshmem-plain'" || true; }
channel_files() { find /dev/shm -name '*kvm-ext*' | wc -l; }
left_nothing() {
	same 0 "$(plugged)" "devices plugged in"
	same 0 "$(channel_files)" "files of channels"
}

guest_complains_of_nothing() { ! console | complaints; }
