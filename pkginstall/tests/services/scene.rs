//! A prefix in a directory with spaces and Unicode in its name, packages installed in it, and the real `pkginstall`.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use copkg_spec::archive::{Attachments, Head, PackOptions, PackPlan, TreeEntry, TreeNode, pack};
use copkg_spec::configuration::{Setting, SettingKind, SettingValue};
use copkg_spec::index::{EntryPath, Mode};
use copkg_spec::manifest::{About, Draft, Kind, Service};
use jiff::Timestamp;
use pkginstall::host::{OperationId, Prefix};
use pkginstall::process::ProcessIdentity;
use pkginstall::receipts::{self, Receipt};
use serde_json::Value;

/// The package and the service that most tests use.
pub(crate) const PACKAGE: &str = "com.example:web:1.0";
/// The service.
pub(crate) const SERVICE: &str = "1.web.dev.local";

/// Starts `bin/server` in the background and records it.
pub(crate) const START: &str = r#"#!/bin/sh
for option; do case $option in --runtime-dir=*) dir=${option#*=} ;; esac; done
"$COPKG_SOFTWARE_DIR/bin/server" "$@" &
echo $! >"$dir/run/start.pid"
"#;

/// Asks what is recorded to end, and waits for it.
pub(crate) const STOP: &str = r#"#!/bin/sh
cd "${1#--runtime-dir=}" || exit 1
read -r pid <run/start.pid
kill "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
"#;

/// A service that does nothing for a long time.
pub(crate) const SLEEPER: &str = "#!/bin/sh\nexec sleep 600\n";

/// A package to install: its files, of which those below `bin` and `script.d` are executable, and its contract.
pub(crate) struct Package {
    pub(crate) files: BTreeMap<&'static str, String>,
    pub(crate) service: Service,
}

impl Package {
    /// A package whose server is this script.
    pub(crate) fn serving(server: &str) -> Self {
        let files = [("bin/server", server), ("script.d/start", START), ("script.d/stop", STOP)];
        Self {
            files: files.map(|(path, text)| (path, text.to_owned())).into(),
            service: Service {
                start_timeout_seconds: 5,
                settle_milliseconds: 300,
                stop_timeout_seconds: 3,
                ..Service::new("script.d/start".parse().unwrap(), "script.d/stop".parse().unwrap())
            },
        }
    }

    /// The same with another file.
    pub(crate) fn with(mut self, path: &'static str, text: &str) -> Self {
        self.files.insert(path, text.to_owned());
        self
    }

    /// The same with another contract.
    pub(crate) fn that(mut self, change: impl FnOnce(&mut Service)) -> Self {
        change(&mut self.service);
        self
    }
}

/// A package whose server outlives its start script, and then does this. Only then do we, and not the script, learn
/// how it ended.
pub(crate) fn ending(end: &str) -> Package {
    let server = format!("#!/bin/sh\nwhile kill -0 $SCRIPT 2>/dev/null; do sleep 0.02; done\n{end}\n");
    let start = START.replace("#!/bin/sh\n", "#!/bin/sh\nSCRIPT=$$\nexport SCRIPT\n");
    let package = Package::serving(&server).with("script.d/start", &start);
    package.that(|service| service.settle_milliseconds = 60_000)
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The one document of `--json`.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same, which must have gone well.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.exit, 0, "{self:?}");
        self
    }
}

/// A prefix. What runs below it ends with it.
pub(crate) struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    /// An empty prefix.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("copkg ö test ").tempdir().unwrap();
        // Another account must be able to reach what it runs.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    /// A prefix with [`PACKAGE`] installed.
    pub(crate) fn with(package: impl std::borrow::Borrow<Package>) -> Self {
        let host = Self::new();
        host.install(PACKAGE, package.borrow());
        host
    }

    pub(crate) fn root(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.directory.path()).unwrap().join("the prefix")
    }

    pub(crate) fn prefix(&self) -> Prefix {
        Prefix::at(&self.root()).unwrap()
    }

    pub(crate) fn runtime(&self) -> Utf8PathBuf {
        self.prefix().runtime_dir(&SERVICE.parse().unwrap())
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.runtime().join(path)).unwrap_or_default()
    }

    /// Installs a package as an installation of an earlier version left it, for tests to change it: tree, head, receipt.
    pub(crate) fn install(&self, coordinate: &str, package: &Package) {
        let prefix = self.prefix();
        let (head, contents) = packed(coordinate, package);
        let directory = prefix.install_dir(&coordinate.parse().unwrap());
        for (path, text) in &package.files {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            let mode = mode_of(path.as_str()).bits();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let operation = OperationId::random().unwrap();
        let mut receipt = Receipt::new(&contents, &[], "test".into(), Timestamp::UNIX_EPOCH, operation);
        receipt.read_only = false;
        receipts::prepare(&prefix, &receipt, &head).unwrap().place().unwrap();
    }

    /// The command with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pkginstall"));
        command
            .arg("--prefix")
            .arg(self.root())
            .args(arguments)
            .env("LEAKED", "yes")
            .stdin(Stdio::null())
            .current_dir(self.directory.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn start(&self) -> Ran {
        self.run(&["--json", "start", PACKAGE, "--as", SERVICE])
    }

    pub(crate) fn stop(&self) -> Ran {
        self.run(&["--json", "stop", SERVICE])
    }

    pub(crate) fn status(&self) -> Ran {
        self.run(&["--json", "status", SERVICE])
    }

    /// The processes that live and were started below this prefix, by their environment.
    pub(crate) fn living(&self) -> Vec<ProcessIdentity> {
        let mark = format!("COPKG_PREFIX={}", self.root());
        let mut living = Vec::new();
        for entry in fs::read_dir("/proc").unwrap() {
            let name = entry.unwrap().file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            if environment.split(|&b| b == 0).any(|variable| variable == mark.as_bytes()) {
                living.extend(ProcessIdentity::of(pid).unwrap());
            }
        }
        living
    }

    /// Asserts that no process of this prefix is left.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.living(), [], "processes are left");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for process in self.living() {
            let _ = Command::new("kill").args(["-KILL", &process.pid().to_string()]).status();
        }
    }
}

/// Collects what a command said.
pub(crate) fn ran(output: std::process::Output) -> Ran {
    Ran {
        exit: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The numbers of a list in a document.
pub(crate) fn numbers(list: &Value) -> Vec<u32> {
    list.as_array().unwrap().iter().map(|n| n.as_u64().unwrap().try_into().unwrap()).collect()
}

/// Waits until something is so, by the clock of whoever runs the tests: it fails after a minute.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !is_so() {
        assert!(started.elapsed().as_secs() < 60, "it never happened: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn packed(coordinate: &str, package: &Package) -> (Vec<u8>, copkg_spec::archive::Contents) {
    let draft = Draft {
        coordinate: coordinate.parse().unwrap(),
        kind: Kind::Service,
        platform: "any".parse().unwrap(),
        source_date: 0,
        about: About::default(),
        service: Some(package.service.clone()),
    };
    let options = PackOptions { level: 1, threads: NonZeroUsize::MIN };
    let plan = PackPlan { draft, attachments: Attachments::default(), keys: &[], options };
    let open = |path: &EntryPath| Ok(package.files[path.as_str()].as_bytes());
    let (mut scratch, mut out) = (std::io::Cursor::new(Vec::new()), Vec::new());
    pack(plan, tree_of(package), open, &mut scratch, &mut out).unwrap();
    let mut reader = out.as_slice();
    let head = Head::read(&mut reader).unwrap();
    let contents = head.without_trust().read_contents(&mut reader).unwrap();
    (contents.head_bytes().to_vec(), contents)
}

fn tree_of(package: &Package) -> Vec<TreeEntry> {
    let mut tree: BTreeMap<String, TreeNode> = BTreeMap::new();
    for (path, text) in &package.files {
        for parent in Path::new(path).ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            tree.insert(parent.to_str().unwrap().into(), TreeNode::Directory);
        }
        let node = TreeNode::File { mode: mode_of(path), size: text.len() as u64 };
        tree.insert((*path).to_owned(), node);
    }
    tree.into_iter().map(|(path, node)| TreeEntry { path: path.parse().unwrap(), node }).collect()
}

fn mode_of(path: &str) -> Mode {
    let is_python = Path::new(path).extension().is_some_and(|extension| extension == "py");
    let executable = !is_python && (path.contains("bin/") || path.contains("script.d/"));
    if executable { Mode::Executable } else { Mode::Regular }
}

/// A setting of a package, with nothing but its type and its default.
pub(crate) fn setting(kind: SettingKind, default: Option<SettingValue>) -> Setting {
    Setting { kind, default, optional: false, min: None, max: None, choices: Vec::new(), description: None }
}
