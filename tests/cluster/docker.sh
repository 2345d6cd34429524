#!/usr/bin/env bash
# Makes sure that a Docker engine answers: starts it when it is installed but not running, installs Debian's when we are root and there is none.
. "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

answers() { docker info >/dev/null 2>&1; }

install_engine() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends docker.io iptables jq
}

# allow_privileged: runc refuses privileged containers where the machine itself lacks CAP_SYS_RESOURCE (bit 24); the wrapper leaves it out.
allow_privileged() {
  (( (0x$(awk '/CapBnd/ {print $2}' /proc/self/status) >> 24 & 1) == 0 )) || return 0
  [[ ! -e /etc/docker/daemon.json ]] || return 0   # somebody's own configuration
  install -m 755 "$here/runc-without-sys-resource" /usr/local/bin/
  mkdir -p /etc/docker
  echo '{"runtimes":{"kind":{"path":"/usr/local/bin/runc-without-sys-resource"}},"default-runtime":"kind"}' > /etc/docker/daemon.json
}

# alive: an engine runs, though it may not answer yet, or not any more (stopping takes it a while).
alive() { grep -qs dockerd "/proc/$(cat /run/docker.pid 2>/dev/null)/comm"; }

start_engine() {
  for _ in $(seq 300); do
    answers && return
    if ! alive; then
      # A pid file outlives the engine it names (a machine restored, a container's end); dockerd refuses while some process has that number.
      rm -f /run/docker.pid
      if [[ -d /run/systemd/system ]]; then systemctl start docker; else setsid nohup dockerd >> "$cache/log/dockerd.log" 2>&1 < /dev/null & sleep 2; fi
    fi
    sleep 0.2
  done
  die "the Docker engine did not start within a minute; its log is $cache/log/dockerd.log"
}

answers && exit
mkdir -p "$cache/log"
exec {lock}> "$cache/docker.lock"
flock "$lock"
if ! answers; then
  (( EUID == 0 )) || die "Docker does not answer. Install and start the Docker engine (https://docs.docker.com/engine/install/), add yourself to its group, and run this again; as root on Debian this script does it for you."
  if ! command -v dockerd >/dev/null; then
    command -v apt-get >/dev/null || die "there is no Docker engine and no apt-get to install one with: install Docker and run this again."
    phase "install the Docker engine" install_engine
  fi
  allow_privileged
  phase "start the Docker engine" start_engine {lock}>&-
fi
