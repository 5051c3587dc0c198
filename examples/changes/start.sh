#!/bin/sh
# Starts what `pg_changes` reads from: a throw-away PostgreSQL with the tables of schema.sql, a
# Kafka of one node, and a Kafka Connect with Debezium's connector for PostgreSQL.
#
#     examples/changes/start.sh FOLDER           make them in FOLDER, or start them again there
#     examples/changes/start.sh FOLDER wait      until Debezium has written what is committed
#     examples/changes/start.sh FOLDER change    make the changes of change.sql, and wait likewise
#     examples/changes/start.sh FOLDER stop      stop them; what is in FOLDER stays
#
# They listen on 127.0.0.1 alone, and let in whoever is on this machine: PostgreSQL on port 5435,
# Kafka on 9092 and 9093, Connect on 8083. POSTGRES_PORT, KAFKA_PORT, KAFKA_CONTROLLER_PORT and
# CONNECT_PORT in the environment are other ports. Run by root, it hands FOLDER to `postgres` or
# `nobody`, who then runs everything, because PostgreSQL refuses to be run by root.
#
# It needs PostgreSQL's programs, Java 17, curl or wget, and for the first start Maven, which
# fetches Kafka and Debezium (60 MB).
set -eu

database=shop
role=cdc
postgres_port=${POSTGRES_PORT:-5435}
kafka_port=${KAFKA_PORT:-9092}
controller_port=${KAFKA_CONTROLLER_PORT:-9093}
connect_port=${CONNECT_PORT:-8083}
# Seconds that a server may take to answer, and Debezium to write what is committed.
patience=180

# shellcheck source=examples/postgres.sh
. "$(dirname "$0")/../postgres.sh"

# Java, as the servers' user finds it.
find_java() {
    java=java
    [ -z "${JAVA_HOME:-}" ] || java=$JAVA_HOME/bin/java
    # As in `openjdk version "17.0.15" 2025-04-15`.
    version=$(as_owner "$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ] ||
        fail "needs Java 17 or newer${owner:+, also for user $owner}: install openjdk-17-jre-headless, or set JAVA_HOME"
}

# Runs a program that asks for a page of this machine, which is behind no proxy.
without_proxy() {
    env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY "$@"
}

# Whether a server of this machine listens on a port of 127.0.0.1, in the kernel's own list.
listens() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v "port=$(printf %04X "$1")" '
        $4 == "0A" && $2 ~ ("^(00000000|0100007F|0+|0+FFFF00000100007F):" port "$") { found = 1 }
        END { exit !found }'
}

# Whether Kafka or Connect runs. Its number may have gone to another process since.
runs() {
    pid=$(cat "$1.pid" 2>/dev/null) && [ -n "$pid" ] && [ "$(as_owner readlink "/proc/$pid/cwd" 2>/dev/null)" = "$folder" ]
}

postgres_runs() {
    as_owner "$bin/pg_ctl" -D data status >/dev/null 2>&1
}

# Fails, with the end of a server's log.
fail_with_log() {
    tail -n 5 "$1.log" >&2 || :
    fail "$2; \"$folder/$1.log\" says more"
}

# Starts one of Kafka's programs, and waits until the rest of the line succeeds.
launch() {
    name=$1 class=$2
    shift 2
    # shellcheck disable=SC2016
    as_owner sh -c 'trap "" HUP; log=$1.log pid=$1.pid; shift
        "$@" </dev/null >>"$log" 2>&1 &
        echo $! >"$pid"' sh "$name" "$java" @java.options "$class" "$name.properties"
    since=$(date +%s)
    until "$@"; do
        runs "$name" || fail_with_log "$name" "$name did not start"
        [ $(($(date +%s) - since)) -lt $patience ] || fail_with_log "$name" "$name did not answer within $patience s"
        sleep 0.2
    done
}

# Connect answers before it has read its topics in Kafka, but not this.
connect_answers() {
    page=http://127.0.0.1:$connect_port/connectors
    if command -v curl >/dev/null; then
        without_proxy curl -s -f -m 10 -o /dev/null "$page"
    else
        without_proxy wget -q -T 10 -O /dev/null "$page"
    fi
}

