#!/bin/sh
# Runs each fuzz target for FUZZ_SECONDS (60), on the stable compiler; stops at the first that finds
# something, which is then in fuzz/artifacts. FUZZ_TARGETS names some alone: "sdp rtp".
set -eu
cd "$(dirname "$0")/../fuzz"
targets=${FUZZ_TARGETS:-$(ls targets | sed 's/\.rs$//')}
seconds=${FUZZ_SECONDS:-60}
bins=
for target in $targets; do bins="$bins --bin fuzz_$target"; done
# shellcheck disable=SC2086
RUSTC_WRAPPER="$PWD/instrument.sh" "${CARGO:-cargo}" build $bins
shared=${CORDBOARD_SHARED:-../../shared}/data/sip
for target in $targets; do
    case $target in
    sip_message) seeds="sip-torture/rfc4475 sip-torture/rfc5118 sip-torture/nist-jsip" ;;
    sdp | negotiation) seeds="sdp/rfc3264 sdp/rfc4317 sdp/sdp-transform sdp-bombs" ;;
    rtp | door) seeds="media-attacks" ;;
    wav) seeds="dtmf/inband" ;;
    *) seeds= ;;
    esac
    mkdir -p "corpus/$target" artifacts
    folders="corpus/$target"
    for seed in $seeds; do [ -d "$shared/$seed" ] && folders="$folders $shared/$seed"; done
    [ "$target" != flow ] || folders="$folders ../flows"
    echo "fuzz $target: $seconds s"
    log="artifacts/$target.log"
    # shellcheck disable=SC2086
    if ! "target/debug/fuzz_$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 \
        -max_len=8192 -print_final_stats=1 -artifact_prefix="artifacts/$target-" $folders \
        >"$log" 2>&1; then
        tail -40 "$log"
        exit 1
    fi
    grep -E "^stat::(number_of_executed|peak_rss)|^Done" "$log"
done
