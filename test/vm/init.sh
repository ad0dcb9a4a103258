#!/bin/sh
# Process 1 of the lane's virtual machine, on busybox. image.ts puts it into the image as /init; it prepares what any
# Linux system has, unpacks the payload that vm.ts attached, runs its script and hands status and results back.
# Disks are told apart by their NVMe serial numbers: probing is asynchronous, so the device names may change places.
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root
umask 022

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /results
exec </dev/null >/dev/console 2>&1
ip link set lo up
chown 1000:1000 /home/user

option() { # the value of NAME=… on the kernel's command line
	for word in $(cat /proc/cmdline); do
		case $word in "$1"=*) echo "${word#*=}" ;; esac
	done
}

disk() { # the device whose serial number is $1
	for block in /sys/block/nvme*; do
		[ "$(tr -d ' \n' <"$block/device/serial")" = "$1" ] && echo "/dev/${block##*/}" && return
	done
	echo "init: no disk $1" >&2
	return 1
}

mount_v1() { # one hierarchy a controller, as systems without cgroup v2 have it
	mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
	for controller in memory cpu,cpuacct pids devices freezer; do
		mkdir "/sys/fs/cgroup/$controller"
		mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller"
	done
}

case $(option vm.cgroups) in
v2) mount -t cgroup2 cgroup2 /sys/fs/cgroup ;;
v1) mount_v1 ;;
hybrid) # v1 controllers, and v2 beside them without any: what systemd calls hybrid
	mount_v1
	mkdir /sys/fs/cgroup/unified
	mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
	;;
esac

finish() { # ends the machine: 1 is success, more is what vm.ts calls it (vmexit's status is its number of arguments)
	vmexit $(seq 1 "$1")
}

payload=$(disk payload) && tar -xf "$payload" -C / || finish 2
for module in /.vm/modules/*.ko; do
	[ ! -e "$module" ] || insmod "$module" || finish 3
done
while read -r serial target; do
	mkdir -p "$target"
	mount -t ext4 "$(disk "$serial")" "$target" || finish 4
done </.vm/mounts

cd /root
/.vm/run
echo $? >/results/.status

results=$(disk results) && cd /results && tar -cf "$results" . && sync || finish 5
finish 1
