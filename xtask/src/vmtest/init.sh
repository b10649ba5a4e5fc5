#!/bin/busybox sh
# The first process of a test guest: mounts, loads modules, runs the tests or the benchmark on the second serial
# port, says how that ended and powers off.

/bin/busybox --install -s /bin
export PATH=/usr/local/bin:/bin

mount -t devtmpfs dev /dev
mkdir /dev/pts
mount -t devpts pts /dev/pts
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 -opost
mount -t proc proc /proc
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
mount -t sysfs sys /sys
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp

echo /bin/modprobe >/proc/sys/kernel/modprobe
modprobe -a $(cat /etc/vmtest/modules) || echo "vmtest: not every module was loaded"
ip link set lo up

. /etc/vmtest/environment
$(cat /etc/vmtest/command)
echo "vmtest: end $?"
poweroff -f
