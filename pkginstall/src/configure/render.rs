//! Fills the templates of a package: values in, files out, nothing written yet.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use copkg_spec::configuration::{Facts, SettingValue, Shown, TemplateText};
use copkg_spec::coordinate::ServiceCoordinate;
use copkg_spec::digest::Digest;
use copkg_spec::durable::{self, Existing};
use copkg_spec::index::EntryPath;

use super::{ConfigureError, Values};
use crate::host::Prefix;
use crate::service::{InstalledService, ServiceError, Site};
use crate::tree::names_in;

/// The mode of a file that may hold a secret.
const SECRET: u32 = 0o600;

/// A rendered file.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Whether it may hold a secret.
    pub secret: bool,
}

impl RenderedFile {
    /// Returns its mode: one that may hold a secret is for its owner alone.
    pub fn mode(&self) -> u32 {
        if self.secret { SECRET } else { 0o644 }
    }
}

/// Never shows the content: it may hold a secret.
impl fmt::Debug for RenderedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RenderedFile({} bytes, mode {:o})", self.bytes.len(), self.mode())
    }
}

/// The rendered configuration of a service, by the paths below its `etc/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The files.
    pub files: BTreeMap<EntryPath, RenderedFile>,
}

impl Rendered {
    /// Reads the files below `directory`, as [`Self::write_to`] wrote them. Nothing there is nothing.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read_from(directory: &Utf8Path) -> Result<Self, ConfigureError> {
        let mut rendered = Self::default();
        let mut open = vec![directory.to_owned()];
        while let Some(here) = open.pop() {
            for name in names_in(&here).map_err(ConfigureError::file("read", &here))? {
                let path = here.join(name);
                let metadata = path.symlink_metadata().map_err(ConfigureError::file("read", &path))?;
                if metadata.is_dir() {
                    open.push(path);
                    continue;
                }
                let name = path.strip_prefix(directory).ok().and_then(|name| name.as_str().parse().ok());
                let bytes = std::fs::read(&path).map_err(ConfigureError::file("read", &path))?;
                let secret = metadata.permissions().mode() & 0o777 == SECRET;
                rendered.files.extend(name.map(|name: EntryPath| (name, RenderedFile { bytes, secret })));
            }
        }
        Ok(rendered)
    }

    /// Writes the files below `directory`, which is there, durably.
    ///
    /// # Errors
    /// When the file system refuses; some may have been written then.
    pub fn write_to(&self, directory: &Utf8Path) -> Result<(), ConfigureError> {
        for (path, file) in &self.files {
            let path = directory.join(path.as_str());
            if let Some(parent) = path.parent() {
                durable::create_dir_all(parent.as_std_path())
                    .map_err(ConfigureError::file("create", parent))?;
            }
            let written = durable::write(path.as_std_path(), file.mode(), Existing::Replace, &file.bytes);
            written.map_err(ConfigureError::file("write", &path))?;
        }
        Ok(())
    }
}

/// Renders the configuration of `service` for an installed package that is started with `parameters`.
///
/// # Errors
/// When a value is unknown, missing or breaks a rule, a secret cannot be had, or a template is not what was installed.
pub(crate) fn render(
    site: &Site<'_>,
    installed: &InstalledService,
    service: &ServiceCoordinate,
    parameters: &[String],
) -> Result<Rendered, ServiceError> {
    let scene = Scene::new(site.prefix, site.environment, installed, service, parameters)?;
    render_files(site.prefix, &scene)
}

/// Renders the configuration that `service` would have with the values of a deployment. Nothing is written.
///
/// # Errors
/// As [`render`].
pub(crate) fn render_proposed(
    site: &Site<'_>,
    installed: &InstalledService,
    service: &ServiceCoordinate,
    parameters: &[String],
    values: Values,
) -> Result<Rendered, ServiceError> {
    let parameters = installed.parameters(parameters);
    let (prefix, environment) = (site.prefix, site.environment);
    render_files(prefix, &Scene { prefix, installed, service, parameters, values, environment })
}

fn render_files(prefix: &Prefix, scene: &Scene<'_>) -> Result<Rendered, ServiceError> {
    let installed = scene.installed;
    let mut rendered = Rendered::default();
    for template in &installed.service.templates {
        let text = installed.read_text(prefix, &template.src)?;
        let text = TemplateText::parse(template.src.as_str(), &text).map_err(ConfigureError::from)?;
        let secret = text.may_hold_a_secret(&installed.service.config);
        let bytes = scene.render(&text)?.into_bytes();
        rendered.files.insert(template.dst.clone(), RenderedFile { bytes, secret });
    }
    // After the templates: an error that names the template and the line where a value is missing says more.
    scene.values.require_all()?;
    Ok(rendered)
}

