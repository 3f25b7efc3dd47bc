#!/bin/sh
# Fetches moto (Apache-2.0) for test/interop/deploy.interop.ts: a server that others wrote and that speaks CloudFormation, SQS, Parameter Store
# and more. Pinned, from PyPI, in a folder of its own. Needs Python 3.9 or newer with venv. Prints the program.
set -eu
version=5.2.5
folder=${MAILSLUICE_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/mailsluice-engines}
home=$folder/moto-$version
if [ ! -x "$home/bin/moto_server" ]; then
  mkdir -p "$folder"
  # In its place from the start, for programs of a venv know their path; what did not come to its end is made anew.
  rm -rf "$home"
  trap 'test -x "$home/bin/moto_server" || rm -rf "$home"' EXIT
  python3 -m venv "$home" >&2
  "$home/bin/pip" install --quiet --disable-pip-version-check "moto[server]==$version" >&2
fi
echo "$home/bin/moto_server"
