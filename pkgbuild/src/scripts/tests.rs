//! What is accepted as a command line, and what it becomes.

use copkg_spec::command::Failure;
use insta::assert_snapshot;

use super::{Output, Parameter, ScriptError, ServiceCommand, generate};

pub(super) fn command(exec: &str) -> ServiceCommand {
    ServiceCommand {
        exec: exec.into(),
        parameters: vec![
            Parameter { name: "port".into(), default: Some("6379".into()), description: "TCP port".into() },
            Parameter { name: "data-dir".into(), default: Some(String::new()), description: "where".into() },
        ],
        directories: vec!["data/cache".into()],
        output: Output::Log,
        pid_file: None,
        stop_signal: "TERM".into(),
        start_timeout_seconds: 11,
        settle_milliseconds: 1_000,
        stop_timeout_seconds: 6,
    }
}

fn launched(exec: &str) -> Result<String, ScriptError> {
    let start = generate(&command(exec))?.start;
    let line = start.lines().find_map(|line| line.strip_prefix("set -- ").filter(|l| !l.starts_with('$')));
    Ok(line.unwrap_or_default().to_owned())
}

fn refusal(exec: &str) -> String {
    Failure::of(&launched(exec).unwrap_err()).to_string()
}

#[test]
fn a_program_with_a_slash_lies_in_the_package() {
    assert_eq!(launched("bin/server").unwrap(), r#""$SOFTWARE_DIR"/bin/server"#);
    assert_eq!(launched("./server -v").unwrap(), r#""$SOFTWARE_DIR"/./server -v"#);
    assert_eq!(launched("/usr/bin/env x").unwrap(), "/usr/bin/env x");
    assert_eq!(launched("python3 -m app").unwrap(), "python3 -m app");
    assert_eq!(launched("$SOFTWARE_DIR/bin/x").unwrap(), r#""$SOFTWARE_DIR"/bin/x"#);
}

#[test]
fn a_variable_is_one_word_with_or_without_quotes() {
    let expected = r#"x --dir="$RUNTIME_DIR"/data "$PARAM_PORT""#;
    assert_eq!(launched("x --dir=$RUNTIME_DIR/data $PARAM_PORT").unwrap(), expected);
    assert_eq!(launched(r#"x "--dir=${RUNTIME_DIR}/data" "$PARAM_PORT""#).unwrap(), expected);
    assert_eq!(launched("x '$PARAM_PORT' \\$5").unwrap(), "x '$PARAM_PORT' '$5'");
}

#[test]
fn quotes_may_hold_anything() {
    assert_eq!(
        launched("x '; rm -rf /' \"a | b\" '' it\\'s").unwrap(),
        r"x '; rm -rf /' 'a | b' '' 'it'\''s'"
    );
    assert_eq!(launched("x a\\\n b").unwrap(), "x a b");
    assert_eq!(launched("x @EXEC@ @PID_FILE@").unwrap(), "x @EXEC@ @PID_FILE@");
}

#[test]
fn shell_syntax_is_refused() {
    for text in ["x; y", "x | y", "x & y", "x > y", "x $(y)", "x `y`", "(x)", "x *", "x # y", "~/x", "x\ny"] {
        let error = launched(text).unwrap_err();
        assert!(matches!(error, ScriptError::ShellSyntax { .. }), "{text}: {error}");
    }
    for text in ["x ${PARAM_PORT:-1}", "x $", "x $5 ${"] {
        assert!(launched(text).is_err(), "{text}");
    }
    for text in ["x 'y", "x \"y", "x \\", "x ${CELL"] {
        assert!(matches!(launched(text).unwrap_err(), ScriptError::Unfinished { .. }), "{text}");
    }
}

#[test]
fn refusals_say_what_to_do() {
    assert_snapshot!(refusal("bin/x > log"), @r##"
    error: [service] exec uses shell syntax: a redirection (< or >) in `bin/x > log`
      hint: put it in quotes to mean the character, or give scripts of your own with start and stop
    "##);
    assert_snapshot!(refusal("bin/x $PARAM_PROT"), @r##"
    error: [service] exec uses $PARAM_PROT, which does not exist
      hint: there are $RUNTIME_DIR, $SOFTWARE_DIR, $COORDINATE, $INSTANCE, $SERVICE, $USER_NAME, $CELL, $PARAM_PORT, $PARAM_DATA_DIR; in single quotes a $ is a plain $
    "##);
    assert_snapshot!(refusal("exec bin/x"), @r##"
    error: [service] exec starts with `exec`, which is a word of the shell and no program
      hint: name the program itself, or sh -c '…'
    "##);
    assert_snapshot!(refusal("A=b"), @r##"
    error: [service] exec is empty
      hint: name the program and its arguments: exec = "bin/server --port $PARAM_PORT"
    "##);
    assert_snapshot!(refusal("bin/x 'y"), @r##"
    error: [service] exec ends inside single quotes: `bin/x 'y`
      hint: close it, or write \ before it to mean the character
    "##);
}

#[test]
fn what_cannot_be_written_down_is_refused() {
    let refused = |change: fn(&mut ServiceCommand)| {
        let mut command = command("bin/x");
        change(&mut command);
        Failure::of(&generate(&command).unwrap_err()).to_string()
    };
    assert_snapshot!(refused(|c| c.pid_file = Some("a b".into())), @r##"
    error: [service] pid_file is not one path: `a b`
      hint: name one file, e.g. pid_file = "run/server.pid"
    "##);
    assert_snapshot!(refused(|c| c.parameters[0].name = "coordinate".into()), @r##"
    error: the parameter "coordinate" has a name that cannot be used: start has an option of that name
      hint: a name is [a-z0-9][a-z0-9_-]*, e.g. "listen-port"
    "##);
    assert_snapshot!(refused(|c| c.parameters[0].name = "data_dir".into()), @r##"
    error: the parameter "data-dir" has a name that cannot be used: another parameter has the same variable
      hint: a name is [a-z0-9][a-z0-9_-]*, e.g. "listen-port"
    "##);
    assert_snapshot!(refused(|c| c.directories.push("../x".into())), @r##"
    error: the directory "../x" is not a path below the runtime directory
      hint: name it relative to the runtime directory, e.g. "data/cache"
    "##);
    assert_snapshot!(refused(|c| c.stop_signal = "KILL".into()), @r##"
    error: "KILL" is no signal that a service can be stopped with
      hint: use TERM, INT, QUIT, HUP, USR1 or USR2
    "##);
}

#[test]
fn an_assignment_before_the_program_is_for_the_service_only() {
    let start = generate(&command("LD_LIBRARY_PATH=$SOFTWARE_DIR/lib A='b c' bin/x")).unwrap().start;
    let expected = "(\n    LD_LIBRARY_PATH=\"$SOFTWARE_DIR\"/lib\n    export LD_LIBRARY_PATH\n    A='b c'\n    export A\n    exec \"$@\"\n)";
    assert!(start.contains(expected), "{start}");
}

#[test]
fn the_same_recipe_gives_the_same_scripts() {
    assert_eq!(generate(&command("bin/x")), generate(&command("bin/x")));
}
