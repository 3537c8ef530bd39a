//! The conditions of a service in the words of systemd: limits, umask and environment with the meaning that they have natively.

use camino::Utf8Path;
use copkg_spec::conditions::{Conditions, Limit, Umask};

use super::UnitError;
use super::quoting::{plain, quoted};

/// Writes the lines of `[Service]` for `conditions`. `copy` holds the variables of its files.
pub(super) fn lines(conditions: &Conditions, copy: &Utf8Path) -> Result<String, UnitError> {
    let limits = &conditions.limits;
    let most = |limit: Limit| limit.most().map_or_else(|| "infinity".into(), |most| most.to_string());
    let percent = |limit: Limit| limit.most().map_or_else(String::new, percent);
    let mut lines = vec![format!("UMask={}", conditions.umask.unwrap_or(Umask::STATED))];
    lines.extend(limits.nofile.map(|files| format!("LimitNOFILE={files}")));
    lines.extend(limits.core_bytes.map(|limit| format!("LimitCORE={}", most(limit))));
    lines.extend(limits.memory_bytes.map(|limit| format!("MemoryMax={}", most(limit))));
    lines.extend(limits.pids.map(|limit| format!("TasksMax={}", most(limit))));
    lines.extend(limits.cpu_thousandths.map(|limit| format!("CPUQuota={}", percent(limit))));
    for (name, value) in &conditions.env {
        lines.push(format!("Environment={}", quoted(&format!("{name}={value}"))?));
    }
    if !conditions.env_files().is_empty() {
        lines.push(format!("EnvironmentFile={}", plain(copy.as_str())?));
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// Thousandths of a processor as a percentage.
fn percent(thousandths: u64) -> String {
    let (whole, part) = (thousandths / 10, thousandths % 10);
    if part == 0 { format!("{whole}%") } else { format!("{whole}.{part}%") }
}

#[cfg(test)]
mod tests {
    use copkg_spec::conditions::{ConditionName, Conditions};

    use super::*;

    fn stated(stated: &[(&str, &str)]) -> Conditions {
        let mut conditions = Conditions::default();
        for (name, value) in stated {
            let name: ConditionName = name.parse().unwrap();
            conditions.set(&name, &name.value_of(value)).unwrap();
        }
        conditions
    }

    #[test]
    fn conditions_have_their_meaning_in_a_unit() {
        let conditions = stated(&[
            ("limits.nofile", "65536"),
            ("limits.memory", "512 MiB"),
            ("limits.pids", "200"),
            ("limits.cpu", "1.255"),
            ("limits.core", "unlimited"),
            ("umask", "0027"),
            ("env.MOTTO", "100% \"so\" \\o/ $HOME"),
            ("env_file", "etc/web.env"),
        ]);
        let text = lines(&conditions, "/p/variables.env".into()).unwrap();
        let expected = "UMask=0027\nLimitNOFILE=65536\nLimitCORE=infinity\nMemoryMax=536870912\nTasksMax=200\n\
                        CPUQuota=125.5%\nEnvironment=\"MOTTO=100%% \\\"so\\\" \\\\o/ $HOME\"\nEnvironmentFile=/p/variables.env\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn without_conditions_a_unit_has_the_umask_of_every_service() {
        assert_eq!(lines(&Conditions::default(), "/p/x".into()).unwrap(), "UMask=0022\n");
        let none = stated(&[("limits.memory", "unlimited"), ("limits.cpu", "unlimited")]);
        let text = lines(&none, "/p/x".into()).unwrap();
        assert_eq!(text, "UMask=0022\nMemoryMax=infinity\nCPUQuota=\n");
    }
}
