#!/bin/sh
# enter-trixie.sh TRIXIE FOLDER USER COMMAND...: runs the command as the user inside the folder of Debian trixie, with
# FOLDER as /srv. Run it in its own mount and process namespaces: only the command sees these mounts, and they vanish
# with it. The command is the first process of the namespace: when it ends, all others end.
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
# a change of user clears the death signal that was set earlier, so it is set again
exec chroot "$trixie" setpriv --reuid="$user" --regid="$user" --init-groups --pdeathsig=KILL -- "$@"
