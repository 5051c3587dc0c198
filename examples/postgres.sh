# shellcheck shell=sh
# What the scripts share that start a throw-away PostgreSQL. They set `owner`: the user who runs its
# programs, or nothing if that is whoever has called.

fail() {
    printf 'start.sh: %s\n' "$1" >&2
    exit 1
}

# Where PostgreSQL's programs are: Debian keeps those of a server out of the PATH.
programs() {
    for place in "$(dirname "$(command -v initdb || :)")" \
        $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t / -k 5,5nr) \
        "$(pg_config --bindir 2>/dev/null || :)"; do
        if [ -x "$place/initdb" ] && [ -x "$place/pg_ctl" ] && [ -x "$place/psql" ]; then
            printf '%s\n' "$place"
            return
        fi
    done
    fail "found no initdb, pg_ctl and psql; install the package \`postgresql\`"
}

# Runs a program as somebody who is not root.
as_owner() {
    if [ -z "$owner" ]; then
        "$@"
    elif command -v setpriv >/dev/null; then
        setpriv --reuid "$(id -u "$owner")" --regid "$(id -g "$owner")" --clear-groups -- "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$owner" -- "$@"
    else
        fail "needs setpriv or runuser to stop being root; or start it as another user"
    fi
}
