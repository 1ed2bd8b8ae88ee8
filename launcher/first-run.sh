# Read by bin/crosscheck when there is no program yet: answers the host in its place, and steps aside for the program in
# the same session once it is there.
#
# Hosts hide what a server prints that fails, so this answers them: one tool `status`, which says what is going on.

# Makes $1 the content of a JSON string.
json() {
    printf '%s' "$1" | tr -d '\000-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'
}

# Prints the id of the request $1: the one that stands before anything nested, or the one at the very end. Messages
# without one are notifications.
id_of() {
    printf '%s\n' "$1" | sed -n \
        -e 's/^{[^{}]*"id": *\([0-9][0-9]*\)[ ,}].*/\1/p' -e t \
        -e 's/^{[^{}]*"id": *\("[^"\\]*"\)[ ,}].*/\1/p' -e t \
        -e 's/.*, *"id": *\([0-9][0-9]*\) *}$/\1/p' -e t \
        -e 's/.*, *"id": *\("[^"\\]*"\) *}$/\1/p'
}

# Sets what the host was to be served: `peer` and its `title`, from the launcher's arguments.
serve_whom() {
    peer=codex
    title=Codex
    case " $* " in *" --peer claude "* | *" --peer=claude "*)
        peer=claude
        title=Claude
        ;;
    esac
}

changed='{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'

# Says what the installation does just now; $1 when there is none.
progress() {
    if [ -n "$data" ] && [ -L "$data/install/lock" ]; then
        step=$(cat "$data/install/step" 2>/dev/null)
        last=$(tail -n 1 "$data/install/log" 2>/dev/null | cut -c 1-200)
        printf 'the program is being installed (%s%s); this takes a few minutes, once, and the tools appear by themselves' \
            "${step:-it begins}" "${last:+; last line of the log: $last}"
    elif [ -n "$data" ] && [ -s "$data/install/failed" ]; then
        cat "$data/install/failed"
    else
        printf '%s' "$1"
    fi
}

# Tells the host once that there are other tools, as soon as there are. A host that went away is not waited for.
announce() {
    while ! find_program; do
        sleep 1 >/dev/null
        kill -0 "$$" 2>/dev/null || exit 0
    done
    printf '%s\n' "$changed"
}

# Stops that. Nothing of it is written afterwards: two writers would mix their lines.
stop_announcing() {
    [ -n "$announcer" ] || return
    kill "$announcer" 2>/dev/null
    wait "$announcer" 2>/dev/null
    announcer=
}

# Becomes the program, which goes on with the session: it reads the lines from a file and then from the host. Returns only
# when that file cannot be made.
hand_over() {
    umask 077
    handed=$(mktemp "${TMPDIR:-/tmp}/crosscheck.XXXXXX") || return
    {
        printf '%s\n' "$opening"
        [ -n "$initialized" ] && printf '%s\n' '{"jsonrpc":"2.0","method":"notifications/initialized"}'
        printf '%s\n' "$line"
    } >"$handed" || return
    stop_announcing
    case $line in
        *'"tools/list"'*) ;;
        *) [ -n "$initialized" ] && printf '%s\n' "$changed" ;;
    esac
    CROSSCHECK_HANDED_OVER=$handed
    export CROSSCHECK_HANDED_OVER
    become "$found" serve --peer "$peer"
}

# Answers the host until it goes or the program is there. $1 says what to do when nothing installs it.
answer_host() {
    advice=$1
    opening=
    initialized=
    announcer=
    while IFS= read -r line; do
        [ -n "$opening" ] && [ -z "${CROSSCHECK_BIN-}" ] && find_program && hand_over
        case $line in
            *'"notifications/initialized"'*)
                [ -n "$opening" ] && initialized=yes
                if [ -z "$announcer" ] && [ -z "${CROSSCHECK_BIN-}" ]; then
                    announce &
                    announcer=$!
                fi
                ;;
        esac
        id=$(id_of "$line")
        [ -n "$id" ] || continue
        case $line in
            *'"method":"initialize"'* | *'"method": "initialize"'*)
                opening=$line
                what=$(json "$(progress "$advice")")
                asked=$(printf '%s' "$line" | sed -n 's/.*"protocolVersion": *"\([0-9-]*\)".*/\1/p')
                result='{"protocolVersion":"'${asked:-2025-06-18}'","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"'$peer'","version":"0"},"instructions":"'$title' is not ready: '$what'. Tell the person; do not do it yourself."}'
                ;;
            *'"method":"ping"'* | *'"method": "ping"'*) result='{}' ;;
            *'"method":"tools/list"'* | *'"method": "tools/list"'*)
                result='{"tools":[{"name":"status","title":"'$title' status","description":"Tells what is missing before '$title' can be used. Free: it changes nothing.","inputSchema":{"type":"object","properties":{}},"annotations":{"title":"'$title' status","readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false},"_meta":{"anthropic/alwaysLoad":true}}]}'
                ;;
            *'"method":"tools/call"'* | *'"method": "tools/call"'*)
                what=$(json "$(progress "$advice")")
                result='{"content":[{"type":"text","text":"Not ready: '$what'."}],"structuredContent":{"ok":true,"tool":"status","summary":"Not ready: '$what'.","ready":false,"blocked_by":["program"],"next_steps":["'$what'"],"warnings":[],"meta":{}}}'
                ;;
            *)
                printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"the program is not there yet"}}\n' "$id"
                continue
                ;;
        esac
        printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
    done
    stop_announcing
}
