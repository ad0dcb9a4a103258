#!/bin/sh
# pre.sh gives a container started with `ns -n` its network. ns runs it on the host, as the PRE argument, with the
# container's process id, while the container waits: namespaces made, nothing of its own run yet. It makes a veth pair,
# gives both ends an address, routes the container's traffic through the host's end, and hides it behind the host's
# own address (NAT) when nft or iptables is there. Without -n it does nothing. Take it as a start for your own.
#
# What it makes, for a container with the process id 4711:
#
#     host                                    container
#     nsveth4711  10.213.73.157/30  --------  eth0  10.213.73.158/30, default route via 10.213.73.157
#
# It needs root, ip (Debian: iproute2) and nsenter (util-linux). No state is kept: the pair goes when the container
# goes, and the NAT rules name only what this script made, so that those left by a crash match nothing.
set -eu

# Where the addresses come from, the first that does not clash with the host's routes: 16384 blocks of four each.
ranges="10.213 172.29 192.168"

say() { printf 'pre.sh: %s\n' "$1" >&2; }
die() {
	say "$1"
	exit 1
}

[ -n "${CLONE_NEWNET:-}" ] || exit 0

[ $# -eq 1 ] || die "usage: pre.sh PID (ns calls it so)"
pid=$1
case $pid in '' | *[!0-9]*) die "not a process id: $pid" ;; esac
[ "$(id -u)" = 0 ] ||
	die "only root can connect a container to the host's network: run ns as root, or give - instead of this script"
for tool in ip nsenter; do
	command -v "$tool" >/dev/null || die "$tool is not there (Debian: apt-get install iproute2 util-linux)"
done

# From here on descriptor 9 is the container's network namespace: its process may die and its number may come to
# belong to a stranger, the descriptor stays what it is.
[ -e "/proc/$pid/ns/net" ] || die "there is no process $pid"
exec 9<"/proc/$pid/ns/net"
netns=/proc/self/fd/9
[ "$(readlink $netns)" != "$(readlink /proc/self/ns/net)" ] ||
	die "process $pid is in the network namespace of this script: nothing to connect"
inside() { nsenter --net=$netns ip "$@"; }

# Whatever ends this script early takes the half-made pair along; removing one end removes the other.
made=
undo() { [ -z "$made" ] || ip link del "$made" 2>/dev/null || :; }
trap undo EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A run for this same container that was cut off left its pair: start afresh.
if inside link show dev eth0 >/dev/null 2>&1; then inside link del dev eth0; fi

# True when no route of this host leads into the block or covers it. The default route (which some VPNs write as two
# halves) covers everything and does not count.
unused() {
	clash=$(
		ip -4 route show table all root "$1"
		ip -4 route show table all match "$1" | grep -v -e 'default ' -e '^0\.0\.0\.0/1 ' -e '^128\.0\.0\.0/1 '
	) || :
	[ -z "$clash" ]
}

# The block's number follows from the process id, and names the host's end. The kernel refuses a second interface of
# the same name: that is what keeps two scripts that run at the same time from taking the same block.
connect() {
	for range in $ranges; do
		block=$((pid % 16384))
		for _ in 1 2 3 4 5 6 7 8; do
			prefix=$range.$((block / 64))
			first=$((block % 64 * 4))
			host_end=nsveth$block
			block=$(((block + 1021) % 16384))
			unused "$prefix.$first/30" || continue
			if why=$(ip link add name "$host_end" type veth peer name eth0 netns $netns 2>&1); then
				made=$host_end
				return
			fi
			case $why in *"File exists"*) ;; *) die "cannot make a veth pair: $why" ;; esac
		done
	done
	die "every block tried clashes with a route of this host: change ranges= in this script"
}
connect

gateway=$prefix.$((first + 1))
address=$prefix.$((first + 2))
ip addr add "$gateway/30" dev "$host_end" || die "cannot give $host_end the address $gateway"
ip link set dev "$host_end" up || die "cannot bring up $host_end"
# The container's end is set up from here, so that roots without an ip command (a minimal Debian) have a network too.
inside addr add "$address/30" dev eth0 || die "cannot give the container the address $address"
inside link set dev eth0 up || die "cannot bring up the container's eth0"
inside route add default via "$gateway" || die "cannot set the container's default route"

# One table with one rule that never changes, replaced in one transaction: any number of runs leaves exactly this, and
# without a container it matches nothing, since it looks only at what came in through an interface of ours.
# To take it away: nft delete table ip ns_nat
nat_nft() {
	nft -f - <<-'RULES'
		table ip ns_nat
		delete table ip ns_nat
		table ip ns_nat {
			chain postrouting {
				type nat hook postrouting priority 100; policy accept;
				iifname "nsveth*" oifname != "nsveth*" masquerade
			}
		}
	RULES
}

# iptables cannot ask after NAT where a packet came in: here it is one rule a container, by its block, in a chain of
# our own, and each run removes the rules whose block no interface of this host has any more.
nat_iptables() {
	iptables -w -t nat -N NS-NAT 2>/dev/null || :
	iptables -w -t nat -S NS-NAT | sed -n 's/^-A NS-NAT -s \([^ ]*\) .*/\1/p' | while read -r old; do
		[ -n "$(ip -4 -o addr show to "$old")" ] ||
			iptables -w -t nat -D NS-NAT -s "$old" ! -o nsveth+ -j MASQUERADE || :
	done
	iptables -w -t nat -C POSTROUTING -j NS-NAT 2>/dev/null || iptables -w -t nat -A POSTROUTING -j NS-NAT || return
	set -- NS-NAT -s "$prefix.$first/30" ! -o nsveth+ -j MASQUERADE
	iptables -w -t nat -C "$@" 2>/dev/null || iptables -w -t nat -A "$@"
}

# Packets are passed on when the interface they came in by allows it: ours on the way out, the one with the host's
# default route on the way back. The latter stays switched on, as after Docker or libvirt: other containers may need it.
forward_from() {
	switch=/proc/sys/net/ipv4/conf/$1/forwarding
	[ "$(cat "$switch")" = 1 ] || { echo 1 >"$switch"; } 2>/dev/null || say "cannot switch on forwarding for $1"
}

# This script is no firewall and does not argue with one, but a policy that drops what it would forward (Docker sets
# it) is the usual reason for "the container reaches the host and nothing else".
warn_of_drop() {
	case $({ nft list chain ip filter FORWARD || iptables -w -S FORWARD; } 2>/dev/null) in
	*'policy drop'* | *'-P FORWARD DROP'*)
		say "note: the host's firewall drops forwarded packets unless a rule allows those from and to nsveth*"
		;;
	esac
}

if { command -v nft >/dev/null && nat_nft; } || { command -v iptables >/dev/null && nat_iptables; }; then
	forward_from "$host_end"
	ip -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | while read -r uplink; do
		forward_from "$uplink"
	done
	warn_of_drop
else
	say "note: no NAT (it takes nft or iptables): the container reaches this host only"
fi

made= # done: what stands now is the container's
