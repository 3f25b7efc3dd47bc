#!/bin/sh
# The mail servers of test/interop/mailboxes.interop.ts, from Debian or Ubuntu packages:
# - Dovecot is installed (needs root or sudo), with its service kept from starting;
# - Courier conflicts with it as a package, so its packages are only unpacked, below MAILSLUICE_ENGINES or the cache.
# Prints what it did.
set -eu
export DEBIAN_FRONTEND=noninteractive
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi

$as_root apt-get update -qq

building=
policy=
clean_up() {
  [ -z "$building" ] || rm -rf "$building"
  [ -z "$policy" ] || $as_root rm -f "$policy"
}
trap clean_up EXIT

if command -v dovecot >/dev/null || [ -x /usr/sbin/dovecot ]; then
  echo "dovecot: was there"
else
  # Asked whether a service may start (Debian policy, 9.3.3.1): 101 is no. One that is there has its reasons and stays.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
  fi
  $as_root apt-get install -qq -y --no-install-recommends dovecot-imapd dovecot-pop3d >/dev/null
  echo "dovecot: installed"
fi
echo "dovecot: version $(/usr/sbin/dovecot --version)"

engines=${MAILSLUICE_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/mailsluice-engines}
courier=$engines/courier
if [ -x "$courier/usr/bin/couriertls" ]; then
  echo "courier: was there, in $courier"
else
  mkdir -p "$engines"
  building=$(mktemp -d "$engines/building.XXXXXX")
  chmod 755 "$building"
  # With the libraries that they name, besides those that apt itself needs.
  packages='courier-imap courier-pop courier-base courier-authlib'
  libraries=$(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances $packages |
    sed -n 's/^ *|\{0,1\}Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | grep -Ev '^(libc6|libgnutls30.*)$' | sort -u)
  (cd "$building" && apt-get download -qq $packages $libraries)
  mkdir "$building/root"
  for package in "$building"/*.deb; do dpkg-deb -x "$package" "$building/root"; done
  rm -rf "$courier"
  mv "$building/root" "$courier"
  echo "courier: unpacked to $courier"
fi
echo "courier: version $(apt-cache show --no-all-versions courier-imap | sed -n 's/^Version: //p')"
