# shellcheck shell=bash disable=SC2034 # names set here are read by the scripts that source this
# What the scripts share: where things are, how they speak, how cargo is run without several hundred lines.
# Sourced, never run. Works with bash 3.2, which macOS still has.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Everything that is built or downloaded lands here, outside the checkout: deleting the folder starts afresh.
VOLLEY_CACHE=${VOLLEY_CACHE:-$HOME/.cache/volley}
export ROOT VOLLEY_CACHE

# Five target folders, because features unify differently (a shared folder would rebuild on every change of command): the
# workspace with all its tests, the released tools alone, the guests, the bench of the peers, and the engine's peers (Flink's
# jars included).
TARGET_TEST=$VOLLEY_CACHE/target
TARGET_DEMO=$VOLLEY_CACHE/demo
TARGET_GUEST=$VOLLEY_CACHE/guest
TARGET_PEERS=$VOLLEY_CACHE/peers
TARGET_ENGINE_PEERS=$VOLLEY_CACHE/engine-peers

# What the workspace is tested with: one set, so that RocksDB is built once. The SDK's optional part, state on disk, checkpoints
# in object stores, requests of plugins.
TEST_FEATURES=volley-sdk/arrow,volley-host/rocksdb,volley-host/s3,volley-host/http,volley-bench-engine/rocksdb

GUEST_TARGET=wasm32-unknown-unknown
# Where Debian's rustc-web puts its compiler, which is newer than Debian's usual one.
DEBIAN_RUSTC=/usr/bin/rustc

# The example operators as components, beside the sources they were built from.
PLUGINS_OUT=$ROOT/build/plugins
# Operators of tests that hold state themselves.
KEEPERS_OUT=$ROOT/build/keepers
# The same for operators in other languages, which only tests use.
GUESTS_OUT=$ROOT/build/guests

# How often a long build says that it is still alive, when nobody watches a terminal.
TICK_S=30

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# 75 -> "1 min 15 s"
spell_seconds() {
    if [ "$1" -lt 60 ]; then printf '%d s' "$1"; else printf '%d min %02d s' "$(($1 / 60))" "$(($1 % 60))"; fi
}

# bounded SECONDS COMMAND...: the command, killed when it takes longer, where the machine has `timeout`.
bounded() {
    local limit_s=$1
    shift
    if have timeout; then timeout "$limit_s" "$@"; else "$@"; fi
}

# version_at_least SEEN WANTED: both as 1.95 or 1.95.0.
version_at_least() {
    local seen_major seen_minor wanted_major wanted_minor rest
    IFS=. read -r seen_major seen_minor rest <<<"$1"
    IFS=. read -r wanted_major wanted_minor rest <<<"$2"
    [ "$seen_major" -gt "$wanted_major" ] || { [ "$seen_major" -eq "$wanted_major" ] && [ "$seen_minor" -ge "$wanted_minor" ]; }
}

# rust_of RUSTC: its version, 1.95.0; nothing when it does not run.
rust_of() { "$1" --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'; }

has_rustup_target() {
    local sysroot
    # rustup is not asked: a Rust from elsewhere may well bring the target.
    sysroot=$(rustc --print sysroot 2>/dev/null) && [ -d "$sysroot/lib/rustlib/$GUEST_TARGET/lib" ]
}

# The Rust that benches/peers asks for: its package's, which stands below its workspace's.
peers_rust() { sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT/benches/peers/Cargo.toml" | tail -n 1; }

# The compiler of this machine that is new enough for benches/peers; fails when there is none.
peers_rustc() {
    local rustc seen
    for rustc in rustc "$DEBIAN_RUSTC"; do
        seen=$(rust_of "$rustc") || true
        if version_at_least "${seen:-0.0}" "$(peers_rust)"; then
            printf '%s\n' "$rustc"
            return 0
        fi
    done
    return 1
}

# cargo_quietly ARGS...: runs cargo and turns its "Compiling x" lines into one moving line (a line now and then where
# there is no terminal). Warnings and errors pass through; cargo's exit status is kept.
cargo_quietly() {
    cargo "$@" 2>&1 >&3 | show_progress
} 3>&1

show_progress() {
    local line part="" crates=0 begin=$SECONDS told=$SECONDS asked
    while true; do
        asked=$SECONDS
        if IFS= read -r -t 2 line; then
            line=$part$line
            part=""
            case $line in
                *" Compiling "* | *" Checking "*) crates=$((crates + 1)) ;;
                *" Downloading "* | *" Downloaded "* | *" Updating "* | *" Locking "* | *" Adding "*) ;;
                *" Finished "* | *" Blocking "* | *" Executable "*) ;;
                *) progress_line "" && printf '%s\n' "$line" >&2 ;;
            esac
        else
            part=$part$line # A time-out may strike in the middle of a line.
            # The pipe is closed: a time-out would have taken its two seconds.
            if [ $((SECONDS - asked)) -lt 1 ]; then break; fi
        fi
        if [ -t 2 ]; then
            progress_line "      $crates crates, $(spell_seconds $((SECONDS - begin)))"
        elif [ $((SECONDS - told)) -ge "$TICK_S" ]; then
            told=$SECONDS
            say "      … $crates crates compiled, $(spell_seconds $((SECONDS - begin)))"
        fi
    done
    progress_line ""
    if [ -n "$part" ]; then say "$part"; fi
}

# Replaces the terminal's current line; nothing where there is no terminal.
progress_line() {
    if [ -t 2 ]; then printf '\r\033[K%s' "$1" >&2; fi
}

# build_plugins VOLLEY: every operator of plugins/ as a component in PLUGINS_OUT.
build_plugins() {
    CARGO_TARGET_DIR=$TARGET_GUEST "$1" plugin build "$ROOT/plugins" --locked --out "$PLUGINS_OUT/"
}

# build_keepers VOLLEY: the tests' operators that hold state themselves as components in KEEPERS_OUT.
build_keepers() {
    CARGO_TARGET_DIR=$TARGET_GUEST "$1" plugin build "$ROOT/tests/guests/rust" --locked --out "$KEEPERS_OUT/"
}
