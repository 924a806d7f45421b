# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# What the workloads on PostgreSQL share. Source it, in the image's Debian.
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
export LC_ALL=C PGHOST=/tmp PGUSER=postgres
PGDATA=/data/postgres

as_postgres()
{
	setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
}

# A cluster of its own, with what a small guest has room for.
postgres_init()
{
	install -d -o postgres -g postgres $PGDATA
	as_postgres initdb -D $PGDATA --no-sync >/dev/null
	cat >>$PGDATA/postgresql.conf <<-'CONF'
		listen_addresses = ''
		unix_socket_directories = '/tmp'
		shared_buffers = 16MB
		work_mem = 2MB
		maintenance_work_mem = 8MB
		max_connections = 10
		max_parallel_workers_per_gather = 0
		jit = off
		# What comes by the clock would be other work in a slower guest.
		autovacuum = off
		checkpoint_timeout = 1d
		max_wal_size = 1GB
		bgwriter_lru_maxpages = 0
	CONF
}

# postgres_start [OPTION]...: up when this returns.
postgres_start()
{
	cd /tmp || exit
	as_postgres pg_ctl -D $PGDATA -s -w -t 600 -l /tmp/postgres.log -o "$*" start ||
		{ cat /tmp/postgres.log; exit 1; }
}

postgres_stop()
{
	as_postgres pg_ctl -D $PGDATA -s -w -t 600 stop
}

# While data are made: fast, and nobody minds if it is killed.
postgres_make()
{
	postgres_init
	postgres_start -c fsync=off -c shared_buffers=256MB -c maintenance_work_mem=256MB \
		-c max_wal_size=4GB -c wal_level=minimal -c max_wal_senders=0
	createdb eval
}

sql()
{
	psql -X -q -v ON_ERROR_STOP=1 eval "$@"
}

# As after a backup: statistics there, nothing left to clean, as little log as can be.
postgres_made()
{
	sql -c 'VACUUM (FREEZE, ANALYZE)' -c CHECKPOINT
	postgres_stop
	as_postgres pg_resetwal -D $PGDATA >/dev/null
	as_postgres initdb --sync-only -D $PGDATA >/dev/null
}

# transactions CLIENTS COUNT [OPTION]...: pgbench, so many transactions each, always the same.
transactions()
{
	clients=$1 count=$2
	shift 2
	pgbench -n -c "$clients" -t "$count" --random-seed=1 "$@" eval >/tmp/pgbench 2>&1 || :
	grep -q 'number of failed transactions: 0 ' /tmp/pgbench ||
		{ cat /tmp/pgbench /tmp/postgres.log; exit 1; }
}
