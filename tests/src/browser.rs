//! A headless Chromium, driven through the `WebDriver` protocol (W3C) of its own driver.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::blocking::Client;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::network::local_client;

/// The name of an element's id in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// As usual.
    On,
    /// Switched off.
    Off,
}

/// What went wrong with the browser.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// There is none.
    #[error("there is no chromedriver: {0}")]
    Absent(#[source] std::io::Error),
    /// It does not start.
    #[error("chromedriver does not say where it listens")]
    Silent,
    /// It does not answer.
    #[error("the browser does not answer")]
    Request(#[from] reqwest::Error),
    /// It refuses.
    #[error("the browser refuses {command}: {answer}")]
    Refused {
        /// What was asked.
        command: String,
        /// What it said.
        answer: Value,
    },
}

type Result<T> = std::result::Result<T, BrowserError>;

/// A browser with one window. It ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    client: Client,
    session: String,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    /// When there is none, or it does not start.
    pub fn start(scripts: Scripts) -> Result<Self> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(BrowserError::Absent)?;
        let out = BufReader::new(driver.stdout.take().ok_or(BrowserError::Silent)?);
        let lines = out.lines().map_while(std::result::Result::ok);
        // An earlier line tells which port was asked for, which is 0.
        let port = |line: String| line.split("on port ").nth(1)?.trim_end_matches('.').parse().ok();
        let port: u16 = lines.filter_map(port).find(|&port| port != 0).ok_or(BrowserError::Silent)?;
        let client = local_client()?;
        let mut browser = Self { driver, client, session: format!("http://127.0.0.1:{port}/session") };
        // The browser needs no sandbox of its own here: it sees our pages only, and tests run as root in containers.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            // A page that still scrolls cannot be clicked.
            "--force-prefers-reduced-motion",
        ];
        let switch = if scripts == Scripts::On { 1 } else { 2 };
        let options = json!({ "args": arguments, "prefs": { "profile.managed_default_content_settings.javascript": switch } });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let session = browser.post("", &wanted)?;
        browser.session =
            format!("{}/{}", browser.session, session["sessionId"].as_str().unwrap_or_default());
        Ok(browser)
    }

    /// Goes to an address and waits until it is loaded.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn open(&self, url: &str) -> Result<()> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Returns the title of the page.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn title(&self) -> Result<String> {
        Ok(self.get("/title")?.as_str().unwrap_or_default().to_owned())
    }

    /// Returns the address of the page.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn url(&self) -> Result<String> {
        Ok(self.get("/url")?.as_str().unwrap_or_default().to_owned())
    }

    /// Returns the texts of all elements that a selector matches, as they are seen.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn texts(&self, selector: &str) -> Result<Vec<String>> {
        let texts = self.elements(selector)?.into_iter().map(|element| {
            let text = self.get(&format!("/element/{element}/text"))?;
            Ok(text.as_str().unwrap_or_default().to_owned())
        });
        texts.collect()
    }

    /// Types into the first element that a selector matches.
    ///
    /// # Errors
    /// When there is none, or the browser refuses.
    pub fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.first(selector)?;
        self.post(&format!("/element/{element}/value"), &json!({ "text": text })).map(drop)
    }

    /// Clicks the first element that a selector matches, and waits for the page that it leads to.
    ///
    /// # Errors
    /// When there is none, or the browser stays where it is.
    pub fn follow(&self, selector: &str) -> Result<()> {
        let (element, before) = (self.first(selector)?, self.url()?);
        self.post(&format!("/element/{element}/click"), &json!({}))?;
        let deadline = Instant::now() + PATIENCE;
        // The last element of a page is there when all of it is.
        while self.url()? == before || self.elements("body > footer")?.is_empty() {
            if Instant::now() > deadline {
                return Err(BrowserError::Refused {
                    command: format!("follow {selector}"),
                    answer: before.into(),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Runs a script in the page and returns what it returns.
    ///
    /// # Errors
    /// When it throws.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Gives the window a size in pixels of a style sheet.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", &metrics)
    }

    /// Prefers a colour scheme, `light` or `dark`.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn prefer(&self, scheme: &str) -> Result<()> {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.tell("Emulation.setEmulatedMedia", &json!({ "features": [feature] }))
    }

    /// Presses the Tab key.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn press_tab(&self) -> Result<()> {
        let keys =
            json!([{ "type": "keyDown", "value": "\u{e004}" }, { "type": "keyUp", "value": "\u{e004}" }]);
        self.post("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": keys }] }))
            .map(drop)
    }

    fn tell(&self, command: &str, parameters: &Value) -> Result<()> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).map(drop)
    }

    fn first(&self, selector: &str) -> Result<String> {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }))?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    fn elements(&self, selector: &str) -> Result<Vec<String>> {
        let found = self.post("/elements", &json!({ "using": "css selector", "value": selector }))?;
        let ids = found.as_array().into_iter().flatten().filter_map(|element| element[ELEMENT].as_str());
        Ok(ids.map(str::to_owned).collect())
    }

    fn get(&self, command: &str) -> Result<Value> {
        value(command, self.client.get(format!("{}{command}", self.session)).send()?)
    }

    fn post(&self, command: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(format!("{}{command}", self.session)).body(body.to_string());
        value(command, request.send()?)
    }
}

fn value(command: &str, response: reqwest::blocking::Response) -> Result<Value> {
    let is_success = response.status().is_success();
    let answer: Value = serde_json::from_slice(&response.bytes()?).unwrap_or_default();
    if is_success {
        return Ok(answer["value"].clone());
    }
    Err(BrowserError::Refused { command: command.to_owned(), answer })
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.client.delete(&self.session).send();
        if let Some(pid) = i32::try_from(self.driver.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::TERM);
        }
        let _ = self.driver.wait();
    }
}
