# Sourced by scripts/interop: the verdict of `compare probe` on servers in known situations, good
# and bad. Every backend must give the same verdict.
#
# A situation starts servers, then states the expected verdicts.

situations=(tickets-on tickets-off session-ids other-keys same-keys behind-one in-turns used-up
  postfix dovecot dovecot-default dovecot-verifies vsftpd postgres postgres-plain)

situation_needs() { # SITUATION
  case $1 in
    behind-one | in-turns) echo nginx:nginx haproxy:haproxy ;;
    postfix) echo postfix:postfix ;;
    dovecot*) echo dovecot-imapd:/usr/lib/dovecot/imap dovecot-pop3d:/usr/lib/dovecot/pop3 ;;
    vsftpd) echo vsftpd:vsftpd ;;
    postgres*) echo "postgresql:$(postgres_programs)/postgres" ;;
    tickets-* | session-ids | *-keys | used-up) echo nginx:nginx ;;
  esac
}

# Only root can start Postfix.
needs_root() { # NAME
  [[ $1 = *postfix ]]
}

in_situation() { # SITUATION
  local nginx_tls='TLSv1.2 TLSv1.3' port
  port=$(free_port)
  case $1 in
    tickets-on)
      nginx_at 127.0.0.1 on off
      expect 1.3 resumes ''
      expect 1.2 resumes ''
      ;;
    # nginx before 1.23.2 still sends TLS 1.3 tickets, and declines them.
    tickets-off)
      nginx_at 127.0.0.1 off off
      expect 1.3 'never_resumes|no_tickets' 'ssl_session_tickets'
      expect 1.2 no_tickets 'ssl_session_tickets on'
      ;;
    session-ids)
      nginx_tls=TLSv1.2
      nginx_at 127.0.0.1 off shared:tls:1m
      expect any session_ids_only 'session ids'
      ;;
    other-keys)
      make_keys one another
      nginx_at 127.0.0.1 on off one
      nginx_at 127.0.0.2 on off another
      local at='127\.0\.0\.[12]\b'
      local declined="from $at are declined at $at.*ssl_session_ticket_key"
      expect 1.3 addresses_differ "$declined" "${both[@]}"
      expect 1.2 addresses_differ "$declined" "${both[@]}"
      # One address alone does not show it.
      expect 1.3 resumes '' --address 127.0.0.2
      ;;
    same-keys)
      make_keys one
      nginx_at 127.0.0.1 on off one
      nginx_at 127.0.0.2 on off one
      expect 1.3 resumes '' "${both[@]}"
      expect 1.2 resumes '' "${both[@]}"
      ;;
    behind-one) # three connections to the first server, then one to the second
      two_behind_haproxy 3
      expect 1.3 partly 'several machines.*ssl_session_ticket_key' --connections 12
      expect 1.2 partly 'several machines.*ssl_session_ticket_key' --connections 12
      ;;
    # Each connection offers a session of the other server, so all are declined.
    in-turns)
      two_behind_haproxy 1
      expect 1.3 'partly|never_resumes' 'several machines.*ssl_session_ticket_key'
      ;;
    used-up)
      nginx_at 127.0.0.1 on off
      expect 1.3 tickets_used_up \
        '2 tickets( valid for 5 min)?; your 16 parallel .* used them up: FULL full handshakes' \
        --concurrency 16
      expect 1.2 resumes '' --concurrency 16 # TLS 1.2 sessions are reusable
      ;;
    # Issues no TLS 1.3 ticket after a resumed handshake, and accepts one twice, which rustls cannot
    # try.
    postfix)
      start_postfix
      local tickets='1 ticket( valid for 2 h)? after a full .*, and none after a resumed one'
      local twice=', but accepts a ticket twice;.* which use each ticket once,'
      expect 1.3 tickets_used_up "$tickets($twice|;.* in a row) used them up: FULL full" \
        --starttls smtp
      expect 1.2 resumes '' --starttls smtp
      ;;
    dovecot) # one process for all connections, which is not the default
      start_dovecot 0 no
      expect 1.3 resumes '' --starttls imap
      expect 1.2 resumes '' --starttls imap
      port=$port2
      expect 1.3 resumes '' --starttls pop3
      ;;
    # A process per connection, each with ticket keys of its own.
    dovecot-default)
      start_dovecot 1 no
      expect 1.3 never_resumes 'several machines or processes' --starttls imap
      ;;
    # Asks for client certificates, and has no session-id context.
    dovecot-verifies)
      start_dovecot 0 yes
      expect 1.3 breaks_when_resumed 'SSL_CTX_set_session_id_context' --starttls imap
      expect 1.2 breaks_when_resumed 'SSL_CTX_set_session_id_context' --starttls imap
      ;;
    vsftpd)
      start_vsftpd
      expect 1.3 resumes '' --starttls ftp
      expect 1.2 resumes '' --starttls ftp
      ;;
    postgres)
      start_postgres on
      expect 1.3 no_tickets 'PostgreSQL' --starttls postgres
      expect 1.2 no_tickets 'PostgreSQL' --starttls postgres
      ;;
    postgres-plain)
      start_postgres off
      expect 1.3 handshake_failed 'offers no TLS' --starttls postgres
      ;;
  esac
}

