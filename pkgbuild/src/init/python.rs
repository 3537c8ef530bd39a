//! A Python project: Django by `manage.py`, Flask and ASGI applications, and what `pyproject.toml` or `setup.py` describes.

use super::Tree;
use super::source;
use super::template::{Draft, Launch, Output, quoted};

/// Frameworks and servers: a project that depends on one serves.
const SERVERS: [&str; 16] = [
    "aiohttp",
    "bottle",
    "cherrypy",
    "daphne",
    "django",
    "falcon",
    "fastapi",
    "flask",
    "gunicorn",
    "hypercorn",
    "quart",
    "sanic",
    "starlette",
    "tornado",
    "uvicorn",
    "waitress",
];
/// Where an application is looked for.
const APPLICATIONS: [&str; 6] = ["wsgi", "asgi", "app", "main", "application", "server"];

pub(super) fn look(tree: &Tree) -> Option<Draft> {
    let project = tree.table("pyproject.toml");
    let project =
        project.as_ref().and_then(|manifest| manifest.get("project")).and_then(toml::Value::as_table);
    if project.is_none() && !["setup.py", "manage.py", "requirements.txt"].iter().any(|name| tree.has(name)) {
        return None;
    }
    let text = |key: &str| {
        project.and_then(|project| project.get(key)).and_then(toml::Value::as_str).map(str::to_owned)
    };
    let mut wants = Wants::of(tree, project);
    let mut notes = Vec::new();
    let launch = launch(tree, project, &mut wants, &mut notes);
    Some(Draft {
        name: text("name"),
        version: text("version"),
        description: text("description"),
        license: text("license"),
        // What pip installs may hold machine code.
        output: if wants.is_empty() && !source::holds_native_code(&tree.directory) {
            Output::Portable
        } else {
            Output::Native
        },
        excludes: vec!["__pycache__", "venv", ".venv", "vendor", "build", "*.egg-info"],
        build: Some(build(&wants)).filter(|_| !wants.is_empty()),
        contents: Some(contents(&wants, &launch)),
        launch,
        notes,
        ..Draft::default()
    })
}

/// What pip installs.
#[derive(Default)]
struct Wants {
    requirements: bool,
    /// The project itself, with what it depends on.
    itself: bool,
    others: Vec<String>,
    /// The names of all of these, in lower case, as far as they are known.
    names: Vec<String>,
}

impl Wants {
    fn of(tree: &Tree, project: Option<&toml::Table>) -> Self {
        let requirements = tree.text("requirements.txt");
        let listed = project.and_then(|project| project.get("dependencies")).and_then(toml::Value::as_array);
        let dependencies = listed.into_iter().flatten().filter_map(toml::Value::as_str).map(str::to_owned);
        let lines = requirements.iter().flat_map(|text| text.lines().map(str::to_owned));
        let names =
            dependencies.chain(lines).map(|line| name_of(&line)).filter(|name| !name.is_empty()).collect();
        let itself = tree.has("setup.py") || project.is_some();
        Self { requirements: requirements.is_some(), itself, others: Vec::new(), names }
    }

    fn is_empty(&self) -> bool {
        !self.requirements && !self.itself && self.others.is_empty()
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }
}

fn name_of(requirement: &str) -> String {
    let end = requirement.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
    requirement[..end.unwrap_or(requirement.len())].to_ascii_lowercase()
}

