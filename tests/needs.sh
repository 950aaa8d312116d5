# Sourced by ./test and .ci/run: where build products go, and the programs that the tests need beside Rust, a C compiler
# and git. What is missing is installed with apt, and said; nothing else is touched, and root is needed only for that.

RAROG_CACHE="${RAROG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rarog}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$RAROG_CACHE/target}"
# Debian keeps brokers where only root's PATH looks.
export PATH="$PATH:/usr/sbin:/sbin"

# mosquitto is the broker of the MQTT tests; cmake and make build the C client that judges ours there.
install_what_is_missing() {
    local missing=() program
    for program in mosquitto cmake make; do
        command -v "$program" > /dev/null || missing+=("$program")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    local command="apt-get install -y --no-install-recommends ${missing[*]}"
    if ! command -v apt-get > /dev/null || { [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; }; then
        echo "The tests need ${missing[*]}. Please install: $command" >&2
        exit 2
    fi
    echo "The tests need ${missing[*]}; installing with apt: $command" >&2
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -qq
    # shellcheck disable=SC2086 # words, on purpose
    "${as_root[@]}" $command
}
