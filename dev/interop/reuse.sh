# Sourced by scripts/interop: servers that renew no TLS 1.3 ticket, and clients that offer a ticket
# until it is renewed (`--reuse-tickets`), in one process and in several that share a store.
#
# A client that uses each ticket once must resume fewer: otherwise the server does renew them.

reusing=(reuse-postfix reuse-lighttpd reuse-apache reuse-haproxy)

reuse_connections=8

reuse_needs() { # NAME
  local redis=redis-server:redis-server
  case $1 in
    reuse-postfix) echo $redis postfix:postfix ;;
    reuse-lighttpd) echo $redis lighttpd-mod-openssl:/usr/lib/lighttpd/mod_openssl.so ;;
    reuse-apache) echo $redis apache2:apache2 ;;
    reuse-haproxy) echo $redis haproxy:haproxy ;;
  esac
}

# Starts the server on $port, with ticket keys from a file where it can: farms share them so.
start_reusing() { # NAME
  case $1 in
    reuse-postfix) start_postfix ;;
    reuse-lighttpd)
      fill lighttpd.conf "$dir/lighttpd.conf"
      start 127.0.0.1 lighttpd -D -f "$dir/lighttpd.conf"
      ;;
    reuse-apache)
      openssl rand -out "$dir/apache.key" 48
      fill_apache on none 16
      echo "SSLSessionTicketKeyFile $dir/apache.key" >>"$dir/apache2.conf"
      start 127.0.0.1 apache2 -d "$dir" -f "$dir/apache2.conf" -D FOREGROUND
      ;;
    reuse-haproxy)
      for _ in 1 2 3; do openssl rand -base64 48; done >"$dir/haproxy.keys"
      fill haproxy.cfg "$dir/haproxy.cfg" BIND="tls-ticket-keys $dir/haproxy.keys"
      start 127.0.0.1 haproxy -db -f "$dir/haproxy.cfg"
      ;;
  esac
}

reuse_columns='%-16s %-15s %8s %8s %8s %8s  %s\n'

reuse_header() {
  # shellcheck disable=SC2059 # the format is ours
  printf "$reuse_columns" "reused tickets" backend once memory lmdb redis ""
}

reuse_missing() { # NAME
  # shellcheck disable=SC2059 # the format is ours
  printf "$reuse_columns" "$1" - - - - - "not available"
}

# Prints how many of 8 connections of a backend resumed, made by this many processes.
resumed_by() { # PROCESSES BACKEND OPTION...
  local rows=$dir/reused
  local options=(--tls 1.3 --backend "$2" --connections $((reuse_connections / $1)) "${@:3}")
  echo "compare probe ${options[*]}" >>"$dir/probes"
  : >"$rows"
  for _ in $(seq "$1"); do
    bounded 120 "$compare" probe "localhost:$port" --ca "$dir/ca.pem" --json "${options[@]}" \
      >>"$rows" 2>>"$dir/probes" || true
  done
  grep '"type":"connection"' "$rows" >>"$dir/probes" || true
  perl -MJSON::PP -ne '
    my $row = decode_json($_);
    $resumed++ if $row->{type} eq "connection" && $row->{resumed};
    END { print $resumed + 0, "\n" }' "$rows"
}

# Starts a server and a Redis, connects on each backend with each store, and stops them.
check_reuse() { # NAME
  local good=yes port redis options=() resumed backend store verdict
  : >"$dir/log"
  : >"$dir/probes"
  [ "$1" != reuse-postfix ] || options=(--starttls smtp)
  port=$(free_port)
  redis=redis://127.0.0.1:$port
  start 127.0.0.1 redis-server --bind 127.0.0.1 --port "$port" --save '' --dir "$dir"
  port=$(free_port)
  start_reusing "$1"
  [ -n "$good" ] || echo "$1 does not start"
  for backend in ${good:+openssl rustls-preview}; do
    resumed=("$(resumed_by 1 "$backend" "${options[@]}")")
    resumed+=("$(resumed_by 1 "$backend" --reuse-tickets "${options[@]}")")
    for store in "lmdb:$dir/reuse-sessions" "$redis"; do
      resumed+=("$(resumed_by "$reuse_connections" "$backend" --reuse-tickets \
        --store "$store" --store-keys "$dir/store-keys" "${options[@]}")")
    done
    verdict=$(judge_reuse "${resumed[@]}")
    # shellcheck disable=SC2059 # the format is ours
    printf "$reuse_columns" "$1" "$backend" "${resumed[@]/%//$reuse_connections}" "$verdict"
    [ "$verdict" = ok ] || good=
  done
  stop_all
  [ -n "$good" ] || show_logs "$1"
  rm -rf "$dir"/{postfix,reuse-sessions,store-keys}
  [ -n "$good" ]
}

# Whether the counts are as expected.
judge_reuse() { # ONCE REUSED...
  local reused
  [ "$1" -lt $((reuse_connections - 1)) ] || { echo "FAIL: the server renews tickets"; return; }
  for reused in "${@:2}"; do
    [ "$reused" -ge $((reuse_connections - 1)) ] || { echo FAIL; return; }
  done
  echo ok
}
