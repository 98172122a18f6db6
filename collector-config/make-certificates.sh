#!/bin/sh
# Makes a private certificate authority and the gateway's certificate: ca.pem, server.pem, server-key.pem.
#
#   make-certificates.sh DIRECTORY [NAME ...]
#
# NAMEs are what agents call the gateway by: DNS names or addresses. Nothing is done where the three files are there and
# the certificate lasts for a month more. The authority's key is thrown away: to add a name, make all anew and give
# ca.pem to the agents.
set -eu

directory=${1:?usage: make-certificates.sh DIRECTORY [NAME ...]}
shift
days=825 # the longest that common clients accept

if [ -s "$directory/ca.pem" ] && [ -s "$directory/server-key.pem" ] &&
  openssl x509 -in "$directory/server.pem" -noout -checkend 2592000 >/dev/null 2>&1; then
  echo "certificates in $directory are there and valid"
  exit 0
fi

names="DNS:localhost,IP:127.0.0.1"
for name in "$@"; do
  case $name in
    *[!0-9.]*:*|*:*) names="$names,IP:$name" ;;
    *[!0-9.]*) names="$names,DNS:$name" ;;
    *) names="$names,IP:$name" ;;
  esac
done

mkdir -p "$directory"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" \
  -subj "/CN=ocr-otel telemetry authority" -keyout "$work/ca-key.pem" -out "$work/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -subj "/CN=ocr-otel gateway" -keyout "$work/server-key.pem" -out "$work/server.csr" 2>/dev/null
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$names" >"$work/extensions"
openssl x509 -req -in "$work/server.csr" -CA "$work/ca.pem" -CAkey "$work/ca-key.pem" -CAcreateserial \
  -days "$days" -extfile "$work/extensions" -out "$work/server.pem" 2>/dev/null

# The key first: who sees a certificate finds its key beside it.
install -m 600 "$work/server-key.pem" "$directory/server-key.pem"
install -m 644 "$work/server.pem" "$directory/server.pem"
install -m 644 "$work/ca.pem" "$directory/ca.pem"
echo "certificates in $directory made for $names"
