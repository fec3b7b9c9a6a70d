# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A headless Chromium, driven by its debugging protocol over two pipes: messages are JSON, each ended by a zero byte. What comes goes
# through a file, a message a line: bash reads a pipe byte by byte, and a screenshot has millions.

# browser_start: sets browser_pid; commands go to descriptor 3, messages come from descriptor 4.
browser_start() {
	browser_dir=$(mktemp -d)
	mkfifo "$browser_dir/to" "$browser_dir/from"
	: >"$browser_dir/messages"
	# Without a sandbox: root has none, and the page is ours. Without the services that a browser starts for its user.
	chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-extensions \
		--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage \
		--user-data-dir="$browser_dir/profile" --remote-debugging-pipe about:blank \
		3<"$browser_dir/to" 4>"$browser_dir/from" >"$browser_dir/log" 2>&1 &
	browser_pid=$!
	stdbuf -o0 tr '\0' '\n' <"$browser_dir/from" >"$browser_dir/messages" &
	exec 3>"$browser_dir/to" 4<"$browser_dir/messages"
	message=0 session=
	events=$browser_dir/events
	: >"$events"
}

browser_stop() {
	[ -n "${browser_pid-}" ] || return 0
	exec 3>&- 4<&-
	kill "$browser_pid" 2>/dev/null
	wait "$browser_pid" 2>/dev/null
	rm -rf "$browser_dir"
	browser_pid=
}

# take SECONDS: the next message, into $taken; events are kept as well
take() {
	local part until=$((SECONDS + $1))
	taken=
	until IFS= read -r -u 4 part; do
		taken+=$part # the rest of the line is yet to come
		[ $SECONDS -le $until ] || return 1
		sleep 0.01
	done
	taken+=$part
	[[ $taken != '{"id":'* ]] || return 0
	printf '%s\n' "$taken" >>"$events"
}

# call METHOD [PARAMETERS]: its result, into $result
call() {
	message=$((message + 1))
	printf '{"id":%d,"method":"%s","params":%s%s}\0' $message "$1" "${2:-{\}}" "${session:+,\"sessionId\":\"$session\"}" >&3
	while take 60; do
		[[ $taken == "{\"id\":$message,"* ]] || continue
		if [[ $taken == *'"error":'* ]] && ! jq -e 'has("result")' <<<"$taken" >/dev/null; then
			printf '%s: %s\n' "$1" "$taken" >&2
			return 1
		fi
		result=$taken
		return 0
	done
	echo "$1: no answer" >&2
	return 1
}

# await_event METHOD
await_event() {
	until grep -qF "\"method\":\"$1\"" "$events"; do
		take 60 || { echo "no event $1" >&2 && return 1; }
	done
}

# open_page FILE: in a tab of its own
open_page() {
	local target
	session=
	call Target.createTarget '{"url":"about:blank"}' || return 1
	target=$(jq -r .result.targetId <<<"$result")
	call Target.attachToTarget "{\"targetId\":\"$target\",\"flatten\":true}" || return 1
	session=$(jq -r .result.sessionId <<<"$result")
	for domain in Page Runtime Log Network; do call $domain.enable || return 1; done
	load_page "$1"
}

# load_page FILE: in the tab that is open
load_page() {
	: >"$events"
	call Page.navigate "{\"url\":\"file://$(realpath "$1")\"}" && await_event Page.loadEventFired
}

# evaluate EXPRESSION: its value as JSON, on standard output
evaluate() {
	call Runtime.evaluate "$(jq -nc --arg e "$1" '{expression: $e, returnByValue: true}')" || return 1
	if jq -e '.result.exceptionDetails' <<<"$result" >/dev/null; then
		jq -c '.result.exceptionDetails' <<<"$result" >&2
		return 1
	fi
	jq .result.result.value <<<"$result"
}

# look WIDTH light|dark: how the page is shown
look() {
	call Emulation.setDeviceMetricsOverride "{\"width\":$1,\"height\":900,\"deviceScaleFactor\":1,\"mobile\":false}" &&
		call Emulation.setEmulatedMedia "{\"features\":[{\"name\":\"prefers-color-scheme\",\"value\":\"$2\"}]}"
}

# shoot FILE [X Y WIDTH HEIGHT]: the whole page, or a part of it, as PNG
shoot() {
	local clip=
	[ $# -eq 1 ] || clip=",\"clip\":{\"x\":$2,\"y\":$3,\"width\":$4,\"height\":$5,\"scale\":1}"
	call Page.captureScreenshot "{\"format\":\"png\",\"captureBeyondViewport\":true$clip}" || return 1
	jq -r .result.data <<<"$result" | base64 -d >"$1"
}

# shoot_element FILE SELECTOR [HEIGHT]: an element of the page, at most so high
shoot_element() {
	local box
	box=$(evaluate "(() => { const r = document.querySelector('$2').getBoundingClientRect();
		return [r.x + scrollX, r.y + scrollY, r.width, Math.min(r.height, ${3:-1e6})] })()") || return 1
	# shellcheck disable=SC2046 # four numbers
	shoot "$1" $(jq -r '.[]' <<<"$box")
}
