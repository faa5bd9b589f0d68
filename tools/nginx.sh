#!/bin/sh
# See to it that the tests of proxies find an nginx: the machine's, or one that is unpacked into a folder and never
# installed, for Debian's package would start a server. Where there is none to be had, those tests say so.
# usage: tools/nginx.sh <folder>
set -u
folder=$1
. "$(dirname "$0")/apt.sh"

command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || [ -x "$folder/usr/sbin/nginx" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 0
echo "There is no nginx yet: apt is asked for its package." >&2
mkdir -p "$folder" && cd "$folder" || exit 0
apt-get download -qq nginx >&2 || { apt_update >&2 && apt-get download -qq nginx >&2; } || exit 0
dpkg-deb -x nginx_*.deb . && rm nginx_*.deb
"./usr/sbin/nginx" -v >&2 || rm -rf usr # a library of it is missing
exit 0