fn launch(tree: &Tree, project: Option<&toml::Table>, wants: &mut Wants, notes: &mut Vec<String>) -> Launch {
    if let Some(manage) = tree.text("manage.py").filter(|text| text.contains("DJANGO_SETTINGS_MODULE")) {
        if !wants.has("django") && !wants.requirements && !wants.itself {
            wants.others.push("django".into());
        }
        let settings = manage.split(['\'', '"']).find(|text| text.ends_with(".settings")).map(str::to_owned);
        let site = settings.as_deref().and_then(|text| text.strip_suffix(".settings")).unwrap_or("config");
        notes.push(format!("manage.py of the Django project {site}"));
        if wants.has("gunicorn") {
            return Launch::Exec(gunicorn(wants, &format!("{site}.wsgi")));
        }
        notes.push("no server among its requirements: Django's own, for development, is started (gunicorn is one for production)".into());
        let arguments = "$SOFTWARE_DIR/app/manage.py runserver --noreload 127.0.0.1:$PARAM_PORT";
        return Launch::Exec(python(wants, arguments));
    }
    if let Some((module, text)) =
        APPLICATIONS.iter().find_map(|name| Some((*name, tree.text(&format!("{name}.py"))?)))
    {
        if text.contains("Flask(") {
            notes.push(format!("{module}.py is a Flask application"));
            if wants.has("gunicorn") {
                return Launch::Exec(gunicorn(wants, &format!("{module}:app")));
            }
            let arguments = format!(
                "-m flask --app $SOFTWARE_DIR/app/{module}.py run --host 127.0.0.1 --port $PARAM_PORT"
            );
            return Launch::Exec(python(wants, &arguments));
        }
        if ["FastAPI(", "Starlette(", "Quart("].iter().any(|name| text.contains(name)) {
            notes.push(format!("{module}.py is an ASGI application"));
            if !wants.has("uvicorn") && !wants.has("fastapi[standard]") {
                wants.others.push("uvicorn".into());
            }
            return Launch::Exec(python(
                wants,
                &format!(
                    "-m uvicorn --app-dir $SOFTWARE_DIR/app --host 127.0.0.1 --port $PARAM_PORT {module}:app"
                ),
            ));
        }
        if source::Hints::of_file(&tree.directory.join(format!("{module}.py"))).serves {
            notes.push(format!("{module}.py serves"));
            return Launch::Exec(python(wants, &format!("$SOFTWARE_DIR/app/{module}.py")));
        }
    }
    let serves = SERVERS.iter().any(|name| wants.has(name))
        || source::any(&tree.directory, &["py"], |hints| hints.serves);
    let Some(command) = entry_of(tree, project).filter(|_| serves) else {
        notes.push("it has nothing that listens: no service".into());
        return Launch::NoService;
    };
    notes.push("its command is taken for a server".into());
    Launch::Exec(format!("PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$SOFTWARE_DIR/lib python3 {command}"))
}

/// Returns what runs the project: its first command, else the module of its name.
fn entry_of(tree: &Tree, project: Option<&toml::Table>) -> Option<String> {
    let project = project?;
    let name = project.get("name")?.as_str()?;
    let module = name.replace(['-', '.'], "_").to_ascii_lowercase();
    let has_main = [format!("src/{module}"), module.clone()]
        .iter()
        .any(|place| tree.directory.join(place).join("__main__.py").is_file());
    if has_main {
        return Some(format!("-m {module}"));
    }
    let (_, entry) = project.get("scripts")?.as_table()?.iter().next()?;
    let (module, function) = entry.as_str()?.split_once(':')?;
    Some(format!("-c 'import sys; from {module} import {function} as main; sys.exit(main())'"))
}

/// Writes the command line that has Python run a part of the tree, with what pip installed.
fn python(wants: &Wants, arguments: &str) -> String {
    let lib = if wants.is_empty() { "" } else { ":$SOFTWARE_DIR/lib" };
    format!("PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$SOFTWARE_DIR/app{lib} python3 {arguments}")
}

fn gunicorn(wants: &Wants, application: &str) -> String {
    python(
        wants,
        &format!("-m gunicorn --chdir $SOFTWARE_DIR/app --bind 127.0.0.1:$PARAM_PORT {application}"),
    )
}

fn build(wants: &Wants) -> String {
    let mut list: Vec<String> = wants.others.clone();
    if wants.requirements {
        list.push("-r requirements.txt".into());
    }
    if wants.itself {
        list.push(".".into());
    }
    let script = format!(
        "python3 -m pip --quiet --no-cache-dir --disable-pip-version-check install --target vendor --no-compile {}\n\
         # What pip notes about this machine stays here.\n\
         rm -rf vendor/bin vendor/*.dist-info/RECORD vendor/*.dist-info/direct_url.json\n",
        list.join(" ")
    );
    format!(
        "[build]\n# The package index is asked once; pin the versions to build the same again.\nnetwork = true\n\
         inherit_env = [\"PATH\", \"PIP_INDEX_URL\", \"PIP_CERT\", \"HTTPS_PROXY\", \"https_proxy\"]\nprepare = {}",
        quoted(&script)
    )
}

fn contents(wants: &Wants, launch: &Launch) -> String {
    let own = "[[contents]]\nsrc = \".\"\ndst = \"app\"\nexcludes = [\"package.toml\", \"vendor\"]";
    let installed = "[[contents]]\n# What pip installed.\nsrc = \"vendor\"\ndst = \"lib\"";
    // A project that pip installed is among what it installed.
    let uses_own =
        !wants.itself || matches!(launch, Launch::Exec(exec) if exec.contains("$SOFTWARE_DIR/app"));
    let parts = [(uses_own, own), (!wants.is_empty(), installed)];
    parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, text)| text).collect::<Vec<_>>().join("\n\n")
}
