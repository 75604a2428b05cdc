#!/bin/sh
# Installs the Debian packages that Cordboard needs, and says which and why.
# Usage: scripts/install-packages.sh build|test
set -eu

build="build-essential:compiles_bundled_C cmake:compiles_libopus pkg-config:finds_C_libraries libpocketsphinx-dev:ears
libsphinxbase-dev:ears pocketsphinx-en-us:ears'_English_model flite1-dev:voice flite:voices_of_demo_callers
python3:brings_weights python3-pip:brings_weights"
test="sip-tester:SIPp,_a_SIP_peer baresip-core:a_SIP_phone libasound2-dev:sound_card_of_the_feature_device
espeak-ng:phonemes_of_Piper_voices chromium:a_browser coturn:a_TURN_server"

wanted=$build
[ "${1:-build}" = test ] && wanted="$build $test"

# Node may be here from elsewhere, and then Debian's would not go beside it.
command -v npm >/dev/null || wanted="$wanted nodejs:builds_the_web_pages npm:builds_the_web_pages"

missing=""
for entry in $wanted; do
    package=${entry%%:*}
    if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed"; then
        echo "needs the Debian package $package ($(echo "${entry#*:}" | tr _ ' '))"
        missing="$missing $package"
    fi
done
[ -z "$missing" ] && exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "error: install these as root, then run make again:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing
