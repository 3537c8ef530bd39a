//! Servers that dislike one way to ask, that are two behind one name, and what is in between.

use super::*;

/// A file whose address holds its digest.
fn addressed(location: &Location) -> Location {
    let Location::Http(url) = location else { panic!() };
    Location::Http(url.join(&format!("/targets/{}.web-1-any.copkg", "ab".repeat(32))).unwrap())
}

fn answers(lines: &[&str]) -> Vec<Act> {
    lines.iter().map(|line| status(line)).collect()
}

#[test]
fn two_servers_behind_one_name_are_one_where_the_address_holds_the_digest() {
    let one = "ETag: \"one\"\r\nLast-Modified: Thu, 01 Jan 2015 00:00:00 GMT\r\n";
    let two = "ETag: W/\"two\"\r\nLast-Modified: Fri, 02 Jan 2015 00:00:00 GMT\r\n";
    let (location, requests) =
        serve(vec![whole(one, "hello", 11), part(two, " wor", 5, 11), part(one, "ld", 9, 11)]);
    assert_eq!(fetch(&addressed(&location), Span::WHOLE).unwrap(), "hello world");
    assert!(requests.iter().all(|request| !request.contains("if-range")));
}

#[test]
fn an_end_beyond_that_of_the_file_is_not_asked_for_where_its_length_is_known() {
    let first = part("", "he", 0, 11);
    let (location, requests) = serve(vec![first, part("", "llo world", 2, 11)]);
    let fetcher = fetcher();
    let stream = fetcher.open(&location, None, Span { start: 0, end: Some(2) }).unwrap();
    let mut rest = String::new();
    let span = Span { start: 2, end: Some(u64::MAX) };
    stream.origin().open(span).unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "llo world");
    assert!(requests.recv().unwrap().contains("range: bytes=0-1\n"));
    assert!(requests.recv().unwrap().contains("range: bytes=2-\n"));
}

#[test]
fn a_server_that_refuses_a_range_is_asked_for_the_rest_and_then_for_all_of_it() {
    for line in ["400 Bad Request", "416 Range Not Satisfiable", "304 Not Modified", "501 Not Implemented"] {
        let mut acts = answers(&[line, line]);
        acts.push(whole("", "hello world", 11));
        let (location, requests) = serve(acts);
        assert_eq!(fetch(&location, Span { start: 2, end: Some(5) }).unwrap(), "llo", "{line}");
        let ranges: Vec<_> = requests
            .iter()
            .map(|request| request.lines().find(|line| line.starts_with("range")).map(str::to_owned))
            .collect();
        assert_eq!(ranges, [Some("range: bytes=2-4".to_owned()), Some("range: bytes=2-".to_owned()), None]);
    }
    assert!(pauses().is_empty(), "another way to ask is no failure to wait after");
}

#[test]
fn a_server_that_answers_nothing_right_is_given_up_without_a_wait() {
    let (location, _) = serve(answers(&["304 Not Modified", "304 Not Modified", "304 Not Modified"]));
    let failure = fetch(&location, Span { start: 2, end: Some(5) }).unwrap_err();
    assert_eq!(failure.code, "server_refused");
    assert!(pauses().is_empty());
}

#[test]
fn a_server_that_turns_out_to_have_no_ranges_is_asked_for_whole_files_from_then_on() {
    let mut acts = vec![part("", "he", 0, 11)];
    acts.extend(answers(&["400 Bad Request", "400 Bad Request"]));
    acts.extend([whole("", "hello world", 11), whole("", "hello world", 11)]);
    let (location, requests) = serve(acts);
    let fetcher = fetcher();
    let origin = fetcher.open(&location, None, Span { start: 0, end: Some(2) }).unwrap().origin();
    assert_eq!(origin.parts(), Parts::Ranges);
    for span in [Span { start: 2, end: Some(5) }, Span { start: 6, end: Some(11) }] {
        let mut text = String::new();
        origin.open(span).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(
            text,
            &"hello world"[usize::try_from(span.start).unwrap()..usize::try_from(span.end.unwrap()).unwrap()]
        );
    }
    assert_eq!(origin.parts(), Parts::None);
    assert!(!requests.iter().last().unwrap().contains("range"));
}

