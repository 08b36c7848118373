# Sourced by scripts/interop: child processes that end with it, and their ports.

declare -A running=()

# Starts a command in the background, in a process group of its own, and sets `spawned` to its PID.
# The kernel ends it if this script is killed without a chance to clean up.
spawn() { # COMMAND...
  setsid setpriv --pdeathsig TERM -- "$@" </dev/null &
  spawned=$!
  running[$spawned]=1
}

# Ends a spawned process with its children.
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

# Ends all spawned processes.
stop_all() {
  local pid
  for pid in "${!running[@]}"; do stop "$pid"; done
}

# Runs a command with a time limit. In the background: bash handles a signal only after a command in
# the foreground has ended.
bounded() { # SECONDS COMMAND...
  local status=0
  spawn timeout --kill-after=5 "$@"
  local pid=$spawned
  wait "$pid" || status=$?
  unset "running[$pid]"
  return "$status"
}

# Prints a port that is free on all addresses of this machine, by binding it once.
free_port() {
  perl -MIO::Socket::INET -e \
    'print IO::Socket::INET->new(Listen => 1, LocalAddr => "0.0.0.0")->sockport'
}

# Waits until a process accepts connections, 20 s at most.
await() { # PID PORT [ADDRESS]
  # shellcheck disable=SC2016 # these are variables of perl
  bounded 20 perl -MIO::Socket::INET -e '
    until (IO::Socket::INET->new("$ARGV[2]:$ARGV[1]")) {
      kill 0, $ARGV[0] or exit 1;
      select undef, undef, undef, 0.05;
    }' "$1" "$2" "${3:-127.0.0.1}" && kill -0 "$1"
}
