#!/usr/bin/env bash
# Builds the Python base of our images where no registry gives python:3.11-slim: Debian's Python under the same names. Prints the image's name.
# The machine's CA certificates go in, because a network without a registry is often one that inspects TLS.
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
packages=python3,python3-venv,python3-pip,ca-certificates
certificates=${SSL_CERT_FILE:-${CURL_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}}
image=lamplighter/base:$({ echo "$packages"; cat "$here/base-image.sh" "$here/debootstrap.sh" "$certificates"; } | sha256sum | cut -c1-12)

# Once as a file that update-ca-certificates keeps when a package runs it again, once in the bundle that it writes.
hook='install -Dm644 '$certificates' "$1/usr/local/share/ca-certificates/machine.crt"
cat "$1/usr/local/share/ca-certificates/machine.crt" >> "$1/etc/ssl/certs/ca-certificates.crt"
printf "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n" > "$1/etc/pip.conf"
rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
ln -s python3 "$1/usr/bin/python"'

make_base() { "$here/debootstrap.sh" "$packages" "$hook" | docker import --change 'CMD ["python3"]' - "$image"; }

exec {lock}> "$cache/base-image.lock"
flock "$lock"
docker image inspect "$image" >/dev/null 2>&1 || phase "base image $image" make_base
echo "$image"