# Stops Kafka or Connect, if it runs.
halt() {
    ! runs "$1" || as_owner sh -c "kill -TERM $pid" || :
    looks=0
    while runs "$1"; do
        looks=$((looks + 1))
        [ $looks -ne 150 ] || as_owner sh -c "kill -KILL $pid" || :
        sleep 0.2
    done
    as_owner rm -f "$1.pid"
}

stop() {
    halt connect
    halt kafka
    ! postgres_runs || as_owner "$bin/pg_ctl" -D data -m fast -w -s stop
}

# What is left of a start that failed or was interrupted.
undo() {
    code=$?
    trap - EXIT INT TERM HUP
    [ $code -eq 0 ] || stop || :
    exit $code
}

# Kafka and Debezium, once. A copy of the list, written last, marks them as whole.
fetch() {
    ! cmp -s "$pom" jars/complete || return 0
    command -v mvn >/dev/null || fail "needs Maven 3.8 or newer: install maven, or what your system calls it"
    echo "Maven fetches Kafka and Debezium; that takes a minute the first time."
    rm -rf jars
    # Maven says what is wrong on standard output.
    said=$(mvn --batch-mode --quiet --strict-checksums dependency:copy-dependencies --file "$pom" \
        "-DoutputDirectory=$folder/jars" 2>&1) || fail "Maven could not fetch them:
$said"
    cp "$pom" jars/complete
    chmod -R a+rX jars
}

