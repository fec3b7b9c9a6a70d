# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2086,SC2034,SC2153,SC2154 # settings are words; what the cases use; what the caller sets
# The guest's module alone: what the suites guest-module-inside and guest-module-pebs-inside have in common. The caller sets:
#   release   the kernel's release
#   PEER      the directory of the daemon's end (tests/guest/peer.c), to which `ask` sends requests
#   EVENT     word of a command: the event that is sampled
#   PERIOD    the shortest period of EVENT
#   SAMPLER   words of a command: the sampler of the cases in which any sampler will do
# No check depends on the speed of the machine: times are compared with the guest's clock only.

module=$PWD/$BUILD/kmod/$release/kvm_ext_guest.ko
work=/run/guest-module
mkdir -p $work
EOPNOTSUPP=95 ERANGE=34
IDLE=1 RUNNING=2 FAILED=3 UNHEARD=4

# --- the scheduler -----------------------------------------------------------------------------------------------------

# real_time_keeps_cpu1: from now on a real-time task on CPU 1 leaves nothing to others. Linux 6.12 can warn of this write itself
# ("dl_rq->running_bw > dl_rq->this_bw"), if its server for fair tasks ran within the last second: one such warning, with the
# write in its trace, is taken out of the kernel's log.
real_time_keeps_cpu1() {
	local fair=/sys/kernel/debug/sched/fair_server/cpu1/runtime
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	[ -e $fair ] || return 0
	no_kernel_complaints
	echo 0 >$fair
	if dmesg | grep -q sched_fair_server_write && [ "$(dmesg | complaints | grep -c WARNING)" = 1 ]; then
		dmesg --read-clear >"$LAB_OUT/dmesg-fair-server"
	fi
}

# --- the daemon's end --------------------------------------------------------------------------------------------------

# These functions start no process, because starting one is slow under emulation.
exec {never}<> <(:)

# request WORD ARGUMENT…: sets ANSWER to the answer
request() {
	local id=${EPOCHREALTIME/./} verdict limit=$((SECONDS + 60 * PATIENCE))
	local answer=$PEER/answer.$id-$BASHPID
	printf '%s %s\n' "$id-$BASHPID" "$*" >>"$PEER/requests"
	until [ -e "$answer" ]; do
		[ $SECONDS -lt $limit ] || { echo "no answer to: $*" >&2; return 1; }
		read -rt 0.02 -u "$never" || :
	done
	{
		read -r verdict
		IFS= read -rd '' ANSWER || :
	} <"$answer"
	[ "$verdict" = ok ] || { echo "$verdict: $*: $ANSWER" >&2; return 1; }
}
ask() { request "$@" && printf '%s' "$ANSWER"; }

# look KEY [REQUEST]: sets VALUE to the value of KEY in the status, or in the answer to REQUEST
look() {
	local key rest
	request "${2:-status}" || return 1
	while read -r key rest; do
		if [ "$key" = "$1" ]; then
			VALUE=$rest
			return
		fi
	done <<<"$ANSWER"
	return 1
}
# snapshot: sets S to the whole status, for numbers that must be of the same moment
declare -A S
snapshot() {
	local key rest
	request status || return 1
	while read -r key rest; do
		[ -z "$key" ] || S[$key]=$rest
	done <<<"$ANSWER"
}
value() { look "$@" && printf '%s\n' "$VALUE"; }
is() { look "$1" "${3:-status}" && [ "$VALUE" -eq "$2" ]; }
above() { look "$1" "${3:-status}" && [ "$VALUE" -gt "$2" ]; }

# command KEY=VALUE…: returns when the guest has executed the command
command() {
	local seq
	request command "$@"
	read -r seq <<<"$ANSWER"
	wait_for 20 "command $seq ($*) is acknowledged" is acked "$seq"
}
# run KEY=VALUE…: as `command`; fails if the sampler does not run after it
run() {
	command "$@"
	is state $RUNNING || { echo "the sampler does not run: $*, error $(value error)"; return 1; }
}
# epochs N: waits until N further epochs have ended
epochs() { wait_for 60 "$1 epochs" above epochs $(($(value epochs) + $1)); }

# --- the guest ----------------------------------------------------------------------------------------------------------

