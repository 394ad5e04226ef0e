#!/bin/sh
# enter-trixie.sh TRIXIE FOLDER USER COMMAND...: the command as the user within the folder of Debian trixie, FOLDER as
# its /srv. Runs in mount and process namespaces of its own: what is mounted here is seen by the command alone and
# vanishes with it, and the command is the first process, with which all others of the namespace end.
set -eu
trixie=$1
folder=$2
user=$3
shift 3

mount -t proc proc "$trixie/proc"
# without its submounts: shared memory that a killed server leaves must not stay on the machine
mount --bind /dev "$trixie/dev"
mount -t tmpfs -o mode=1777 tmpfs "$trixie/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$trixie/tmp"
# with its submounts: a server's data may lie on a filesystem of its own
mount --rbind "$folder" "$trixie/srv"
chroot "$trixie" chown "$user:" /srv
# the change of user forgets a death signal set earlier, hence here once more
exec chroot "$trixie" setpriv --reuid="$user" --regid="$user" --init-groups --pdeathsig=KILL -- "$@"
