//! Package files over HTTP: whole, in parts, by conditions, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Server, Store, target};

const WEB: &str = "com.example:web:1.2.0";

#[test]
fn a_package_file_comes_whole_and_may_be_cached_forever() {
    let store = Store::empty();
    let bytes = store.put(WEB, "any", 300_000);
    let answer = Server::start(&store).get(&target(WEB, "any"));
    assert_eq!((answer.status, &answer.body), (200, &bytes));
    assert_eq!(answer.header("content-length"), Some(bytes.len().to_string().as_str()));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(answer.header("content-type"), Some("application/vnd.copkg.package"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.tag().starts_with('"'), "{}", answer.tag());
}

#[test]
fn one_range_brings_these_bytes_and_no_others() {
    let store = Store::empty();
    let bytes = store.put(WEB, "any", 300_000);
    let server = Server::start(&store);
    let size = bytes.len();
    let whole = 0..size;
    let table = [
        ("bytes=0-0".to_owned(), 206, 0..1),
        ("bytes=0-511".to_owned(), 206, 0..512),
        ("bytes=65535-65536".to_owned(), 206, 65535..65537),
        ("bytes=1000-200000".to_owned(), 206, 1000..200_001),
        (format!("bytes={}-", size - 1), 206, size - 1..size),
        ("bytes=-1".to_owned(), 206, size - 1..size),
        ("bytes=-99999999".to_owned(), 206, whole.clone()),
        ("bytes=7-99999999999999999999999".to_owned(), 206, 7..size),
        (format!("bytes={size}-"), 416, 0..0),
        ("bytes=-0".to_owned(), 416, 0..0),
        ("bytes=99999999999999999999999-".to_owned(), 416, 0..0),
        ("bytes=0-1,5-6".to_owned(), 200, whole.clone()),
        ("bytes=5-4".to_owned(), 200, whole.clone()),
        ("bytes=x".to_owned(), 200, whole.clone()),
        ("pages=1-2".to_owned(), 200, whole),
    ];
    for (range, status, part) in table {
        let answer = server.request("GET", &target(WEB, "any"), &[("range", &range)]);
        assert_eq!(answer.status, status, "{range}");
        if status == 416 {
            assert_eq!(answer.header("content-range"), Some(format!("bytes */{size}").as_str()), "{range}");
            assert_eq!(answer.code(), "range_not_satisfiable");
            assert_eq!(answer.header("cache-control"), Some("no-cache"));
            continue;
        }
        let described = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
        assert_eq!(answer.header("content-range"), (status == 206).then_some(described.as_str()), "{range}");
        assert!(answer.body == bytes[part], "{range}");
    }
}

#[test]
fn head_says_what_get_says_without_the_bytes() {
    let store = Store::empty();
    store.put(WEB, "any", 1000);
    let server = Server::start(&store);
    let lines = |head: &str| {
        let varying = ["date:", "x-request-id:"];
        let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
        lines.retain(|line| !varying.iter().any(|name| line.starts_with(name)));
        lines.sort();
        lines
    };
    for path in [&target(WEB, "any"), "/api/v1/packages", "/healthz", "/nowhere", "/targets/aa/b"] {
        let (get, head) = (server.get(path), server.request("HEAD", path, &[]));
        assert_eq!(lines(&get.head), lines(&head.head), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
    let ranged = server.request("HEAD", &target(WEB, "any"), &[("range", "bytes=0-1")]);
    assert_eq!(ranged.status, 200, "a range means nothing to HEAD");
}

#[test]
fn conditions_are_judged_before_ranges() {
    let store = Store::empty();
    let bytes = store.put(WEB, "any", 1000);
    let server = Server::start(&store);
    let path = target(WEB, "any");
    let tag = server.get(&path).tag();
    let weak = format!("W/{tag}");
    let list = format!("\"other\", {tag}");
    let status = |headers: &[(&str, &str)]| server.request("GET", &path, headers).status;
    let part = ("range", "bytes=0-9");
    assert_eq!(status(&[("if-none-match", &tag)]), 304);
    assert_eq!(status(&[("if-none-match", &weak), part]), 304);
    assert_eq!(status(&[("if-none-match", &list)]), 304);
    assert_eq!(status(&[("if-none-match", "*")]), 304);
    assert_eq!(status(&[("if-none-match", "\"other\""), part]), 206);
    assert_eq!(status(&[("if-match", &list), part]), 206);
    assert_eq!(status(&[("if-match", "\"other\""), part]), 412);
    assert_eq!(status(&[("if-match", &weak)]), 412);
    assert_eq!(status(&[("if-range", &tag), part]), 206);
    assert_eq!(status(&[("if-range", &weak), part]), 200);
    assert_eq!(status(&[("if-range", "Sat, 21 Nov 2026 09:00:00 GMT"), part]), 200);
    assert_eq!(server.request("HEAD", &path, &[("if-none-match", &tag)]).status, 304);

    let unmodified = server.request("GET", &path, &[("if-none-match", &tag)]);
    assert!(unmodified.body.is_empty());
    assert_eq!(unmodified.tag(), tag);
    assert_eq!(unmodified.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(server.request("GET", &path, &[("if-match", "\"x\"")]).code(), "precondition_failed");
    assert_eq!(server.request("GET", &path, &[("if-range", "\"old\""), part]).body, bytes);
}

#[test]
fn other_bytes_have_another_tag_even_with_the_old_size_and_time() {
    let store = Store::empty();
    let mut bytes = store.put(WEB, "any", 1000);
    let server = Server::start(&store);
    let path = target(WEB, "any");
    let tag = server.get(&path).tag();
    let file = store.place(WEB, "any");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    bytes[900] ^= 1;
    fs::write(&file, &bytes).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    let resumed = server.request("GET", &path, &[("if-range", &tag), ("range", "bytes=500-")]);
    assert_eq!((resumed.status, resumed.body), (200, bytes));
}

#[test]
fn nothing_outside_of_the_store_and_nothing_unfinished_can_be_read() {
    let store = Store::empty();
    let outside = Store::empty();
    store.put(WEB, "any", 1000);
    outside.put("com.example:evil:1", "any", 1000);
    let path = target(WEB, "any");
    let directory = store.place(WEB, "any").parent().unwrap().to_owned();
    fs::write(directory.join(".tmp-abc"), "half").unwrap();
    fs::write(directory.join("web-1.2.0-any.copkg#1"), "half").unwrap();
    fs::write(store.path().join("secret"), "key").unwrap();
    // A link as a file, a link as a directory, a directory as a file.
    symlink(store.path().join("secret"), store.place(WEB, "x86_64-linux")).unwrap();
    fs::create_dir_all(store.place(WEB, "aarch64-linux")).unwrap();
    let evil = store.place("com.example:evil:1", "any");
    fs::remove_dir(evil.parent().unwrap()).unwrap();
    fs::remove_dir(evil.parent().unwrap().parent().unwrap()).unwrap();
    let evil_source = outside.place("com.example:evil:1", "any");
    symlink(evil_source.ancestors().nth(2).unwrap(), evil.ancestors().nth(2).unwrap()).unwrap();
    let fifo = store.place(WEB, "riscv64-linux");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();

    let server = Server::start(&store);
    let parent = path.rsplit_once('/').unwrap().0;
    let attempts = [
        target(WEB, "x86_64-linux"),
        target(WEB, "aarch64-linux"),
        target(WEB, "riscv64-linux"),
        target("com.example:evil:1", "any"),
        "/secret".into(),
        "/targets/../secret".into(),
        "/targets/%2e%2e/secret".into(),
        "/targets/%2E%2E%2Fsecret".into(),
        "/targets/..%2f..%2f..%2f..%2fetc%2fpasswd".into(),
        "/targets/aa/bb/cc/dd/../../../../../secret".into(),
        "/targets//etc/passwd".into(),
        "//etc/passwd".into(),
        "/targets/%00".into(),
        format!("{path}%00"),
        format!("{path}/"),
        format!("{path}%23"),
        format!("{parent}/.tmp-abc"),
        format!("{parent}/web-1.2.0-any.copkg%231"),
        parent.to_owned(),
        format!("{parent}/"),
        "/targets".into(),
        "/targets/".into(),
        path.replace("/web/", "%2fweb/"),
        path.replace("/web/", "/web%5c"),
        "http://elsewhere/etc/passwd".into(),
        format!("/{path}"),
    ];
    for attempt in attempts {
        let answer = server.get(&attempt);
        assert_eq!(answer.status, 404, "{attempt}");
        let code = answer.code();
        assert!(
            ["package_not_found", "not_a_package_path", "path_not_found"].contains(&code.as_str()),
            "{code}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{attempt}");
    }
    for raw in
        [&b"GET /targets/\0 HTTP/1.1\r\nhost: a\r\n\r\n"[..], b"GET ../secret HTTP/1.1\r\nhost: a\r\n\r\n"]
    {
        assert_eq!(server.raw(raw).status, 400);
    }
    // An absolute address is another way to write this path, not another server.
    assert_eq!(server.get(&format!("http://elsewhere{path}")).status, 200);
}

#[test]
fn a_file_that_is_replaced_during_a_download_arrives_as_it_was() {
    use std::io::{Read as _, Write as _};
    let store = Store::empty();
    let old = store.put(WEB, "any", 20_000_000);
    let server = Server::start(&store);
    let mut stream = server.connect();
    let request = format!("GET {} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", target(WEB, "any"));
    stream.write_all(request.as_bytes()).unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    let next = store.path().join("next");
    fs::write(&next, vec![9; old.len()]).unwrap();
    fs::rename(&next, store.place(WEB, "any")).unwrap();
    let answer = crate::support::Answer::read_after(first.to_vec(), &mut stream);
    assert!(answer.body == old);
}
