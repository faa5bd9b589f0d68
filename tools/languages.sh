#!/bin/sh
# See to it that the programs of docs/languages.md can run: what is missing comes from apt, where there is one.
# What cannot be had is no failure: the tests say which language they leave out.
set -u
. "$(dirname "$0")/apt.sh"

missing() {
    command -v curl >/dev/null || echo curl
    command -v g++ >/dev/null || echo g++
    echo '#include <curl/curl.h>' | g++ -E -x c++ - >/dev/null 2>&1 || echo libcurl4-openssl-dev
    lua5.4 -e 'require "socket.http"; require "cjson"' >/dev/null 2>&1 || echo lua5.4 lua-socket lua-cjson
    Rscript -e 'library(curl); library(jsonlite)' >/dev/null 2>&1 || echo r-base-core r-cran-curl r-cran-jsonlite
}

packages=$(missing)
[ -n "$packages" ] || exit 0
command -v apt-get >/dev/null || exit 0
echo "For the programs of docs/languages.md apt is asked for:" $packages >&2
apt_update >&2 || exit 0
for package in $packages; do # one by one, so that one that there is not keeps none of the others away
    apt_install "$package" || echo "$package cannot be had" >&2
done
exit 0
