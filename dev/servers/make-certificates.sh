#!/bin/sh
# make-certificates.sh HOST...: creates an authority, a server's certificate for localhost, 127.0.0.1 and the hosts, and a
# client's, in the current directory: {ca,server,client}.pem and {ca,server,client}-key.pem. Valid for 30 days.
set -eu
names=DNS:localhost,IP:127.0.0.1
for host in "$@"; do
  case $host in
    *[!0-9.]*) names=$names,DNS:$host ;;
    *) names=$names,IP:$host ;;
  esac
done

# No common names: etcd would use a client's as its user name, and etcd's JSON gateway refuses such certificates.
make() { # NAME OPTIONS...
  name=$1
  shift
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 \
    -subj "/O=telemetry/OU=$name" -keyout "$name-key.pem" -out "$name.pem" "$@"
}
sign() { # NAME USAGE OPTIONS...
  name=$1
  usage=$2
  shift 2
  make "$name" -CA ca.pem -CAkey ca-key.pem -addext basicConstraints=critical,CA:FALSE \
    -addext "extendedKeyUsage=$usage" "$@"
}

make ca
# etcd's own gateway shows the server's certificate as a client
sign server serverAuth,clientAuth -addext "subjectAltName=$names"
sign client clientAuth
