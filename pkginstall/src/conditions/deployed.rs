//! What a deployment states of one service's conditions: a TOML file as that of the host, written by nobody else.
//!
//! It counts more than the package and less than the host. Each change of the deployment replaces it whole, and its way back
//! puts back the file that was there.

use camino::Utf8PathBuf;
use copkg_spec::conditions::Limits;
use copkg_spec::coordinate::{Label, ServiceCoordinate};
use toml_edit::{DocumentMut, Item, Table};

use super::{ConditionsError, overrides};
use crate::host::Prefix;
use crate::text_file;

/// Returns the file in which a deployment states conditions of `service`. It need not be there.
pub fn deployed_file(prefix: &Prefix, service: &ServiceCoordinate) -> Utf8PathBuf {
    prefix.service_state(service).join("deployed.toml")
}

/// Reads the file as it is; `None` where there is none.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_deployed(
    prefix: &Prefix,
    service: &ServiceCoordinate,
) -> Result<Option<String>, ConditionsError> {
    Ok(text_file::read(&deployed_file(prefix, service))?)
}

/// Makes `text` the file, durably and in one step; `None` removes it.
///
/// # Errors
/// When the file system refuses; it is then as it was.
pub(crate) fn replace_deployed(
    prefix: &Prefix,
    service: &ServiceCoordinate,
    text: Option<&str>,
) -> Result<(), ConditionsError> {
    Ok(text_file::put(&deployed_file(prefix, service), text)?)
}

/// Returns the text of the file; `None` where the deployment states no limit.
pub(crate) fn deployed_text(deployment: &Label, limits: &Limits) -> Option<String> {
    let stated = limits.list();
    if stated.is_empty() {
        return None;
    }
    let mut table = Table::new();
    for (name, value) in stated {
        let (_, key) = name.keys();
        table[&key] = overrides::item(&name.value_of(&value));
    }
    let mut document = DocumentMut::new();
    document["limits"] = Item::Table(table);
    Some(format!("# Set by the deployment {deployment}: its next change replaces this file.\n{document}"))
}

#[cfg(test)]
mod tests {
    use copkg_spec::conditions::{Conditions, Limit};

    use super::*;

    #[test]
    fn limits_come_back_as_they_were_written() {
        let limits = Limits {
            nofile: Some(4096),
            memory_bytes: Some(Limit::Most(512 << 20)),
            pids: Some(Limit::UNLIMITED),
            cpu_thousandths: Some(Limit::Most(1500)),
            core_bytes: Some(Limit::Most(0)),
            require: Some(true),
        };
        let text = deployed_text(&"shop".parse().unwrap(), &limits).unwrap();
        let read = overrides::read_text("deployed.toml".into(), &text).unwrap().0;
        assert_eq!(read, Conditions { limits, ..Conditions::default() }, "{text}");
        assert_eq!(deployed_text(&"shop".parse().unwrap(), &Limits::default()), None);
    }
}
