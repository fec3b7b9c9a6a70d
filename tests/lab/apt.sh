# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Fetches Debian packages into the cache with a private apt configuration, which
# shares only the mirror with the machine's apt. Read after lib.sh.

# Age up to which a suite's package lists are not read again.
MAX_AGE_MIN=$((24 * 60))

# suite -> repositories ("archive" or "security", then the suite there)
declare -A SUITE_REPOS=(
	[bookworm]='archive bookworm security bookworm-security'
	[backports]='archive bookworm-backports'
	[trixie-backports]='archive trixie-backports'
	[rt]='archive trixie-backports'
	[cloud]='archive bookworm security bookworm-security'
	[bochs]='archive trixie'
	[qemu-7.2]='archive bookworm security bookworm-security'
	[qemu-10.0]='archive trixie security trixie-security'
)
# suites whose sources are needed, too
SUITES_WITH_SOURCE=' bochs qemu-7.2 qemu-10.0 '

check_suite() {
	[[ -n ${SUITE_REPOS[$1]:-} ]] ||
		die "unknown suite '$1' (known: ${!SUITE_REPOS[*]})"
}

# mirror archive|security: prints the URI from which this machine itself gets Debian
mirror() {
	local uri codename origin
	while IFS=$'\t' read -r uri codename origin; do
		[[ $origin == Debian ]] || continue
		case $1:$codename in
		security:*-security) ;;
		archive:*-security) continue ;;
		archive:*) ;;
		*) continue ;;
		esac
		printf '%s\n' "$uri"
		return
	done < <(apt-get indextargets \
		--format $'$(REPO_URI)\t$(CODENAME)\t$(ORIGIN)' \
		'Identifier: Packages')
	say "no Debian $1 repository in this machine's apt sources: add one, run 'apt-get update', try again"
	return 1
}

# private_apt SUITE TOOL ARGS...
private_apt() {
	local suite=$1 tool=$2
	shift 2
	"$tool" -c "$CACHE/apt/$suite/apt.conf" "$@"
}

write_apt_config() {
	local suite=$1 dir=$CACHE/apt/$1 repos kind codename uri
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/etc"
	: >"$dir/status"
	read -ra repos <<<"${SUITE_REPOS[$suite]}"
	: >"$dir/sources.list"
	while ((${#repos[@]})); do
		kind=${repos[0]} codename=${repos[1]}
		repos=("${repos[@]:2}")
		if ! uri=$(mirror "$kind"); then
			# The kernel of the release itself is good enough.
			[[ $kind == security ]] || return 1
			continue
		fi
		printf 'deb [arch=amd64] %s %s main\n' "$uri" "$codename" \
			>>"$dir/sources.list"
		[[ $SUITES_WITH_SOURCE != *" $suite "* ]] ||
			printf 'deb-src %s %s main\n' "$uri" "$codename" \
				>>"$dir/sources.list"
	done
	# Settings such as proxies still come from the system's apt.conf. Its hooks are
	# cleared, because they would clean up the system's cache.
	cat >"$dir/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$dir";
Dir::State::Lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
APT::Sandbox::User "root";
APT::Architecture "amd64";
APT::Get::List-Cleanup "true";
Acquire::Languages "none";
Acquire::Retries "3";
END
}

lists_fresh() {
	[[ -n $(find "$CACHE/apt/$1/stamp" -mmin -$MAX_AGE_MIN 2>/dev/null) ]]
}

update_lists() {
	lists_fresh "$1" && return
	say "$1: reading package lists"
	write_apt_config "$1" || return 1
	private_apt "$1" apt-get -q -q update >&2 -o APT::Update::Error-Mode=any ||
		return 1
	touch "$CACHE/apt/$1/stamp"
}