/// Renders one text of the recipe, such as the address of a probe.
///
/// # Errors
/// As [`render`].
pub(crate) fn render_text(
    site: &Site<'_>,
    installed: &InstalledService,
    service: &ServiceCoordinate,
    parameters: &[String],
    text: &str,
) -> Result<String, ServiceError> {
    render_for(site.prefix, site.environment, installed, service, parameters, text)
}

/// The same, of any prefix.
///
/// # Errors
/// As [`render`].
pub(crate) fn render_for(
    prefix: &Prefix,
    environment: &BTreeMap<String, String>,
    installed: &InstalledService,
    service: &ServiceCoordinate,
    parameters: &[String],
    text: &str,
) -> Result<String, ServiceError> {
    let scene = Scene::new(prefix, environment, installed, service, parameters)?;
    let text = TemplateText::parse(copkg_spec::recipe::FILE_NAME, text).map_err(ConfigureError::from)?;
    Ok(scene.render(&text)?)
}

/// Renders the configuration as every host would where the same is set, and returns the digests of its files: with directories that
/// stand for those of a host, with the references of secrets, and with what stands in for some values.
///
/// # Errors
/// When a value is unknown or breaks a rule, or a template is not what was installed.
pub(crate) fn render_portable(
    prefix: &Prefix,
    installed: &InstalledService,
    service: &ServiceCoordinate,
    parameters: &[String],
    instead: &BTreeMap<String, SettingValue>,
) -> Result<BTreeMap<EntryPath, Digest>, ServiceError> {
    let values = Values::read(prefix, service, &installed.package, &installed.service)?;
    let values = values.iter().map(|(name, value)| {
        let value = instead.get(name.as_str()).or(value.value.as_ref());
        (name.clone(), value.cloned())
    });
    let values: BTreeMap<_, _> = values.collect();
    let mut named = installed.parameters(parameters);
    for (name, value) in instead {
        if let Some(parameter) = named.get_mut(name) {
            *parameter = value.to_string();
        }
    }
    let facts = Facts {
        service,
        package: &installed.package,
        runtime_dir: "/runtime",
        software_dir: "/software",
        prefix: "/",
        parameters: &named,
        values: &values,
    };
    let mut rendered = BTreeMap::new();
    for template in &installed.service.templates {
        let text = installed.read_text(prefix, &template.src)?;
        let parsed = TemplateText::parse(template.src.as_str(), &text).map_err(ConfigureError::from)?;
        // What cannot be rendered from the reference of a secret is named by its template.
        let bytes = parsed.render(&facts, Shown::NoValues).unwrap_or(text);
        rendered.insert(template.dst.clone(), Digest::of(bytes.as_bytes()));
    }
    Ok(rendered)
}

/// Everything that the templates of one service are filled with.
struct Scene<'a> {
    prefix: &'a Prefix,
    installed: &'a InstalledService,
    service: &'a ServiceCoordinate,
    parameters: BTreeMap<String, String>,
    values: Values,
    environment: &'a BTreeMap<String, String>,
}

impl<'a> Scene<'a> {
    fn new(
        prefix: &'a Prefix,
        environment: &'a BTreeMap<String, String>,
        installed: &'a InstalledService,
        service: &'a ServiceCoordinate,
        parameters: &[String],
    ) -> Result<Self, ServiceError> {
        let values = Values::read(prefix, service, &installed.package, &installed.service)?;
        let parameters = installed.parameters(parameters);
        Ok(Self { prefix, installed, service, parameters, values, environment })
    }

    fn render(&self, text: &TemplateText) -> Result<String, ConfigureError> {
        let config = &self.installed.service.config;
        let shown = if text.may_hold_a_secret(config) { Shown::NoValues } else { Shown::All };
        let runtime_dir = self.prefix.runtime_dir(self.service);
        let facts = Facts {
            service: self.service,
            package: &self.installed.package,
            runtime_dir: runtime_dir.as_str(),
            software_dir: self.installed.directory.as_str(),
            prefix: self.prefix.root().as_str(),
            parameters: &self.parameters,
            values: &self.values.resolve(self.environment)?,
        };
        Ok(text.render(&facts, shown)?)
    }
}
