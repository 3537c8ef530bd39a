//! Tests of what leads outside and what does not.

use super::*;

fn leads(name: &str, value: &str) -> Vec<String> {
    destinations(name, value).iter().map(ToString::to_string).collect()
}

#[test]
fn an_address_is_found_in_every_form_that_programs_take() {
    for (value, found) in [
        ("db.example.com:5432", "db.example.com"),
        ("db:5432", "db"),
        ("127.0.0.1:5432", "127.0.0.1"),
        ("10.0.0.7", "10.0.0.7"),
        ("127.0.0.1:", "127.0.0.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("db1.prod.osl", "db1.prod.osl"),
        ("example.com", "example.com"),
        ("b\u{fc}cher.example", "b\u{fc}cher.example"),
        ("postgres://app:pw@db.example.com/app?sslmode=require", "db.example.com"),
        ("postgresql:///app?host=/var/run/postgresql", "/var/run/postgresql"),
        ("postgresql://%2Fvar%2Frun%2Fpostgresql/app", "/var/run/postgresql"),
        ("host=db1 port=5432 dbname=app", "db1"),
        ("hostaddr=10.1.2.3", "10.1.2.3"),
        ("jdbc:postgresql://db1/app", "db1"),
        ("app:pw@tcp(db1:3306)", "db1"),
        ("Server=tcp:db1,1433;Database=app", "db1"),
        ("scott/tiger@//ora1:1521/app", "ora1"),
        ("{\"url\": \"amqp://mq.example.com\"}", "mq.example.com"),
        ("redis://:pw@cache", "cache"),
        ("https://api/v1", "api"),
        ("//db1:1521/x", "db1"),
        ("[k1:9092]", "k1"),
        ("ops@example.com", "example.com"),
        ("registry.example.com/app:1", "registry.example.com"),
        ("/run/app.sock", "/run/app.sock"),
        ("unix:/run/app.sock", "/run/app.sock"),
        ("unix:///run/app.sock", "/run/app.sock"),
        ("http+unix://%2Frun%2Fapp.sock/x", "/run/app.sock"),
        ("file:///srv/data", "/srv/data"),
        ("sqlite:////srv/app.db", "/srv/app.db"),
        ("../2.web.prod.osl/data", "../2.web.prod.osl/data"),
    ] {
        assert_eq!(leads("setting", value), [found], "{value}");
    }
    assert_eq!(leads("brokers", "k1:9092,k2:9092"), ["k1", "k2"]);
    assert_eq!(leads("mongo", "mongodb://a:1,b:2/db"), ["a", "b"]);
}

#[test]
fn what_is_no_address_is_let_pass() {
    for value in [
        "",
        "fast",
        "1.2.3",
        "12:30",
        "12:30:00",
        "2026-01-01T10:30:00",
        "de_DE.UTF-8",
        "index.html",
        "web.conf",
        "com.example.web",
        "text/html",
        "data/app.db",
        "sqlite:///app.db",
        "*/5 * * * *",
        "10.0.0.0/8",
        "fe80::/10",
        "mysite.wsgi:application",
        "%h %l %u",
        "aa:bb:cc:dd:ee:ff",
        "[info] started",
        "@daily",
        "a=b",
        "64MiB",
        "-1",
        "https",
        "Hello, world.",
    ] {
        assert_eq!(leads("setting", value), [""; 0], "{value}");
    }
}

#[test]
fn the_name_of_a_setting_says_whose_an_address_is() {
    for name in ["listen", "http_listen", "bind-address", "listener"] {
        assert_eq!(leads(name, "10.0.0.7:80"), [""; 0], "{name}");
    }
    for value in ["127.0.0.1", "localhost", "0.0.0.0", "::", "[::1]"] {
        assert_eq!(leads("host", value), [""; 0], "{value}");
    }
    assert_eq!(leads("host", "db1"), ["db1"]);
    assert_eq!(leads("db_host", "localhost"), ["localhost"], "another service listens there");
    assert_eq!(leads("db_host", "db1"), ["db1"]);
    assert_eq!(leads("mode", "db1"), [""; 0]);
    assert_eq!(leads("web", "0.0.0.0:80"), [""; 0], "no peer is called so");
    assert_eq!(leads("listen", "/run/web.sock"), ["/run/web.sock"], "whoever listens there owns the path");
}

#[test]
fn of_a_secret_only_what_is_hardly_chance_counts() {
    let leads = |name, value| destinations_of_secret(name, value).len();
    assert_eq!(leads("dsn", "postgres://app:pw@db/app"), 1);
    assert_eq!(leads("dsn", "db:5432"), 1);
    assert_eq!(leads("dsn", "/run/postgresql/.s.sock"), 1);
    assert_eq!(leads("db_host", "db1"), 1);
    for password in ["hunter2", "correct.horse.battery", "/Zm9v+YmFy==", "p@ss.word"] {
        assert_eq!(leads("password", password), 0, "{password}");
    }
}

#[test]
fn an_endpoint_has_a_host_and_no_password() {
    for good in [
        "db:5432",
        "db.example.com:1",
        "[::1]:80",
        "https://api.example.com/v1",
        "redis://cache",
        "unix:///run/x",
    ] {
        assert_eq!(broken_endpoint(good), None, "{good}");
    }
    for bad in ["", "db", "db.example.com", "5432", ":5432x", "a b:1", "a:1,b:2", "https://", "db:70000"] {
        assert!(broken_endpoint(bad).is_some(), "{bad}");
    }
    let why = broken_endpoint("postgres://app:hunter2@db/app").unwrap();
    assert!(why.contains("password") && !why.contains("hunter2"), "{why}");
}

#[test]
fn a_port_is_known_by_its_name() {
    assert!(["port", "listen-port", "http_port"].iter().all(|name| is_port(name)));
    assert!(!["ports", "portal", "report"].iter().any(|name| is_port(name)));
}
