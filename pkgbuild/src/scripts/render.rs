//! Fills the two script templates.

use super::exec::Exec;
use super::quote::quote;
use super::variable::variable_of;
use super::words::Word;
use super::{Output, Parameter, ServiceCommand};

const START: &str = include_str!("start.sh");
const STOP: &str = include_str!("stop.sh");

/// Renders `script.d/start`.
pub(super) fn start(command: &ServiceCommand, exec: &Exec, pid_file: Option<&Word>) -> String {
    let parameters = &command.parameters;
    // The script knows why it failed, pkginstall only that it took too long: let the script speak first.
    let timeout = command.start_timeout_seconds.saturating_sub(1).max(1);
    fill(
        START,
        &[
            ("USAGE", usage(parameters)),
            ("DEFAULTS", lines(parameters, default_of)),
            ("OPTIONS", lines(parameters, option_of)),
            ("REQUIRED", lines(parameters, requirement_of)),
            ("DIRECTORIES", directories(command)),
            ("OUTPUT", format!("{}/console.log", output_directory(command.output))),
            ("PID_FILE", pid_file.map_or_else(|| "''".into(), Word::to_shell)),
            ("SETTLE", (command.settle_milliseconds / 10).min(timeout.saturating_mul(100)).to_string()),
            ("TIMEOUT", timeout.to_string()),
            ("ENVIRONMENT", environment(exec)),
            ("EXEC", exec.words.iter().map(Word::to_shell).collect::<Vec<_>>().join(" ")),
        ],
    )
}

/// Renders `script.d/stop`.
pub(super) fn stop(command: &ServiceCommand) -> String {
    fill(
        STOP,
        &[
            ("SIGNAL", command.stop_signal.clone()),
            ("TIMEOUT", command.stop_timeout_seconds.saturating_sub(1).max(1).to_string()),
        ],
    )
}

/// Replaces each `@NAME@`. A line that becomes empty by it goes away.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut script = String::new();
    for line in template.lines() {
        let filled = fill_line(line, values);
        if !filled.is_empty() || line.is_empty() {
            script.push_str(&filled);
            script.push('\n');
        }
    }
    script
}

/// A value is put in once and not looked at again, whatever it contains. An `@` of the shell stays.
fn fill_line(line: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('@') {
        filled.push_str(before);
        let value = after.split_once('@').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        let Some((value, after)) = value else {
            filled.push('@');
            rest = after;
            continue;
        };
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn usage(parameters: &[Parameter]) -> String {
    let mut lines = vec!["usage: start --runtime-dir=DIR --coordinate=INSTANCE.SERVICE.USER.CELL".to_owned()];
    lines.extend(parameters.iter().map(|parameter| {
        let default = parameter.default.as_ref().map(|text| format!(" [{text}]")).unwrap_or_default();
        format!("  --{}=VALUE  {}{default}", parameter.name, parameter.description)
    }));
    lines.iter().map(|line| quote(line)).collect::<Vec<_>>().join(" \\\n    ")
}

fn lines(parameters: &[Parameter], line: fn(&Parameter) -> String) -> String {
    parameters.iter().map(line).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn default_of(parameter: &Parameter) -> String {
    let variable = variable_of(parameter);
    match &parameter.default {
        Some(text) => format!("{variable}={}", quote(text)),
        None => format!("unset {variable}"),
    }
}

fn option_of(parameter: &Parameter) -> String {
    format!("    --{}=*) {}=$value ;;", parameter.name, variable_of(parameter))
}

fn requirement_of(parameter: &Parameter) -> String {
    let Parameter { name, default: None, .. } = parameter else { return String::new() };
    format!("[ -n \"${{{}+given}}\" ] || refuse '--{name} is missing'", variable_of(parameter))
}

fn directories(command: &ServiceCommand) -> String {
    let mut all = vec!["etc", "data", "log", "run"];
    if command.output == Output::Console {
        all.push("console");
    }
    all.extend(command.directories.iter().map(String::as_str));
    all.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn output_directory(output: Output) -> &'static str {
    match output {
        Output::Log => "log",
        Output::Console => "console",
    }
}

fn environment(exec: &Exec) -> String {
    let export =
        |(name, value): &(String, Word)| format!("    {name}={}\n    export {name}", value.to_shell());
    exec.environment.iter().map(export).collect::<Vec<_>>().join("\n")
}
