#!/bin/sh
# Turns etcd's authentication on, once, with the user root and the password in PASSWORD_FILE. An attempt that was interrupted is
# repeated. ETCDCTL_ENDPOINTS says where etcd is.
set -eu
password=$(cat "$PASSWORD_FILE")

# before and after: etcdctl's user is ignored while authentication is off
status=$(ETCDCTL_USER="root:$password" etcdctl auth status)
case $status in *"Status: true"*) exit 0 ;; esac

if etcdctl user list | grep -qx root; then etcdctl user delete root; fi
printf '%s\n' "$password" | etcdctl user add root --interactive=false
etcdctl user grant-role root root
etcdctl auth enable
