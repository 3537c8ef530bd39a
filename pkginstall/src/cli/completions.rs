//! `pkginstall completions`: a script for a shell, which asks this program for the names of services.

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;
use copkg_spec::command::{Exit, Failure, Report};

use super::{Cli, Context};
use crate::{receipts, service};

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(required_unless_present = "list")]
    shell: Option<Shell>,
    /// Print names that the scripts complete with, one a line
    #[arg(long, hide = true, value_name = "WHAT")]
    pub(super) list: Option<Listed>,
}

/// What names there are to complete with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Listed {
    Services,
    Packages,
}

/// The commands that take names of services.
const OF_SERVICES: &str = "start|stop|restart|reload|status|check|logs|exec|adopt|forget|upgrade|rollback|rehearse|\
                           history|why|diff|supervise|unit";
/// The commands that take installed packages.
const OF_PACKAGES: &str = "remove|info|verify|repair|start";

const BASH: &str = r#"
# Adds the names of services and packages to what the function above knows.
_pkginstall_with_names() {
    _pkginstall "$@"
    local cur="${COMP_WORDS[COMP_CWORD]}" word prefix=() command="" at what known
    for ((at = 1; at < COMP_CWORD; at++)); do
        word="${COMP_WORDS[at]}"
        case "$word" in
            --prefix) prefix=(--prefix "${COMP_WORDS[at + 1]}") ; ((at++)) ;;
            -*) ;;
            *) [ -n "$command" ] || command="$word" ;;
        esac
    done
    [[ "$cur" == -* ]] && return
    for what in services packages; do
        case "$what" in
            services) known='|@OF_SERVICES@|' ;;
            *) known='|@OF_PACKAGES@|' ;;
        esac
        [[ -n "$command" && "$known" == *"|$command|"* ]] || continue
        COMPREPLY+=($(compgen -W "$(pkginstall "${prefix[@]}" completions --list "$what" 2>/dev/null)" -- "$cur"))
    done
    # Readline takes a colon for the end of a word.
    type __ltrim_colon_completions >/dev/null 2>&1 && __ltrim_colon_completions "$cur"
}
complete -F _pkginstall_with_names -o bashdefault -o default pkginstall
"#;

const FISH: &str = r#"
for command in (string split '|' '@OF_SERVICES@')
    complete -c pkginstall -n "__fish_seen_subcommand_from $command" -f -a '(pkginstall completions --list services 2>/dev/null)'
end
for command in (string split '|' '@OF_PACKAGES@')
    complete -c pkginstall -n "__fish_seen_subcommand_from $command" -f -a '(pkginstall completions --list packages 2>/dev/null)'
end
"#;

const ZSH: &str = r#"
# The names of services and packages, beside files.
_pkginstall_names() {
    local -a names
    names=(${(f)"$(pkginstall completions --list $1 2>/dev/null)"})
    compadd -a names
    _default
}
"#;

/// Prints the script. It works whatever the configuration says.
pub(super) fn run(args: &Completions, report: &mut Report) -> Exit {
    let Some(shell) = args.shell else { return Exit::Usage };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pkginstall", &mut script);
    let script = with_names(shell, String::from_utf8_lossy(&script).into_owned());
    let _ = report.raw(script.as_bytes());
    Exit::Ok
}

/// Prints names of this prefix.
pub(super) fn list(what: Listed, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prefix = context.prefix()?;
    let names: Vec<String> = match what {
        Listed::Services => service::known(&prefix)?.iter().map(ToString::to_string).collect(),
        Listed::Packages => receipts::list(&prefix)?.iter().map(ToString::to_string).collect(),
    };
    context.report.data(&serde_json::json!({ "names": names }), || names.join("\n"));
    Ok(Exit::Ok)
}

fn with_names(shell: Shell, script: String) -> String {
    let filled =
        |text: &str| text.replace("@OF_SERVICES@", OF_SERVICES).replace("@OF_PACKAGES@", OF_PACKAGES);
    match shell {
        Shell::Bash => script + &filled(BASH),
        Shell::Fish => script + &filled(FISH),
        Shell::Zsh => in_zsh(&script),
        _ => script,
    }
}

/// In zsh an argument names the function that completes it.
fn in_zsh(script: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in script.lines() {
        let of = |what: &str| format!(":_pkginstall_names {what}' \\");
        let takes = |name: &str| {
            line.starts_with(&format!("'*::{name} --")) || line.starts_with(&format!("':{name} --"))
        };
        lines.push(match line.strip_suffix(":_default' \\") {
            Some(rest)
                if takes("services") || takes("service") || takes("what") && rest.contains("services") =>
            {
                rest.to_owned() + &of("services")
            }
            Some(rest) if takes("packages") || takes("package") => rest.to_owned() + &of("packages"),
            _ => line.to_owned(),
        });
    }
    let (head, rest) =
        (lines.first().cloned().unwrap_or_default(), lines.get(1..).unwrap_or_default().join("\n"));
    format!("{head}\n{ZSH}{rest}\n")
}
