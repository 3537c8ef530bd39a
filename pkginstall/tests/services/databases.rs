//! Rehearsals of real databases: the copy of one that runs is one that starts, with everything that was acknowledged.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use copkg_spec::manifest::{Health, Parameter, Rehearsal};

use super::scene::{Host, PACKAGE, Package, Ran, SERVICE};

const NEXT: &str = "com.example:web:2.0";

/// Finds its port, its programs and its directory.
const BEGIN: &str = "#!/bin/sh\nset -e\nPATH=/usr/lib/postgresql/15/bin:/usr/sbin:$PATH\n\
    for o; do case $o in --port=*) port=${o#*=} ;; --snapshot-dir=*) into=${o#*=} ;; esac; done\ncd \"$COPKG_RUNTIME_DIR\"\n";

/// A database: how it is served, asked and copied.
struct Database {
    /// A program without which it cannot be tried.
    program: &'static str,
    /// The account that it runs as when root starts it.
    account: Option<&'static str>,
    /// Makes an empty database where there is none, and becomes the server.
    server: &'static str,
    /// Stores 1000 rows.
    fill: &'static str,
    /// Prints how many there are.
    count: &'static str,
}

const POSTGRESQL: Database = Database {
    program: "postgres",
    account: Some("postgres"),
    server: "[ -e data/pg/PG_VERSION ] || initdb -D data/pg -A trust -U app >/dev/null\n\
        exec postgres -D data/pg -p $port -h 127.0.0.1 -c unix_socket_directories=\n",
    fill: "psql -q -h 127.0.0.1 -p $port -U app postgres -c 'create table t as select generate_series(1, 1000)'\n",
    count: "psql -At -h 127.0.0.1 -p $port -U app postgres -c 'select count(*) from t'",
};

const MARIADB: Database = Database {
    program: "mariadbd",
    account: Some("mysql"),
    server: "[ -e data/my/mysql ] || mariadb-install-db --no-defaults --datadir=\"$PWD/data/my\" \
        --auth-root-authentication-method=normal --skip-test-db >/dev/null\n\
        exec mariadbd --no-defaults --datadir=\"$PWD/data/my\" --bind-address=127.0.0.1 --port=$port --socket=my.sock\n",
    fill: "mariadb --no-defaults -h 127.0.0.1 -P $port -u root -e 'create or replace database app; use app; create table t as \
        select seq from seq_1_to_1000'\n",
    count: "mariadb --no-defaults -h 127.0.0.1 -P $port -u root -N -e 'select count(*) from app.t'",
};

const REDIS: Database = Database {
    program: "redis-server",
    account: None,
    server: "exec redis-server --port $port --bind 127.0.0.1 --dir \"$PWD/data\" --save '' --appendonly no\n",
    fill: "redis-cli -p $port eval 'for i = 1, 1000 do redis.call(\"set\", i, i) end' 0 >/dev/null\n",
    count: "redis-cli -p $port dbsize",
};

/// It writes ahead: what was committed last is in no file that a copy file by file takes whole.
const SQLITE: Database = Database {
    program: "python3",
    account: None,
    server: "cat >run/server.py <<'END'\nimport http.server, sqlite3, sys\n\
        db = sqlite3.connect('data/app.db', isolation_level=None)\n\
        db.execute('pragma journal_mode=wal')\ndb.execute('pragma wal_autocheckpoint=0')\n\
        db.execute('create table if not exists t (n)')\n\
        class Handler(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        if self.path == '/fill':\n            \
        db.execute('begin')\n            db.executemany('insert into t values (?)', [(n,) for n in range(1000)])\n            \
        db.execute('commit')\n        count = str(db.execute('select count(*) from t').fetchone()[0]).encode()\n        \
        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(count)\n\
        http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\nEND\nexec python3 run/server.py $port\n",
    fill: "python3 -c \"import urllib.request as r; r.urlopen('http://127.0.0.1:$port/fill')\"\n",
    count: "python3 -c \"import urllib.request as r; print(r.urlopen('http://127.0.0.1:$port/').read().decode())\"",
};

impl Database {
    /// Says why it cannot be tried here.
    fn missing(&self) -> Option<String> {
        let paths = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/lib/postgresql/15/bin"];
        let is_program = |path: &&str| {
            let file = std::path::Path::new(path).join(self.program);
            file.metadata().is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
        };
        if !paths.iter().any(is_program) {
            return Some(format!("{} is not installed", self.program));
        }
        let account = self.account.filter(|_| rustix::process::geteuid().is_root())?;
        let known = Command::new("id").arg(account).output().is_ok_and(|done| done.status.success());
        (!known).then(|| format!("there is no account {account}"))
    }

