//! The reading side of the API.

use serde_json::{Value, json};

use crate::site::{Site, header};

fn names(found: &Value) -> Vec<String> {
    let items = found["items"].as_array().expect("a list").iter();
    items
        .map(|item| format!("{}:{}", item["group"].as_str().unwrap(), item["id"].as_str().unwrap()))
        .collect()
}

#[test]
fn packages_are_found_by_field_and_by_word() {
    let site = Site::start();
    let found = |query: &str| names(&site.json(&format!("/api/v1/search?q={query}")));
    assert_eq!(found("front"), ["com.acme.platform:gateway"]);
    assert_eq!(found("group:com.acme.shop"), ["com.acme.shop:catalogue", "com.acme.shop:checkout"]);
    assert_eq!(found("kind:content"), ["com.acme.data:geo-names"]);
    assert_eq!(found("channel:beta"), ["com.acme.platform:gateway"]);
    assert_eq!(found("platform:aarch64-linux%20group:com.acme.platform"), ["com.acme.platform:gateway"]);
    let gateway = site.json("/api/v1/search?q=id:gateway")["items"][0].clone();
    assert_eq!(
        gateway,
        json!({
            "group": "com.acme.platform", "id": "gateway", "newest": "1.3.0", "kind": "service",
            "platforms": ["aarch64-linux", "x86_64-linux"],
            "description": "The front door of the platform: TLS, routing, and who is asking",
            "channels": { "beta": "2.0.0-rc.1", "stable": "1.3.0" },
        })
    );
}

#[test]
fn a_list_is_read_page_by_page() {
    let site = Site::start();
    let mut all = Vec::new();
    let mut path = "/api/v1/search?limit=3".to_owned();
    for _ in 0..10 {
        let page = site.json(&path);
        all.extend(names(&page));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/search?limit=3&cursor={next}");
    }
    assert_eq!(all, names(&site.json("/api/v1/search")));
    assert_eq!(all.len(), 8);
    let first = site.json("/api/v1/packages/com.acme.platform/gateway?limit=4");
    let rest = site.json(&format!(
        "/api/v1/packages/com.acme.platform/gateway?cursor={}",
        first["next"].as_str().unwrap()
    ));
    let versions = |page: &Value| -> Vec<String> {
        page["versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["version"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        [versions(&first), versions(&rest)].concat(),
        ["1.0.0", "1.1.0", "1.2.0", "1.2.1", "1.3.0", "2.0.0-rc.1"]
    );
    assert_eq!(first["versions"][3]["yanked"], "It drops requests while it drains; take 1.3.0");
}

#[test]
fn a_file_says_who_signed_it_and_what_is_in_it() {
    let site = Site::start();
    let base = "/api/v1/packages/com.acme.platform/gateway/1.3.0/x86_64-linux";
    let file = site.json(base);
    assert_eq!(file["signers"][0]["speaks"], true);
    assert_eq!(file["manifest"]["version"], "1.3.0");
    assert_eq!(file["readme"], "README.md");
    let entries = site.json(&format!("{base}/entries?limit=2"));
    assert_eq!(entries["entries"][0]["path"], "README.md");
    assert_eq!(entries["next"], "2");
    let sbom = site.get(&format!("{base}/sbom"));
    assert_eq!(header(&sbom, "content-type"), "application/vnd.cyclonedx+json");
    let provenance = site.get(&format!("{base}/provenance"));
    assert_eq!(header(&provenance, "content-type"), "application/vnd.in-toto+jsonl");
    assert!(provenance.text().unwrap().contains("ci.example.com"));
}

#[test]
fn what_happened_is_told_with_its_commit() {
    let site = Site::start();
    let changes = site.json("/api/v1/changes?group=com.acme.platform&limit=1");
    let last = &changes["items"][0];
    assert_eq!(last["what"], "yanked");
    assert_eq!(last["reason"], "It drops requests while it drains; take 1.3.0");
    assert_eq!(last["commit"], 17);
}

#[test]
fn an_answer_is_sent_again_only_when_it_changed() {
    let site = Site::start();
    for path in
        ["/", "/api/v1/search?q=front", "/api/v1/repository", "/feeds/all.atom", "/api/v1/openapi.json"]
    {
        let tag = header(&site.get(path), "etag").to_owned();
        assert!(!tag.is_empty(), "{path}");
        assert_eq!(site.ask(path, &[("if-none-match", &tag)]).status(), 304, "{path}");
    }
}

#[test]
fn each_refusal_has_a_code() {
    let site = Site::start();
    let code = |path: &str| {
        let response = site.get(path);
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{path}");
        let status = response.status().as_u16();
        let problem: Value = serde_json::from_slice(&response.bytes().unwrap()).unwrap();
        format!("{status} {}", problem["code"].as_str().unwrap())
    };
    assert_eq!(code("/api/v1/search?limit=0"), "400 bad_query");
    assert_eq!(code("/api/v1/search?limit=many"), "400 bad_query");
    assert_eq!(code("/api/v1/search?cursor=x"), "400 bad_cursor");
    assert_eq!(code(&format!("/api/v1/search?q={}", "a".repeat(201))), "400 bad_query");
    assert_eq!(code("/api/v1/packages/UPPER"), "400 bad_name");
    assert_eq!(code("/api/v1/packages/com.nobody"), "404 group_not_found");
    assert_eq!(code("/api/v1/packages/com.acme.shop/nothing"), "404 package_not_found");
    assert_eq!(code("/api/v1/packages/com.acme.shop/checkout/99"), "404 version_not_found");
    assert_eq!(code("/api/v1/packages/com.acme.shop/checkout/12.4.2/s390x-linux"), "404 platform_not_found");
    assert_eq!(code("/api/v1/packages/com.acme.shop/checkout/12.4.2/x86_64-linux/sbom"), "404 no_sbom");
    assert_eq!(code("/nowhere"), "404 path_not_found");
}

#[test]
fn a_page_that_is_not_there_helps_to_find_it() {
    let site = Site::start();
    let response = site.ask("/packages/com.acme.platform/gatewya", &[("accept", "text/html")]);
    assert_eq!(response.status(), 404);
    let text = response.text().unwrap();
    assert!(
        text.contains("Perhaps you meant") && text.contains("/packages/com.acme.platform/gateway"),
        "{text}"
    );
    let nowhere = site.ask("/nowhere", &[("accept", "text/html,*/*")]);
    assert_eq!(nowhere.status(), 404);
    assert_eq!(header(&nowhere, "content-type"), "text/html; charset=utf-8");
}
