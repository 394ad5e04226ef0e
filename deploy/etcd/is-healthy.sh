#!/bin/sh
# For the health check of compose.yaml: exits with 0 if this member answers, with authentication or still without.
set -eu
ETCDCTL_USER="root:$(cat "$PASSWORD_FILE")" exec etcdctl --endpoints=http://127.0.0.1:2379 --command-timeout=4s endpoint health