    /// A package of it. While it is rehearsed it is well only with all of its rows.
    fn package(&self) -> Package {
        let count = self.count;
        let check = format!(
            "{BEGIN}count=$({count}) || [ -z \"$COPKG_REHEARSAL\" ]\necho \"$count\"\n\
             [ -z \"$COPKG_REHEARSAL\" ] || [ \"$count\" = 1000 ]\n"
        );
        let account = self.account;
        Package::serving(&format!("{BEGIN}{}", self.server)).with("script.d/check", &check).that(|service| {
            let name = "port".parse().unwrap();
            service.parameters = vec![Parameter { name, default: None, description: None }];
            service.check = Some("script.d/check".parse().unwrap());
            service.start_timeout_seconds = 60;
            service.user = account.filter(|_| rustix::process::geteuid().is_root()).map(str::to_owned);
            service.health = Some(Health {
                tcp: Some("127.0.0.1:{{ parameter.port }}".into()),
                interval_milliseconds: 100,
                healthy_milliseconds: 0,
                deadline_milliseconds: 60_000,
                ..Health::default()
            });
        })
    }

    /// The first version of it runs and holds its rows, `next` is installed.
    fn host(&self, first: &Package, next: &Package) -> Option<Host> {
        if let Some(why) = self.missing() {
            copkg_skip::skip(&format!("a rehearsal of {}", self.program), why);
            return None;
        }
        let host = Host::with(first);
        host.install(NEXT, next);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        host.run(&["start", PACKAGE, "--as", SERVICE, "--", &format!("--port={port}")]).ok();
        super::scene::eventually("it answers", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let fill = format!("PATH=/usr/lib/postgresql/15/bin:$PATH\nport={port}\n{}", self.fill);
        super::scene::eventually("it takes rows", || {
            Command::new("sh").args(["-c", &fill]).status().unwrap().success()
        });
        Some(host)
    }
}

fn rehearse(host: &Host) -> Ran {
    host.run(&["--json", "rehearse", SERVICE, "--to", "2.0"])
}

fn excluding(package: Package, globs: &[&str]) -> Package {
    let exclude = globs.iter().map(ToString::to_string).collect();
    package.that(|service| service.rehearsal = Some(Rehearsal { exclude, ..Rehearsal::default() }))
}

fn copied_by(package: Package, script: &str) -> Package {
    let script = format!("{BEGIN}[ \"$COPKG_REHEARSAL\" = 1 ]\n{script}");
    package
        .with("script.d/snapshot", &script)
        .that(|service| service.snapshot = Some("script.d/snapshot".parse().unwrap()))
}

#[test]
fn a_rehearsal_of_postgresql_leaves_the_lock_of_the_server_out() {
    let plain = POSTGRESQL.package();
    let Some(host) = POSTGRESQL.host(&plain, &excluding(POSTGRESQL.package(), &["postmaster.pid"])) else {
        return;
    };
    rehearse(&host).ok();
    host.install("com.example:web:3.0", &plain);
    let refused = host.run(&["--json", "rehearse", SERVICE, "--to", "3.0"]);
    assert_eq!(
        refused.json()["error"]["code"],
        "rehearsal_failed",
        "a copy with the lock of a server that lives"
    );
    host.stop().ok();
}

#[test]
fn a_rehearsal_of_postgresql_works_on_its_own_backup() {
    let backup = "pg_basebackup -h 127.0.0.1 -p $port -U app -D \"$into/pg\" -X stream -c fast\n";
    let package = copied_by(POSTGRESQL.package(), backup);
    let Some(host) = POSTGRESQL.host(&package, &package) else { return };
    let passed = rehearse(&host).ok().json();
    assert!(passed["rehearsal"]["copied_bytes"].as_u64().unwrap() > 1_000_000, "{passed}");
    host.stop().ok();
}

#[test]
fn a_rehearsal_of_mariadb_passes() {
    let package = excluding(MARIADB.package(), &["*.pid"]);
    let Some(host) = MARIADB.host(&package, &package) else { return };
    rehearse(&host).ok();
    host.stop().ok();
}

#[test]
fn a_rehearsal_of_redis_has_what_no_file_holds() {
    let package = copied_by(REDIS.package(), "redis-cli -p $port --rdb \"$into/dump.rdb\"\n");
    let Some(host) = REDIS.host(&REDIS.package(), &package) else { return };
    rehearse(&host).ok();
    let impatient = REDIS.package().that(|service| {
        if let Some(health) = &mut service.health {
            health.deadline_milliseconds = 2_000;
        }
    });
    host.install("com.example:web:3.0", &impatient);
    let lacking = host.run(&["--json", "rehearse", SERVICE, "--to", "3.0"]);
    assert_eq!(lacking.json()["error"]["code"], "rehearsal_failed", "{lacking:?}");
    host.stop().ok();
}

#[test]
fn a_rehearsal_of_sqlite_has_what_was_committed_last() {
    let backup = "python3 -c \"import sqlite3, sys; \
        sqlite3.connect('data/app.db').backup(sqlite3.connect(sys.argv[1]))\" \"$into/app.db\"\n";
    let package = copied_by(SQLITE.package(), backup);
    let Some(host) = SQLITE.host(&SQLITE.package(), &package) else { return };
    rehearse(&host).ok();
    host.stop().ok();
}