both=(--address 127.0.0.1 --address 127.0.0.2 --all-addresses)

# ---- servers

# Starts a server and waits until it accepts connections at $port.
start() { # ADDRESS COMMAND...
  spawn "${@:2}" >>"$dir/log" 2>&1
  await "$spawned" "$port" "$1" || { echo "${*:2} does not start" >>"$dir/log"; good=; }
}

make_keys() { # NAME...
  local name
  for name in "$@"; do
    openssl rand -out "$dir/$name.key" 80
  done
}

nginx_at() { # ADDRESS TICKETS CACHE [KEY]
  local here=$dir/nginx-$1 keys=
  mkdir -p "$here"
  [ -z "${4:-}" ] || keys="ssl_session_ticket_key $dir/$4.key;"
  fill nginx.conf "$here/nginx.conf" ADDRESS="$1" HERE="$here" PROTOCOLS="$nginx_tls" \
    TICKETS="$2" CACHE="$3" WORKERS=1 KEYS="$keys"
  start "$1" nginx -e stderr -p "$here" -c "$here/nginx.conf"
}

# Starts HAProxy in front of two nginx with different keys; the first gets WEIGHT connections for
# each one of the second.
two_behind_haproxy() { # WEIGHT
  make_keys one another
  local behind=$port
  nginx_at 127.0.0.1 on off one
  nginx_at 127.0.0.2 on off another
  port=$(free_port)
  fill haproxy-tcp.cfg "$dir/haproxy-tcp.cfg" BEHIND="$behind" WEIGHT="$1"
  start 127.0.0.1 haproxy -db -f "$dir/haproxy-tcp.cfg"
}

# With a queue of its own. `check` creates missing directories.
start_postfix() {
  mkdir -p "$dir"/postfix/{etc,queue,data}
  chown postfix "$dir/postfix/data"
  fill postfix-main.cf "$dir/postfix/etc/main.cf"
  fill postfix-master.cf "$dir/postfix/etc/master.cf"
  postfix -c "$dir/postfix/etc" check >>"$dir/log" 2>&1
  start 127.0.0.1 "$(postconf -h daemon_directory)/master" -c "$dir/postfix/etc" -s
}

# Sets $port2 to the port of POP3.
start_dovecot() { # CONNECTIONS_A_PROCESS VERIFIES_CLIENTS
  local internal=dovecot login=dovenull chroot=login empty=empty
  if [ "$(id -u)" != 0 ]; then
    internal=$(id -un) login=$(id -un) chroot='' empty=''
  fi
  mkdir -p "$dir/dovecot"
  port2=$(free_port)
  fill dovecot.conf "$dir/dovecot/dovecot.conf" PORT2="$port2" COUNT="$1" VERIFIES="$2" \
    INTERNAL="$internal" LOGIN="$login" CHROOT="$chroot" EMPTY="$empty"
  start 127.0.0.1 dovecot -F -c "$dir/dovecot/dovecot.conf"
}

