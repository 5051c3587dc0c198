#!/bin/sh
# Starts a throw-away PostgreSQL with the hot tables of schema.sql and the rows of rows.sql in them.
#
#     examples/hot/start.sh FOLDER [PORT]     make it in FOLDER, or start it again there
#     examples/hot/start.sh FOLDER stop       stop it; what is in FOLDER stays
#
# It listens on 127.0.0.1 and on a socket in FOLDER, and lets in whoever is on this machine. Run by
# root, it hands FOLDER to `postgres` or `nobody`, because PostgreSQL refuses to be run by root.
set -eu

database=stellar_hot
default_port=5434
# Two values of `ledger_range`.
first=59999501
last=60000500

# shellcheck source=examples/postgres.sh
. "$(dirname "$0")/../postgres.sh"

start() {
    if as_owner "$bin/pg_ctl" -D "$folder/data" status >/dev/null 2>&1; then
        fail "it runs already; stop it with \`$0 \"$folder\" stop\`"
    fi
    as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -o "-p $port" -w -s start && return
    tail -n 5 "$folder/server.log" >&2 || :
    fail "could not start PostgreSQL in \"$folder\" on port $port; is the port free?"
}

make() {
    as_owner touch "$folder/begun"
    as_owner "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --no-locale -N >/dev/null
    # The socket's folder is relative to the data's, which spares quoting it.
    as_owner tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '..'
CONF
    start
    load postgres -c "CREATE DATABASE $database"
    load "$database" <"$here/schema.sql"
    load "$database" -v "first=$first" -v "last=$last" <"$here/rows.sql"
    # Written last: without it the tables may be incomplete.
    as_owner touch "$folder/complete"
}

# Runs what is on standard input. The caller's own settings of libpq must not matter.
load() {
    env -u PGOPTIONS -u PGSERVICE -u PGHOSTADDR -u PGSSLMODE \
        "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U postgres -d "$@"
}

usage="usage: $0 FOLDER [PORT | stop]"
[ $# -eq 1 ] || [ $# -eq 2 ] || fail "$usage"
case ${2:-$default_port} in
    stop) port= ;;
    *[!0-9]* | '') fail "$usage" ;;
    *) port=${2:-$default_port} ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
bin=$(programs)
owner=
if [ "$(id -u)" -eq 0 ]; then
    owner=nobody
    id postgres >/dev/null 2>&1 && owner=postgres
fi

if [ -z "$port" ]; then
    folder=$(cd "$1" && pwd)
    # Elsewhere than in a folder that the owner may not enter.
    cd /
    as_owner "$bin/pg_ctl" -D "$folder/data" -m fast -w -s stop
    exit
fi

case $1 in
    *\'* | *\"*) fail "PostgreSQL's own pg_ctl fails for a folder with a quote in its name" ;;
esac
if [ -e "$1" ] && [ ! -f "$1/begun" ] && [ -n "$(ls -A "$1")" ]; then
    fail "\"$1\" is not empty, and not a folder that this script has made; choose another"
fi
there=$([ -d "$1" ] && echo yes || :)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd /
if [ -n "$owner" ]; then
    chown "$owner" "$folder"
    if ! as_owner test -w "$folder/."; then
        [ -n "$there" ] || rmdir "$folder"
        fail "user $owner cannot reach \"$folder\"; choose one below /tmp"
    fi
fi
if [ -f "$folder/complete" ]; then
    start
else
    # What is left of an attempt that failed, if there is any.
    as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate -w -s stop 2>/dev/null || :
    as_owner rm -rf "$folder/data" "$folder/server.log"
    make
fi

cat <<TEXT
PostgreSQL runs, with 21 hot tables in
    postgresql://postgres@127.0.0.1:$port/$database
Stop it with
    $0 "$folder" stop
TEXT
