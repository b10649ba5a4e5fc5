#!/bin/bash
# Runs in a booted Debian with systemd: installs, uses, upgrades and purges the package. Each promise that holds is a
# line `ok: ...`; the last line is `done`.
set -eEuo pipefail
trap 'echo "failed: line $LINENO: $BASH_COMMAND"; journalctl --sync; journalctl --no-pager --lines=40 --unit "throttle-agent*"' ERR
export DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER=

agent() { throttle-agent "$@"; }
ok() { echo "ok: $*"; }
# The rate that the default instance gives 10.0.0.0/24.
rate() { agent -j limit show 10.0.0.0/24 | grep -o '"bits_per_second":[0-9][0-9]*' | tail -n 1 | cut -d: -f2; }
none() { ! compgen -G "$1" > /dev/null; }
main_pid() { systemctl show --property MainPID --value "$1"; }
configure() { # FILE INTERFACE RATE
    printf '[[link]]\ninterface = "%s"\n\n[[limit]]\nprefix = "10.0.0.0/24"\ndown = "%s"\n' "$2" "$3" > "$1"
}

# What systemd does where it is not in a container.
mkdir -p /sys/fs/bpf
mount -t bpf -o mode=700 bpf /sys/fs/bpf

ip link add lan0 type veth peer name peer0
ip link set lan0 up
dpkg --install /package.deb
systemctl is-active --quiet throttle-agent
systemctl is-enabled --quiet throttle-agent
none '/sys/fs/bpf/throttle/*/default/link-*'
ok "installed, the agent runs and limits nothing"

configure /etc/throttle/default.toml lan0 10mbit
systemctl reload throttle-agent
test "$(rate)" = 10000000
configure /etc/throttle/default.toml lan0 20mbit
systemctl reload throttle-agent
test "$(rate)" = 20000000
ok "a reload returns once the policy is in force"

echo 'nonsense = 7' >> /etc/throttle/default.toml
if systemctl reload throttle-agent; then
    echo "failed: a reload with a broken file succeeds"; exit 1
fi
test "$(rate)" = 20000000
systemctl is-active --quiet throttle-agent
systemctl status --no-pager --lines=30 throttle-agent > /tmp/status
grep --quiet nonsense /tmp/status
ok "a broken file leaves the policy as it is, and the status tells why"

grep --quiet 'CapEff:.0000008000001000' "/proc/$(main_pid throttle-agent)/status"
grep --quiet 'NoNewPrivs:.1' "/proc/$(main_pid throttle-agent)/status"
ok "the service keeps two capabilities"

agent limit set 10.0.1.0/24 --up 5mbit
links=$(ls -i /sys/fs/bpf/throttle/*/default/link-*)
configure /etc/throttle/default.toml lan0 20mbit
systemctl stop throttle-agent
test "$(ls -i /sys/fs/bpf/throttle/*/default/link-*)" = "$links"
ok "stopped, the limits stay in force"
systemctl start throttle-agent
test "$(ls -i /sys/fs/bpf/throttle/*/default/link-*)" = "$links"
test "$(rate)" = 20000000
agent limit show 10.0.1.0/24 > /dev/null
ok "started, the agent adopts them"

before=$(main_pid throttle-agent)
kill -KILL "$before"
for _ in $(seq 100); do
    sleep 0.1
    agent status > /dev/null 2>&1 && break
done
test "$(main_pid throttle-agent)" != "$before"
test "$(rate)" = 20000000
ok "killed, the agent is started again"

ip netns add blue
ip -n blue link add lan0 type veth peer name peer0
configure /etc/throttle/blue.toml lan0 3mbit
systemctl start throttle-agent@blue
agent --instance blue limit show 10.0.0.0/24 | grep --quiet 3mbit
configure /etc/throttle/blue.toml lan0 4mbit
systemctl reload throttle-agent@blue
agent --instance blue limit show 10.0.0.0/24 | grep --quiet 4mbit
systemctl restart throttle-agent
agent --instance blue status > /dev/null
ok "a template unit serves a network namespace, whatever the others do"

before=$(main_pid throttle-agent)
dpkg --install /package.deb
test "$(main_pid throttle-agent)" != "$before"
test "$(ls -i /sys/fs/bpf/throttle/*/default/link-*)" = "$links"
test "$(rate)" = 20000000
ok "an upgrade replaces the program and keeps what is in force"

for unit in throttle-agent.service throttle-agent@blue.service; do
    # systemd before 253 says that it does not know one line.
    systemd-analyze verify --man=no "$unit" 2>&1 | grep --invert-match 'notify-reload' > /tmp/verify || true
    cat /tmp/verify
    test ! -s /tmp/verify
    systemd-analyze security --no-pager --threshold=30 "$unit" | tail -n 1
done
ok "the units are sound, and exposed by less than 3.0 of 10"

dpkg --remove throttle-agent
test ! -e /sys/fs/bpf/throttle
test -e /etc/throttle/default.toml
test ! -e "/proc/$before"
ok "removed, nothing is enforced, and what was configured stays"
dpkg --purge throttle-agent
for path in /etc/throttle /var/lib/throttle /run/throttle; do
    test ! -e "$path"
done
test -z "$(systemctl list-units --all --no-legend 'throttle-agent*' | grep -v not-found || true)"
ok "purged, nothing is left"
echo done