start_vsftpd() {
  local launching_user=YES
  [ "$(id -u)" != 0 ] || launching_user=NO
  mkdir -p "$dir/vsftpd"
  fill vsftpd.conf "$dir/vsftpd.conf" LAUNCHING_USER="$launching_user"
  start 127.0.0.1 vsftpd "$dir/vsftpd.conf"
}

# Prints the directory of the newest version, which is not in Debian's path.
postgres_programs() {
  printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1
}

# PostgreSQL does not run as root, and rejects a key file that others can read.
start_postgres() { # SSL
  local here=$dir/postgres programs as=()
  programs=$(postgres_programs)
  mkdir -p "$here"
  cp "$dir/key.pem" "$here/key.pem"
  if [ "$(id -u)" = 0 ]; then
    chown -R postgres "$here"
    as=(setpriv --reuid postgres --regid postgres --clear-groups --pdeathsig TERM --)
  fi
  bounded 60 "${as[@]}" "$programs/initdb" -D "$here/data" --auth trust --no-sync \
    --no-instructions >>"$dir/log" 2>&1
  fill postgresql.conf "$here/postgresql.conf" SSL="$1"
  start 127.0.0.1 "${as[@]}" "$programs/postgres" -D "$here/data" \
    -c "config_file=$here/postgresql.conf"
}

# ---- verdicts

verdict_columns='%-16s %-4s %-15s %-19s %s\n'

situation_header() {
  # shellcheck disable=SC2059 # the format is ours
  printf "$verdict_columns" situation TLS backend verdict ""
}

situation_missing() { # SITUATION
  # shellcheck disable=SC2059 # the format is ours
  printf "$verdict_columns" "$1" - - - "not available"
}

# Probes, and prints a row for each backend. Clears `good` if a verdict has another code, or if its
# text and remedy do not match PATTERN.
expect() { # TLS CODES PATTERN OPTION...
  local tls=(--tls "$1") codes=$2 pattern=$3
  [ "$1" != any ] || tls=()
  local options=("${tls[@]}" "${@:4}")
  echo "compare probe ${options[*]}" >>"$dir/probes"
  bounded 120 "$compare" probe "localhost:$port" --ca "$dir/ca.pem" --backend all --json \
    "${options[@]}" >"$dir/verdicts" 2>>"$dir/probes" || true
  grep '"type":"verdict"' "$dir/verdicts" >>"$dir/probes" || true
  local backend code judged
  for backend in rustls openssl rustls-preview; do
    read -r code judged <<<"$(verdict "$backend" "$codes" "$pattern")"
    # shellcheck disable=SC2059 # the format is ours
    printf "$verdict_columns" "$situation" "$1" "$backend" "$code" "$judged"
    [ "$judged" = ok ] || good=
  done
}

# Prints a backend's verdict and whether it is as expected. FULL in the pattern stands for the
# number of connections after the first that were not resumed.
verdict() { # BACKEND CODES PATTERN
  # shellcheck disable=SC2016 # these are variables of perl
  perl -MJSON::PP -e '
    my ($backend, $codes, $pattern, $file) = @ARGV;
    open my $lines, "<", $file or die "$file: $!";
    my @rows = grep { $_->{backend} eq $backend } map { decode_json($_) } <$lines>;
    my ($verdict) = grep { $_->{type} eq "verdict" } @rows or print("none FAIL: no verdict\n"), exit;
    my $full = grep { $_->{type} eq "connection" && $_->{connection} > 1 && !$_->{resumed} } @rows;
    $pattern =~ s/FULL/$full/;
    my $text = join " ", $verdict->{text}, $verdict->{remedy} // ();
    my $right = $verdict->{code} =~ /^(?:$codes)$/ && $text =~ /(?:$pattern)/;
    print "$verdict->{code} ", $right ? "ok" : "FAIL: not $codes /$pattern/", "\n";
  ' "$1" "$2" "$3" "$dir/verdicts"
}

# Starts the servers of a situation, checks the verdicts and stops them.
check_situation() { # SITUATION
  local situation=$1 good=yes
  : >"$dir/log"
  : >"$dir/probes"
  in_situation "$situation" || good=
  stop_all
  [ -n "$good" ] || show_logs "$situation"
  rm -rf "$dir"/{postfix,dovecot,vsftpd,postgres,nginx-127*}
  [ -n "$good" ]
}
