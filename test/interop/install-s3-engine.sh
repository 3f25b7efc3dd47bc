#!/bin/sh
# Builds Versity S3 Gateway (Apache-2.0) for test/interop/s3.interop.ts: an S3 server with real Object Lock, conditional writes and
# checksums. Pinned, from the Go module proxy, which checks it against the public checksum database. Needs Go 1.25 or newer; prints the path.
set -eu
version=v1.8.0
folder=${MAILSLUICE_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/mailsluice-engines}
binary=$folder/versitygw-$version
if [ ! -x "$binary" ]; then
  go=$(command -v go || echo /usr/local/go/bin/go)
  mkdir -p "$folder"
  building=$(mktemp -d "$folder/building.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  CGO_ENABLED=0 GOFLAGS='-trimpath' GOBIN=$building "$go" install "github.com/versity/versitygw/cmd/versitygw@$version" >&2
  mv "$building/versitygw" "$binary"
fi
echo "$binary"
