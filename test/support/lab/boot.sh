#!/bin/sh
# Process 1 of a lab machine: turns fresh namespaces into a machine, then waits.
#
# Called by machine.ts as `boot.sh ROOT NAME USR [SHARED…]`, inside new network, mount, UTS, IPC and
# PID namespaces. ROOT is the machine's disk, USR the programs it borrows, each SHARED a directory
# that it sees read-only under its own path. Says its process ID, as seen from outside, when ready.
#
# Killing this process is a power cut: the kernel ends everything else in the PID namespace, and
# mounts and links go with their namespaces. Nothing here needs to be undone by hand.
#
# pivot_root and not chroot: under a chrooted dockerd, `docker exec` sees the wrong root.

set -eu
root=$1 name=$2 usr=$3
shift 3

read -r outside_pid _ </proc/self/stat # this /proc is still the outer one

mount --bind "$root" "$root"
mount --rbind "$usr" "$root/usr"
mount -o remount,bind,ro "$root/usr" # others borrow the same
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
if [ -n "$(ls -A /sys/fs/cgroup)" ]; then
  mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
else
  mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
    mkdir "$root/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "$root/sys/fs/cgroup/$controller"
  done
fi
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
for shared in "$@"; do
  if [ -d "$shared" ]; then mkdir -p "$root$shared"; else mkdir -p "$root${shared%/*}" && touch "$root$shared"; fi
  mount --bind "$shared" "$root$shared"
  mount -o remount,bind,ro "$root$shared"
done

cd "$root"
mkdir -p .outside
pivot_root . .outside
cd /
umount -l /.outside
rmdir /.outside

hostname "$name"
ip link set lo up
mkdir -p /run/docker/plugins /run/lock

echo "$outside_pid"
exec >/dev/null 2>&1
while :; do # `wait` reaps the orphans that a process 1 inherits
  sleep 3600 &
  wait $!
done