# The files of all settings, which have the ports.
configure() {
    as_owner tee log4j2.properties <"$stack/log4j2.properties" >/dev/null
    as_owner tee java.options >/dev/null <<CONF
-Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
-Dlog4j2.configurationFile=log4j2.properties -cp jars/*
CONF
    as_owner tee kafka.properties >/dev/null <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=PLAINTEXT://127.0.0.1:$kafka_port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$kafka_port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=kafka
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
CONF
    as_owner tee connect.properties >/dev/null <<CONF
bootstrap.servers=127.0.0.1:$kafka_port
group.id=connect
listeners=http://127.0.0.1:$connect_port
config.storage.topic=connect-config
config.storage.replication.factor=1
offset.storage.topic=connect-offset
offset.storage.replication.factor=1
offset.storage.partitions=1
offset.flush.interval.ms=500
status.storage.topic=connect-status
status.storage.replication.factor=1
status.storage.partitions=1
session.timeout.ms=6000
heartbeat.interval.ms=1000
scheduled.rebalance.max.delay.ms=0
plugin.discovery=service_load
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
CONF
}

start_postgres() {
    as_owner "$bin/pg_ctl" -D data -l postgres.log -o "-p $postgres_port" -w -s start ||
        fail_with_log postgres "PostgreSQL did not start"
}

# Makes the database, and Kafka's folder; PostgreSQL runs then.
make() {
    as_owner "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-locale -N >/dev/null
    # The socket's folder is relative to the data's, which spares quoting it.
    as_owner tee -a data/postgresql.conf >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '..'
wal_level = logical
max_slot_wal_keep_size = '1GB'
CONF
    start_postgres
    ask postgres postgres "CREATE ROLE $role LOGIN REPLICATION" "CREATE DATABASE $database OWNER $role"
    load <"$here/schema.sql"
    # Any 16 bytes in base64 name a cluster.
    said=$(as_owner "$java" @java.options kafka.tools.StorageTool format --cluster-id bGFrZWZyb250LXNob3AwMA \
        --config kafka.properties 2>&1) || fail "Kafka's folder could not be made: $said"
}

# Runs PostgreSQL's client as a user. The caller's own settings of libpq must not matter.
client_of() {
    env -u PGOPTIONS -u PGSERVICE -u PGHOSTADDR -u PGSSLMODE PGCLIENTENCODING=UTF8 \
        "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$postgres_port" -U "$@"
}

# Runs what is on standard input as the role that has the tables, in one session.
load() {
    client_of "$role" -d "$database" >/dev/null
}

# Runs statements as a user in a database, and prints what they return.
ask() {
    user=$1 place=$2
    shift 2
    for statement in "$@"; do
        client_of "$user" -d "$place" -c "$statement" </dev/null
    done
}

# Waits until Debezium has confirmed PostgreSQL's log as far as it goes now, which it does once
# Kafka has all events from there.
wait_for_debezium() {
    # This message is in the log behind all that is committed; the connector passes over it.
    lsn=$(ask postgres "$database" "SELECT pg_logical_emit_message(false, 'lakefront_heartbeat', 'wait')")
    since=$(date +%s)
    until [ "$(ask postgres "$database" "SELECT bool_and(confirmed_flush_lsn >= '$lsn') FROM $slots")" = t ]; do
        [ $(($(date +%s) - since)) -lt $patience ] ||
            fail "Debezium has not written all within $patience s; see what \`lakefront debezium status\` says"
        sleep 0.2
    done
}

usage="usage: $0 FOLDER [wait | change | stop]"
[ $# -eq 1 ] || [ $# -eq 2 ] || fail "$usage"
what=${2:-start}
case $what in
    start | wait | change | stop) ;;
    *) fail "$usage" ;;
esac
for port in "$postgres_port" "$kafka_port" "$controller_port" "$connect_port"; do
    case $port in
        *[!0-9]*) fail "\"$port\" is no port" ;;
    esac
done

here=$(cd "$(dirname "$0")" && pwd)
# The one list of what is fetched, which the tests have too.
stack=$here/../../tests/kafka/stack
pom=$stack/pom.xml
bin=$(programs)
owner=
if [ "$(id -u)" -eq 0 ]; then
    owner=nobody
    id postgres >/dev/null 2>&1 && owner=postgres
fi

if [ "$what" != start ]; then
    [ -f "$1/begun" ] || fail "\"$1\" is no folder that this script has made"
    folder=$(cd "$1" && pwd -P)
    cd "$folder"
    if [ "$what" = stop ]; then
        stop
        exit
    fi
    postgres_runs || fail "nothing runs in \"$folder\"; start it with \`$0 \"$folder\"\`"
    # It may have been started on another port than that of the environment.
    postgres_port=$(sed -n 4p data/postmaster.pid)
    slots="pg_replication_slots WHERE database = '$database'"
    [ "$(ask postgres "$database" "SELECT count(*) > 0 FROM $slots")" = t ] ||
        fail "no connector reads from it yet; run \`lakefront debezium register examples/pg_changes.toml\`"
    [ "$what" = wait ] || load <"$here/change.sql"
    wait_for_debezium
    exit
fi

[ -f "$pom" ] || fail "\"$pom\" is missing; run this script where it lies in the repository"
if [ -e "$1" ] && [ ! -f "$1/begun" ] && [ -n "$(ls -A "$1")" ]; then
    fail "\"$1\" is not empty, and not a folder that this script has made; choose another"
fi
there=$([ -d "$1" ] && echo yes || :)
mkdir -p "$1"
folder=$(cd "$1" && pwd -P)
if [ -n "$owner" ]; then
    chown "$owner" "$folder"
    # From elsewhere than a folder that the owner may not enter.
    if ! (cd / && as_owner test -w "$folder/."); then
        [ -n "$there" ] || rmdir "$folder"
        fail "user $owner cannot reach \"$folder\"; choose one below /tmp"
    fi
fi
# Names are relative from here on, so that no letter in them matters.
cd "$folder"
as_owner touch begun
if postgres_runs || runs kafka || runs connect; then
    fail "it runs already; stop it with \`$0 \"$folder\" stop\`"
fi
find_java
command -v curl >/dev/null || command -v wget >/dev/null || fail "needs curl or wget; install one of them"
fetch
for of in "POSTGRES_PORT $postgres_port" "KAFKA_PORT $kafka_port" "KAFKA_CONTROLLER_PORT $controller_port" \
    "CONNECT_PORT $connect_port"; do
    ! listens "${of#* }" ||
        fail "port ${of#* } is taken: stop what listens there, or set ${of% *} to another, also in the pipeline file"
done
trap undo EXIT
trap 'exit 1' INT TERM HUP
configure
if [ -f complete ]; then
    start_postgres
else
    # What is left of an attempt that failed, if there is any.
    as_owner rm -rf data kafka postgres.log kafka.log connect.log
    make
    # Written last: without it something may be incomplete.
    as_owner touch complete
fi
launch kafka kafka.Kafka listens "$kafka_port"
launch connect org.apache.kafka.connect.cli.ConnectDistributed connect_answers

cat <<TEXT
PostgreSQL runs, with the tables of a shop in
    postgresql://$role@127.0.0.1:$postgres_port/$database
Kafka runs on 127.0.0.1:$kafka_port, and Connect, with Debezium, on http://127.0.0.1:$connect_port
Stop them with
    $0 "$folder" stop
TEXT
