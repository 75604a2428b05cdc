#!/bin/sh
# RUSTC_WRAPPER of `make fuzz`: coverage for our own crates alone, on the stable compiler.
rustc=$1
shift
case " $* " in
*" --crate-name cordboard"* | *" --crate-name fuzz_"*)
    exec "$rustc" "$@" -Ccodegen-units=1 -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$rustc" "$@"