#[test]
fn a_file_that_became_shorter_is_refused() {
    let (location, _) = serve(vec![whole("", "hello", 11), whole("", "hell", 4)]);
    assert_eq!(failure(&location).code, "changed_meanwhile");
}

#[test]
fn what_moves_is_asked_for_past_every_cache() {
    let (location, requests) = serve(vec![whole("", "ok", 2), whole("", "ok", 2)]);
    let Location::Http(url) = location else { panic!() };
    for file in ["metadata/timestamp.json", "metadata/2.snapshot.json"] {
        fetch_small(&Location::Http(url.join(file).unwrap())).unwrap();
    }
    assert!(requests.recv().unwrap().contains("cache-control: no-cache"));
    assert!(!requests.recv().unwrap().contains("cache-control"));
}

#[test]
fn a_redirect_without_end_is_given_up_at_once() {
    let again = "HTTP/1.1 302 Found\r\nLocation: /file\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (location, requests) = serve((0..30).map(|_| Act::Send(again.into())).collect());
    insta::assert_snapshot!(failure(&location), @r"
    error: cannot fetch [URL]
      cause: the server redirects more than 10 times: a loop, or a login page
      hint: check the address; in a network with a login page, log in first
    ");
    assert_eq!(requests.try_iter().count(), 11);
    assert!(pauses().is_empty());
}

#[test]
fn a_host_that_does_not_exist_is_asked_for_once() {
    let location = Location::Http(Url::parse("http://host.invalid/file").unwrap());
    let failure = failure(&location);
    // A host without any server of names cannot tell, and tries again.
    if failure.code == "network" && failure.causes[0].contains("Temporary failure") {
        return copkg_skip::skip("a host that does not exist", "no server of names answers");
    }
    assert_eq!((failure.exit, failure.code.as_str()), (Exit::Failure, "host_unknown"), "{failure}");
    assert!(pauses().is_empty());
}

/// Fetches a file through what `variable` names as a proxy.
fn through(variable: &str, proxy: &str, url: &str) -> Failure {
    let environment = std::collections::BTreeMap::from([(variable.to_owned(), proxy.to_owned())]);
    let limits = Limits { attempts: 3, ..Limits::default() };
    let fetcher = Fetcher::new(limits, Proxies::from_environment(&environment), pause);
    let error = fetcher.open(&Location::Http(Url::parse(url).unwrap()), None, Span::WHOLE).unwrap_err();
    Failure::of(&error)
}

#[test]
fn a_proxy_that_cannot_be_passed_is_named_and_asked_once() {
    for (variable, url) in
        [("http_proxy", "http://a.example/file"), ("https_proxy", "https://a.example/file")]
    {
        let (location, _) = serve(vec![status("407 Proxy Authentication Required")]);
        let Location::Http(proxy) = location else { panic!() };
        let address = format!("127.0.0.1:{}", proxy.port().unwrap());
        let failure = through(variable, &format!("http://me:secret@{address}"), url);
        assert_eq!((failure.exit, failure.code.as_str()), (Exit::Failure, "proxy_unauthorized"), "{failure}");
        assert!(failure.message.contains(&address) && !failure.message.contains("secret"), "{failure}");
    }
    let failure = through("all_proxy", "socks5://127.0.0.1:1", "http://a.example/file");
    assert_eq!((failure.exit, failure.code.as_str()), (Exit::Failure, "proxy_unsupported"), "{failure}");
    assert!(pauses().is_empty());
}

#[test]
fn a_proxy_that_is_away_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = through("http_proxy", &format!("http://{free}"), "http://a.example/file");
    assert_eq!(failure.exit, Exit::TryAgain);
    assert!(
        failure.causes[0].starts_with(&format!("cannot connect through the proxy http://{free}")),
        "{failure}"
    );
}
