#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh: Slack's own SDKs against the stand-in.
# Owns finding a Node that is new enough and installing the packages named in package-lock.json. Never installs
# anything outside this folder. APP_URL (with SIGNING_SECRET_FILE) also points the signature tests at a real app.
# "typecheck FILE" (JSON lines, see typecheck.mjs) checks blocks and views against Slack's types, "mrkdwn FILE" what a
# parser sees in their texts.
# Needs npm and, the first time, a package registry or its mirror as npm is configured.
set -eu
cd "$(dirname "$0")"

NODE_MAJOR_MIN=20
# The npm package that brings Node itself, for Debian 12 whose own is version 18.
NODE_PACKAGE=node@22.23.3

new_enough() {
    major=$("$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null) && [ "$major" -ge "$NODE_MAJOR_MIN" ]
}

local_node=$PWD/.node/node_modules/node/bin
if new_enough node; then
    :
else
    if ! new_enough "$local_node/node"; then
        mkdir -p .node
        npm install --prefix .node --no-save --no-package-lock --no-audit --no-fund --loglevel=error "$NODE_PACKAGE"
    fi
    new_enough "$local_node/node" || { echo "run.sh: no Node $NODE_MAJOR_MIN or newer" >&2; exit 1; }
    PATH=$local_node:$PATH
    export PATH
fi

# Two test programs may come here at once.
exec 9>.lock
flock 9

# Installed again only when the lock file says something else than what is there.
stamp=node_modules/.installed-lock
if ! cmp -s package-lock.json "$stamp"; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp package-lock.json "$stamp"
fi
exec 9>&-
# "run.sh typecheck FILE" and "run.sh mrkdwn FILE" check what a program emitted; anything else names test files.
case ${1:-} in
typecheck | mrkdwn)
    check=$1
    shift
    exec node "$check.mjs" "$@"
    ;;
esac
exec node --test "$@"
