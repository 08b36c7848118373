# Sourced by scripts/interop: how many connections resume with each server, one after the other and
# in parallel.

peers=(s_server s_server-no-tickets gnutls gnutls-no-tickets nginx nginx-no-tickets nginx-nothing
  apache apache-no-tickets caddy haproxy stunnel redis)

in_a_row=5
concurrency=16
in_parallel=$((2 * concurrency))

# Prints the least number of resumed connections, in a row and in parallel; "none" for a peer that
# cannot resume, where any resumption or error is wrong.
#
# In a row, all but the first resume. In parallel, a full handshake begins only if no session is
# stored: then fewer than $concurrency other connections are open, and each of them will store at
# least one. So there are at most $concurrency full handshakes, in any order of connections, even if
# a server issues a single ticket to each. Usually these are the first.
expected() { # PEER TLS
  case $1/$2 in
    # No tickets and no cache. OpenSSL still sends TLS 1.3 tickets, and declines them.
    nginx-nothing/*) echo none ;;
    # GnuTLS caches sessions of TLS 1.2 only; its TLS 1.3 tickets always contain the session.
    gnutls-no-tickets/1.3) echo none ;;
    *) echo $((in_a_row - 1)) $((in_parallel - concurrency)) ;;
  esac
}

# Prints PACKAGE:PROGRAM of a peer.
peer_needs() { # PEER
  case $1 in
    s_server*) echo openssl:openssl ;;
    gnutls*) echo gnutls-bin:gnutls-serv ;;
    nginx*) echo nginx:nginx ;;
    apache*) echo apache2:apache2 ;;
    caddy) echo caddy:caddy ;;
    haproxy) echo haproxy:haproxy ;;
    stunnel) echo stunnel4:stunnel ;;
    redis) echo redis-server:redis-server ;;
  esac
}

# Sets `command` to run a peer in the foreground on $port.
#
# Peers with a cache of TLS 1.2 sessions have one worker: OpenSSL's server stores a session after it
# has sent the last message of the handshake. A fast client sometimes reaches another worker before
# that, and its session is declined.
prepare() { # PEER
  local s_server=(openssl s_server -accept "127.0.0.1:$port" -cert "$dir/cert.pem"
    -key "$dir/key.pem" -quiet)
  # gnutls-serv has no option to listen on loopback only.
  local gnutls=(gnutls-serv --port "$port" --x509certfile "$dir/cert.pem"
    --x509keyfile "$dir/key.pem" --disable-client-cert --quiet)
  local nginx=(nginx -e stderr -p "$dir" -c "$dir/nginx.conf")
  local apache=(apache2 -d "$dir" -f "$dir/apache2.conf" -D FOREGROUND)
  case $1 in
    s_server) command=("${s_server[@]}") ;;
    s_server-no-tickets) command=("${s_server[@]}" -no_ticket) ;;
    gnutls) command=("${gnutls[@]}") ;;
    gnutls-no-tickets) command=("${gnutls[@]}" --noticket) ;;
    nginx) fill_nginx on shared:tls:1m 2; command=("${nginx[@]}") ;;
    nginx-no-tickets) fill_nginx off shared:tls:1m 1; command=("${nginx[@]}") ;;
    nginx-nothing) fill_nginx off off 2; command=("${nginx[@]}") ;;
    apache) fill_apache on none 16; command=("${apache[@]}") ;;
    apache-no-tickets)
      fill_apache off "shmcb:$dir/apache-cache" 1; command=("${apache[@]}") ;;
    caddy) fill Caddyfile "$dir/Caddyfile"
      command=(env HOME="$dir" XDG_CONFIG_HOME="$dir" XDG_DATA_HOME="$dir"
        caddy run --adapter caddyfile --config "$dir/Caddyfile") ;;
    haproxy) fill haproxy.cfg "$dir/haproxy.cfg" BIND=; command=(haproxy -db -f "$dir/haproxy.cfg") ;;
    stunnel) fill stunnel.conf "$dir/stunnel.conf"; command=(stunnel "$dir/stunnel.conf") ;;
    redis) fill redis.conf "$dir/redis.conf"; command=(redis-server "$dir/redis.conf") ;;
  esac
}

fill_nginx() { # TICKETS CACHE WORKERS
  fill nginx.conf "$dir/nginx.conf" ADDRESS=127.0.0.1 HERE="$dir" PROTOCOLS='TLSv1.2 TLSv1.3' \
    TICKETS="$1" CACHE="$2" WORKERS="$3" KEYS=
}

fill_apache() { # TICKETS CACHE WORKERS
  fill apache2.conf "$dir/apache2.conf" TICKETS="$1" CACHE="$2" WORKERS="$3"
}

version() { # PEER
  case $1 in
    s_server*) openssl version ;;
    gnutls*) gnutls-serv --version ;;
    nginx*) nginx -v ;;
    apache*) apache2 -v ;;
    caddy) caddy version ;;
    haproxy) haproxy -v ;;
    stunnel) stunnel -version ;;
    redis) redis-server --version ;;
  esac 2>&1 | perl -ne 'if (!$seen && /(\d+\.\d+[.\w]*)/) { $seen = print "$1\n" }'
}

# Whether enough of the given peers are available: all of OpenSSL, GnuTLS and nginx, one other.
enough() { # PEER...
  local peer others=()
  for peer in "$@"; do
    case $peer in
      s_server* | gnutls* | nginx*) available "$peer" || return 1 ;;
      *) others+=("$peer") ;;
    esac
  done
  [ ${#others[@]} -gt 0 ] || return 0
  for peer in "${others[@]}"; do
    ! available "$peer" || return 0
  done
  return 1
}

# Writes the JSON of a probe to a file. Its exit status is ignored: the JSON has the errors.
probe() { # FILE TLS OPTION...
  echo "compare probe --tls ${*:2}" >>"$dir/probes"
  bounded 120 "$compare" probe "localhost:$port" --ca "$dir/ca.pem" --tls "${@:2}" --backend all \
    --json >"$dir/$1" 2>>"$dir/probes" || true
  grep '"type":"verdict"' "$dir/$1" >>"$dir/probes" || true
}

# Prints the results of both probes for one backend: connections resumed in a row and in parallel,
# tickets of a full and of a resumed connection, and either both verdict codes or the first error.
results() { # BACKEND
  perl -MJSON::PP -e '
    my ($backend, @files) = @ARGV;
    my (@resumed, %tickets, @codes, $error);
    for my $file (@files) {
      open my $lines, "<", $file or die "$file: $!";
      my @rows = grep { $_->{backend} eq $backend } map { decode_json($_) } <$lines>;
      my ($verdict) = grep { $_->{type} eq "verdict" } @rows;
      my @connections = grep { $_->{type} eq "connection" } @rows;
      $error //= $_->{error} for @connections;
      $tickets{$_->{resumed} ? 1 : 0}{$_->{tickets}} = 1 for @connections;
      push @resumed, scalar grep { $_->{resumed} } @connections;
      push @codes, $verdict ? $verdict->{code} : "no_verdict";
    }
    my @tickets = map { join("-", sort keys %{$tickets{$_} // {"." => 1}}) } 0, 1;
    print join(" ", @resumed, join("/", @tickets), $error // join(",", @codes)), "\n";
  ' "$1" "$dir/row" "$dir/burst"
}

# Whether the results are as expected.
judge() { # EXPECTED RESUMED_IN_A_ROW RESUMED_IN_PARALLEL CODES_OR_ERROR
  local code='(never_resumes|no_tickets)' minimum
  if [ "$1" = none ]; then
    [[ $4 =~ ^$code,$code$ ]]
  else
    read -ra minimum <<<"$1"
    [[ $4 =~ ^(resumes|session_ids_only),(resumes|session_ids_only|tickets_used_up|partly)$ ]] &&
      [ "$2" -ge "${minimum[0]}" ] && [ "$3" -ge "${minimum[1]}" ]
  fi
}

columns='%-20s %-9s %-4s %-14s %8s %8s %8s  %s\n'

# Prints the row of one backend. Fails if the results are not as expected.
row() { # PEER VERSION TLS BACKEND
  local found row burst tickets codes verdict=ok expected
  found=$(results "$4")
  read -r row burst tickets codes <<<"$found"
  expected=$(expected "$1" "$3")
  judge "$expected" "$row" "$burst" "$codes" || verdict="FAIL: $codes"
  [ "$verdict" != ok ] || [ "$expected" != none ] || verdict="ok, cannot resume: $codes"
  # shellcheck disable=SC2059 # the format is ours
  printf "$columns" "$1" "$2" "$3" "$4" "$row/$in_a_row" "$burst/$in_parallel" \
    "$tickets" "$verdict"
  [[ $verdict == ok* ]]
}

peer_header() {
  # shellcheck disable=SC2059 # the format is ours
  printf "$columns" peer version TLS backend "in a row" parallel tickets verdict
}

peer_missing() { # PEER
  # shellcheck disable=SC2059 # the format is ours
  printf "$columns" "$1" - - - - - - "not available"
}

# Starts a peer, probes it and stops it. Fails if it does not start or a row fails.
check_peer() { # PEER
  local name=$1 version tls backend good=yes command=()
  version=$(version "$name")
  port=$(free_port)
  prepare "$name"
  : >"$dir/probes"
  spawn "${command[@]}" >"$dir/log" 2>&1
  local pid=$spawned
  if await "$pid" "$port"; then
    for tls in 1.2 1.3; do
      probe row "$tls" --connections "$in_a_row"
      probe burst "$tls" --connections "$in_parallel" --concurrency "$concurrency"
      for backend in rustls openssl rustls-preview; do
        row "$name" "$version" "$tls" "$backend" || good=
      done
    done
  else
    echo "$name does not start"
    good=
  fi
  stop "$pid"
  [ -n "$good" ] || show_logs "$name"
  [ -n "$good" ]
}