load() { insmod "$module" "$@"; }
device() { grep -l 0x1110 /sys/bus/pci/devices/*/device | head -n 1 | xargs -r dirname; }
claimed() { [ -e "$(device)/driver" ]; }
agent() { pgrep -x kvm-ext-guest; }
# As in session_threads_are: a thread that has ended is in /proc a moment longer.
no_agent() { [ -z "$(agent)" ]; }
alive() { is channel 0 && is state "$1"; }

# workload NAME OPTION…: starts a workload; its files are $work/NAME.log, .pid, .ctl
workload() {
	local name=$1
	shift
	# An access marks a whole huge page, so memory beside the workload's buffer would be as hot as the buffer.
	echo never >/sys/kernel/mm/transparent_hugepage/enabled
	mkfifo $work/"$name".ctl
	"$BUILD"/workload/kx-workload --pattern hotcold --mem 64M --ws 48M --hot-bytes 4M --hot-share 0.95 "$@" \
		--log $work/"$name".log --control $work/"$name".ctl &
	echo $! >$work/"$name".pid
	# Held open, because the workload would otherwise read an end of file.
	exec {hold}>$work/"$name".ctl
	eval "ctl_$name=$hold"
	wait_for 30 "$name is ready" grep -q ^ready $work/"$name".log
}
pid() { cat $work/"$1".pid; }
control() { local fd=ctl_$1; echo "$2" >&"${!fd}"; }
at_rest() { tail -n 1 $work/"$1".log | grep -qE "^(idle|ready)"; }
rest() { control "$1" stop; wait_for 20 "$1 rests" at_rest "$1"; }

HOT_PAGES=1024
base_of() { echo $((0x$(sed -n '1s/.* base=\([0-9a-f]*\).*/\1/p' $work/"$1".log) >> 12)); }
finds_hot() {
	ask ranges "$(pid "$1")" >$work/ranges || return 1
	overlap "$(base_of "$1")" $HOT_PAGES <$work/ranges
}

# await_hot WORKLOAD: waits until the hot range is found; on a timeout prints what was found last
await_hot() {
	wait_for 60 "the hot range is at the top" finds_hot "$1" || {
		finds_hot "$1"
		head -n 5 $work/ranges
		return 1
	}
}

# settled: all samples of the watched processes are classified, if these processes run no longer. (Other processes are sampled, too.) At
# the end of an epoch the agent has processed all samples from before its beginning.
settled() {
	snapshot
	local before=${S[classified]}
	epochs 2
	snapshot
	[ "${S[classified]}" -eq "$before" ]
}

# share N: prints the CPU time of sampling over the next N epochs, in parts per million of the elapsed time
share() {
	local cost time
	snapshot
	cost=${S[cost_ns]} time=${S[time_ns]}
	epochs "$1"
	share_since "$cost" "$time"
}

share_since() {
	snapshot
	echo $(((S[cost_ns] - $1) * 1000 / ((S[time_ns] - $2) / 1000)))
}

# --- cases ----------------------------------------------------------------------------------------------------------------

leaves_others_alone() {
	local wrong
	for wrong in "magic 4711" "version 2" "size 4096"; do
		# shellcheck disable=SC2086 # two words
		ask identify $wrong
		load
		if claimed; then
			echo "claimed a device with another $wrong"
			return 1
		fi
		ask untouched
		rmmod kvm_ext_guest
	done
}

claims_ours() {
	ask new
	load
	wait_for 20 "the channel is alive" alive $IDLE
	same "$(uname -r)" "$(value release)" release
	same "$(nproc)" "$(value cpus)" CPUs
	same 0 "$(value samples)" samples
}

obeys_within_an_epoch() {
	local before
	run sampler=abit epoch_ns=5000000000 epoch=7 pid="$(pid plain)"
	before=$(value time_ns)
	run sampler=abit epoch_ns=5000000000 epoch=8 pid="$(pid plain)"
	same 8 "$(value epoch)" "the command's number"
	echo "started $(($(value start_ns) - before)) ns after the last status of the old command"
	[ $(($(value start_ns) - before)) -lt 5000000000 ]
}

refuses_nonsense() {
	command sampler=abit granularity=11
	same "$FAILED $ERANGE" "$(value state) $(value error)" "state and error"
	command sampler=abit epoch_ns=1
	same "$FAILED $ERANGE" "$(value state) $(value error)" "state and error"
	command sampler=events $EVENT period=1099511627777
	same "$FAILED $ERANGE" "$(value state) $(value error)" "state and error"
}

# accessed WORKLOAD FLAGS: guest-abit with FLAGS finds the hot range and counts its scans
accessed() {
	run sampler=abit pid="$(pid "$1")" flags="$2" epoch_ns=100000000 granularity=16 max_ranges=2000
	same 0 "$(value surrogate)" surrogate
	await_hot "$1"
	above scans 0
	above pages_scanned 0
	above scan_ns 0
	snapshot
	same "${S[samples]}" "${S[classified]}" "pages found and classified"
	if [ "$2" = 2 ]; then above flushes 0; above flush_ns 0; else same 0 "$(value flushes)" flushes; fi
}

# The daemon does not read: records without space in the ring are counted, and later records are complete.
counts_lost_records() {
	run sampler=events $EVENT period=$PERIOD pid="$(pid busy)" epoch_ns=10000000 flags=1 granularity=12 max_ranges=4096
	control busy go
	epochs 3
	ask hold on
	wait_for 90 "the channel's ring is full" above dropped_ring 10
	# Small records fill the rest of the ring, which is too small for large ones.
	epochs 100
	ask hold off
	rest busy
	wait_for 20 "all samples are classified" settled
	epochs 3
	ask sums
	echo "records lost: $(value dropped_ring)"
	[ "$(value gaps sums)" -gt 0 ]
	[ "$(value gaps sums)" -le "$(value dropped_ring)" ]
	same "0 0" "$(value bad sums) $(value resyncs sums)" "invalid records"
}

polls() {
	run sampler=events $EVENT policy=poll period=$PERIOD pid="$(pid busy)" epoch_ns=200000000
	control busy go
	share 5 >$work/share
	echo "polling costs $(cat $work/share) ppm of a CPU"
	[ "$(cat $work/share)" -gt 300000 ]
	above classified 0
	rest busy
}

# With the shortest period sampling costs more than the budget, if the machine is fast enough. The budget limits the average: what
# some epochs cost too much on a busy host is saved in others, so the average over a longer time is closer to the budget.
holds_the_budget() {
	local free held i cost time
	rest busy
	run sampler=events $EVENT policy=fixed period=$PERIOD pid="$(pid busy)" epoch_ns=200000000
	control busy go
	epochs 2
	free=$(share 10)
	run sampler=events $EVENT policy=budget period=$PERIOD pid="$(pid busy)" epoch_ns=200000000
	epochs 24
	snapshot
	cost=${S[cost_ns]} time=${S[time_ns]}
	for i in 1 2 3 4 5 6 7 8; do
		epochs 20
		held=$(share_since "$cost" "$time")
		echo "free $free ppm; with a budget of 30000 ppm: $held ppm over $((i * 20)) epochs, period $(value period)"
		if [ "$held" -ge 25000 ] && [ "$held" -le 35000 ]; then break; fi
		if [ "$held" -lt 25000 ] && [ "$(value period)" -eq $PERIOD ]; then
			echo "the shortest period costs no more than the budget here: the budget cannot be exceeded"
			break
		fi
		if [ "$(value period)" -gt 1000000 ]; then
			# If the report of an epoch alone costs more than the budget (on a busy machine), the period grows without end.
			echo "almost no samples are taken: the remaining cost does not depend on the period"
			break
		fi
		[ $i -lt 8 ] || return 1
	done
	rest busy
}

switches() {
	local instance sampler
	instance=$(value instance)
	for sampler in "events $EVENT" abit "events $EVENT policy=poll" "abit flags=2" \
		"events $EVENT policy=budget period=$((8 * PERIOD))"; do
		# shellcheck disable=SC2086 # words
		run sampler=$sampler epoch_ns=50000000 pid="$(pid plain)" pid="$(pid busy)"
		epochs 2
	done
	same "$instance" "$(value instance)" "the guest's instance"
	command sampler=none
	same "$IDLE 0 " "$(value state) $(value memory_bytes | awk '{ print ($1 > 4194304) }') $(value event)" "state, memory, event"
}

tells_work() {
	"$BUILD"/guest/work 4711 >$work/added &
	local pid=$!
	wait_for 10 "the writer has added" grep -q added $work/added
	wait_for 10 "the work arrives" is work 4711
	same 1 "$(value work_writers)" writers
	fails_with 1 rmmod kvm_ext_guest
	kill $pid
	wait_for 10 "the writer is gone" is work_writers 0
}

# While a CPU goes offline or comes online, cpu_online() and perf disagree for some time, and epochs end in this time, too.
cpus_come_and_go() {
	local i
	[ "$(nproc)" -gt 1 ] || { echo "one CPU"; return 1; }
	run sampler=events $EVENT period=$((8 * PERIOD)) pid="$(pid plain)" epoch_ns=10000000
	for ((i = 1; i <= 20; i++)); do
		echo 0 >/sys/devices/system/cpu/cpu1/online
		echo 1 >/sys/devices/system/cpu/cpu1/online
		is state $RUNNING || { echo "stopped after $i times: error $(value error)"; return 1; }
	done
	epochs 2
	same "$RUNNING $(nproc)" "$(value state) $(value cpus)" "state, CPUs"
}

survives_reloads() {
	local instance i
	run sampler=$SAMPLER pid="$(pid plain)" epoch_ns=100000000 epoch=99
	for i in 1 2 3 4 5; do
		instance=$(value instance)
		rmmod kvm_ext_guest
		wait_for 10 "no agent is left" no_agent
		load
		wait_for 20 "the channel works again" other_than "$instance"
		wait_for 20 "the sampler runs" alive $RUNNING
		same 99 "$(value epoch)" "the command's number"
	done
	rmmod kvm_ext_guest
	wait_for 30 "the daemon's end notices" is channel 2
	load
	wait_for 20 "the sampler runs" alive $RUNNING
	epochs 2
}
other_than() { [[ "$(value instance)" != @(0|"$1") ]]; }

survives_daemons() {
	local instance
	run sampler=events $EVENT period=$PERIOD pid="$(pid busy)" epoch_ns=100000000 epoch=5
	instance=$(value instance)
	ask new
	wait_for 20 "the guest starts again" other_than "$instance"
	wait_for 20 "the old command has stopped" alive $IDLE
	run sampler=$SAMPLER pid="$(pid plain)" epoch_ns=100000000 epoch=6
	epochs 2
	same 1 "$(value restarts sums)" "restarts seen"
	above ranges 1 sums
	same "0 0" "$(value bad sums) $(value resyncs sums)" "invalid records"
}

# The daemon's end is silent: the sampler stops, and the guest writes nothing to the channel. When the daemon's end is heard again, the last
# command is executed again.
stops_unheard() {
	local heard sum instance
	run sampler=$SAMPLER pid="$(pid plain)" epoch_ns=100000000 epoch=41
	epochs 2
	instance=$(value instance)
	ask deaf on
	heard=$(value time_ns raw)
	wait_for 90 "the guest stops sampling" is state $UNHEARD raw
	echo "the guest stopped $(($(value time_ns raw) - heard)) ns (by its clock) after it last heard the daemon's end"
	# 15 s is the host's patience in channel.h. It begins with the last heartbeat, which may be a second older than the status
	# above. The guest does not count time in which it got no CPU, which may be more than the rest.
	[ $(($(value time_ns raw) - heard)) -ge 14000000000 ]
	[ $(($(value time_ns raw) - heard)) -le $((15000000000 * PATIENCE)) ]
	sum=$(value sum raw)
	sleep 2
	same "$sum" "$(value sum raw)" "the channel's memory, two seconds later"
	ask deaf off
	wait_for 20 "the sampler runs" alive $RUNNING
	same 41 "$(value epoch)" "the command's number"
	wait_for 20 "the guest starts a new instance" other_than "$instance"
	epochs 2
	same "0 0" "$(value bad sums) $(value resyncs sums)" "invalid records"
}

survives_nonsense() {
	ask scribble 6
	ask new
	wait_for 20 "the channel is alive" alive $IDLE
	run sampler=$SAMPLER pid="$(pid plain)" epoch_ns=100000000
	epochs 2
	no_kernel_complaints
}

declares() {
	rmmod kvm_ext_guest
	load test_declare=5
	wait_for 20 "the channel is alive" alive $RUNNING
	same 5 "$(wc -l </sys/module/kvm_ext_guest/parameters/test_declared)" "pages of the parameter"
	same "$(sort /sys/module/kvm_ext_guest/parameters/test_declared)" "$(ask declared | sort)" "frames declared"
	rmmod kvm_ext_guest
	same "" "$(ask declared)" "frames declared without a module"
	load
	wait_for 20 "the channel is alive" alive $RUNNING
	same "" "$(ask declared)" "frames declared"
}

survives_removal() {
	local instance sampler
	for sampler in "events $EVENT policy=poll period=$PERIOD" abit; do
		# shellcheck disable=SC2086 # words
		run sampler=$sampler pid="$(pid plain)" pid="$(pid busy)" epoch_ns=50000000
		control busy go
		instance=$(value instance)
		echo 1 >"$(device)/remove"
		wait_for 10 "no agent is left" no_agent
		[ -z "$(device)" ]
		echo 1 >/sys/bus/pci/rescan
		wait_for 20 "the channel works again" other_than "$instance"
		wait_for 20 "the sampler runs" alive $RUNNING
		rest busy
	done
}

# Processes that are selected by name start and end, and two processes are killed while they are scanned.
follows_processes() {
	local i
	run sampler=$SAMPLER name=kx-workload name=sleep flags=2 epoch_ns=20000000 interval_ns=5000000
	epochs 2
	[ "$(value processes sums)" -ge 2 ]
	for i in $(seq 30); do
		sleep 100 &
		sleep 0.05
		kill -9 $!
	done
	kill -9 "$(pid busy)"
	epochs 3
	kill -9 "$(pid plain)"
	epochs 3
	same $RUNNING "$(value state)" state
}

unloads() {
	rmmod kvm_ext_guest
	wait_for 10 "no agent is left" no_agent
	[ ! -e /dev/kvm-ext-guest ]
	same 0 "$(grep -c kvm_ext_guest /proc/vmallocinfo || true)" "memory of the module"
}
