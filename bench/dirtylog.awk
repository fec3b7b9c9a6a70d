# SPDX-License-Identifier: GPL-2.0-or-later
# The table of bench/dirtylog from lines of `SOURCE PHASE NANOSECONDS PAGES DIRTY_PAGES`: medians, ns per page of the VM and
# per page that was written, ours beside theirs.

function median(key,    n, i, j, v, t) {
	n = split(values[key], v, " ")
	for (i = 2; i <= n; i++) {
		t = v[i]
		for (j = i - 1; j > 0 && v[j] > t; j--)
			v[j + 1] = v[j]
		v[j + 1] = t
	}
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

function least(key,    n, i, v, m) {
	n = split(values[key], v, " ")
	m = v[1]
	for (i = 2; i <= n; i++)
		if (v[i] + 0 < m + 0)
			m = v[i]
	return m
}

function has(source, phase) { return (source, phase) in count }

# ns per page of the VM or per dirty page, or why there is no number
function figure(source, phase, per) {
	return has(source, phase) ? sprintf("%.1f", median(source SUBSEP phase SUBSEP per)) : "n/a"
}

# the least of all rounds, per page of the VM
function best(source, phase) {
	return has(source, phase) ? sprintf("%.1f", least(source SUBSEP phase SUBSEP "page")) : "n/a"
}

function rounds(source, phase) { return has(source, phase) ? count[source, phase] : 0 }

function ratio(ours, theirs, phase) {
	if (!has(ours, phase) || !has(theirs, phase))
		return "n/a"
	return sprintf("%.2f", median(ours SUBSEP phase SUBSEP "page") / median(theirs SUBSEP phase SUBSEP "page"))
}

function row(ours, theirs, phase, dirty) {
	printf "  %-8s %12s %12s %12s %12s %12s %12s %8s %9s\n", phase, figure(ours, phase, "page"), best(ours, phase), \
		dirty ? figure(ours, phase, "dirty") : "-", figure(theirs, phase, "page"), best(theirs, phase), \
		dirty ? figure(theirs, phase, "dirty") : "-", ratio(ours, theirs, phase), \
		rounds(ours, phase) "/" rounds(theirs, phase)
}

function table(title, ours, theirs, name) {
	if (!has(ours, "enable") && !has(theirs, "enable"))
		return
	print title
	printf "  %-8s %12s %12s %12s %12s %12s %12s %8s %9s\n", "phase", "ours/page", "least", "ours/dirty", name "/page", \
		"least", name "/dirty", "ratio", "rounds"
	row(ours, theirs, "enable", 0)
	if (has(ours, "arm") || has(theirs, "arm"))
		row(ours, theirs, "arm", 0)
	row(ours, theirs, "harvest", 1)
	if (has(ours, "clear") || has(theirs, "clear"))
		row(ours, theirs, "clear", 1)
	row(ours, theirs, "disable", 0)
	row(ours, theirs, "pass", 1)
}

NF == 5 {
	count[$1, $2]++
	values[$1, $2, "page"] = values[$1, $2, "page"] " " $3 / $4
	if ($5 > 0)
		values[$1, $2, "dirty"] = values[$1, $2, "dirty"] " " $3 / $5
}

END {
	print "ns, medians, the least beside them; ratio: of medians, ours to theirs, per page; rounds: ours/theirs. enable, disable: KVM_SET_USER_MEMORY_REGION; arm: the first"
	print "KVM_CLEAR_DIRTY_LOG of a log that starts all set; harvest: KVM_GET_DIRTY_LOG (a plain log is cleared by it);"
	print "clear: KVM_CLEAR_DIRTY_LOG; pass: all that the module does for one, to the records in its ring."
	vm = mib " MiB, one page in four written"
	table("KVM's dirty_log_perf_test, 4K pages, plain log, " vm, "ours-plain-4K", "selftest-plain-4K", "test")
	table("KVM's dirty_log_perf_test, 2M pages, plain log, " vm, "ours-plain-2M", "selftest-plain-2M", "test")
	table("KVM's dirty_log_perf_test, 4K pages, log initially all set, " vm, "ours-all-set-4K", "selftest-all-set-4K", "test")
	table("KVM's dirty_log_perf_test, 2M pages, log initially all set, " vm, "ours-all-set-2M", "selftest-all-set-2M", "test")
	table("QEMU's calc-dirty-rate (dirty-bitmap), one QEMU VM, windows of 1 s", "ours-qemu", "qemu", "QEMU")
	print "n/a: the other has no such phase (calc-dirty-rate clears nothing that it has read), or see below"
	printf "headline: dirty-log to dirty_log_perf_test (4K, all set): enable %s, harvest %s, clear %s, disable %s; ", \
		ratio("ours-all-set-4K", "selftest-all-set-4K", "enable"), ratio("ours-all-set-4K", "selftest-all-set-4K", "harvest"), \
		ratio("ours-all-set-4K", "selftest-all-set-4K", "clear"), ratio("ours-all-set-4K", "selftest-all-set-4K", "disable")
	printf "to QEMU's calc-dirty-rate: enable %s, arm %s, harvest %s, disable %s\n", ratio("ours-qemu", "qemu", "enable"), \
		ratio("ours-qemu", "qemu", "arm"), ratio("ours-qemu", "qemu", "harvest"), ratio("ours-qemu", "qemu", "disable")
}
