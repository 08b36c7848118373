# Sourced by scripts/interop: processes that end with it, and ports to reach them at.

declare -A running=()

# Starts a command in the background, in a group of its own, and sets `spawned`. It is told to end
# even if this script is killed without a chance to clean up.
spawn() { # COMMAND...
  setsid setpriv --pdeathsig TERM -- "$@" </dev/null &
  spawned=$!
  running[$spawned]=1
}

# Ends what was spawned, with its children.
stop() { # PID
  signal TERM "$1"
  for _ in $(seq 50); do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.1
  done
  signal KILL "$1"
  wait "$1" 2>/dev/null || true
  unset "running[$1]"
}

signal() { # SIGNAL PID
  kill "-$1" -- "-$2" 2>/dev/null || kill "-$1" "$2" 2>/dev/null || true
}

# Ends all that was spawned.
stop_all() {
  local pid
  for pid in "${!running[@]}"; do stop "$pid"; done
}

# Runs a command to its end, for so many seconds at most. In the background, because bash acts on
# signals only after a command in the foreground.
bounded() { # SECONDS COMMAND...
  local status=0
  spawn timeout --kill-after=5 "$@"
  local pid=$spawned
  wait "$pid" || status=$?
  unset "running[$pid]"
  return "$status"
}

# A port that is free on all addresses of this machine: taken and given back just before.
free_port() {
  perl -MIO::Socket::INET -e \
    'print IO::Socket::INET->new(Listen => 1, LocalAddr => "0.0.0.0")->sockport'
}

# Waits until a process accepts connections.
await() { # PID PORT [ADDRESS]
  # shellcheck disable=SC2016 # these are variables of perl
  bounded 20 perl -MIO::Socket::INET -e '
    until (IO::Socket::INET->new("$ARGV[2]:$ARGV[1]")) {
      kill 0, $ARGV[0] or exit 1;
      select undef, undef, undef, 0.05;
    }' "$1" "$2" "${3:-127.0.0.1}" && kill -0 "$1"
}
