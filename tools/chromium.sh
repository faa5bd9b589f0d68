#!/bin/sh
# See to it that the tests find a Chromium: the machine's, or Playwright's, or one that is installed now.
# usage: tools/chromium.sh <the bin folder of the environment that has Playwright>
set -u
bin=$1
. "$(dirname "$0")/apt.sh"

on_path() {
    for name in chromium chromium-browser google-chrome; do
        # Ubuntu's chromium-browser may be a mere notice that there is a snap: only one that answers counts.
        command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1 && return 0
    done
    return 1
}

# Asked to start, for one whose system libraries are missing is of no use.
of_playwright() {
    browser=$("$bin/python" - <<'ASK'
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
ASK
    ) && [ -x "$browser" ] && "$browser" --version >/dev/null 2>&1
}

from_apt() {
    command -v apt-get >/dev/null || return 1
    apt_update && apt_install chromium
}

on_path || of_playwright && exit 0
echo "There is no Chromium yet: asking Playwright for it, then apt." >&2
"$bin/playwright" install chromium >&2 && of_playwright && exit 0
from_apt >&2 && on_path && exit 0
echo "The tests need a browser, and neither Playwright nor apt could bring it: install Chromium so that" \
    "\`chromium\` is on the PATH, then run this again." >&2
exit 1
