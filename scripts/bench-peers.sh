#!/usr/bin/env bash
# The side-by-side bench of voice agents, where it is beside the project: pipecat, LiveKit and
# examples/bench_agent, one after the other on the same machine in one run, AT_ONCE calls at a time.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
shared=${CORDBOARD_SHARED:-$root/../shared}
calls=${AT_ONCE:-5}
if [ ! -d "$shared/bench" ]; then
    echo "skipped: no $shared/bench; set CORDBOARD_SHARED to the folder that has it" >&2
    exit 0
fi
bench=$root/target/bench
if [ ! -e "$bench/ready" ]; then
    mkdir -p "$bench"
    cp -r "$shared/bench/." "$bench"
    (cd "$bench" && ./setup.sh)
    touch "$bench/ready"
fi
cd "$bench"
rm -f results.jsonl
ours() { echo "/bin/sh -c 'cd $root && exec target/release/examples/bench_agent --calls {calls} --secs {secs} $1'"; }
pipecat="./venv-pipecat/bin/python pipecat_server.py --secs {secs} --calls {calls} --mode agent"
livekit="./venv-livekit/bin/python livekit_server.py --secs {secs} --calls {calls}"
run() { python3 bench.py --name "$1" --server "$2" --calls "$calls" --secs 30 --mode agent; }
run pipecat-default "$pipecat"
run cordboard "$(ours "")"
run livekit-default "$livekit"
run livekit-tuned "$livekit --tuned 1"
run cordboard-cut "$(ours --cut)"
run cordboard-own-judge "$(ours --no-turn-judge)"
python3 show_results.py < results.jsonl
