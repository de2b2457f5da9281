//! `speclora generate`: one prompt, one answer, nothing stored.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::fixture;
use crate::program::{Workspace, model, text};

/// Runs a command with this standard input, and returns how it ended.
fn run_with_input(workspace: &Workspace, arguments: &[&str], input: &str) -> Output {
    let mut command = workspace.command(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[cfg(feature = "builtin-models")]
#[test]
fn streamed_text_is_the_targets_with_and_without_a_draft() {
    let workspace = Workspace::new();
    let prompt = "What is rain?";
    let outcome = workspace.run(&["generate", prompt, "-m", "48"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for part in ["tokens/s, acceptance ", "mean acceptance length ", "note: no model is named"] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
    let alone = workspace.run(&["generate", prompt, "-m", "48", "--no-draft"]);
    assert_eq!(alone.stdout, outcome.stdout);
    assert!(!alone.stderr.contains("acceptance"), "{}", alone.stderr);
    assert!(!workspace.path("speclora.db").exists(), "nothing is stored");

    workspace.succeed(&["bench", "-p", prompt, "-m", "48", "--modes", "target_only"]);
    let stored: String = workspace.value("SELECT output_text FROM generations WHERE is_warmup = 0");
    let stored = if stored.ends_with('\n') { stored } else { stored + "\n" };
    assert_eq!(outcome.stdout, stored);
    assert!(stored.split_whitespace().count() > 5, "{stored}");
    workspace.succeed(&["generate", prompt, "-m", "8"]);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM runs"), 1, "nothing is stored");
}

#[cfg(feature = "builtin-models")]
#[test]
fn json_is_one_object_and_standard_input_is_a_prompt() {
    let workspace = Workspace::new();
    let prompt = "Why is the sky blue?";
    let json = workspace.json(&["generate", prompt, "-m", "32"]);
    let number = |key: &str| json[key].as_f64().unwrap();
    assert_eq!(json["tokens"].as_array().unwrap().len() as f64, number("total_tokens"));
    assert!((number("acceptance_rate") - number("num_accepted") / number("num_drafted")).abs() < 1e-9);
    assert!(number("time_to_first_token") <= number("time_to_last_token"));
    assert_eq!([&json["mode"], &json["adapter"]], [&"spec_base".into(), &serde_json::Value::Null]);
    let piped = run_with_input(&workspace, &["generate", "-", "-m", "32", "-q"], &format!("{prompt}\n"));
    let text = json["text"].as_str().unwrap();
    assert_eq!(String::from_utf8(piped.stdout).unwrap().trim_end_matches('\n'), text.trim_end_matches('\n'));
    assert!(piped.stderr.is_empty(), "{}", String::from_utf8_lossy(&piped.stderr));
    // A seed decides what is sampled.
    let sampled = |seed: &str| {
        workspace.succeed(&["generate", prompt, "-m", "32", "--temperature", "1", "--seed", seed])
    };
    assert!(sampled("1") == sampled("1") && sampled("1") != sampled("2"));
}

#[test]
fn best_proposes_where_it_is_of_this_draft() {
    let workspace = Workspace::new();
    let (target, other) = (model("llama-untied"), model("llama-tied"));
    let folder = text(&fixture("adapters/llama-untied-rslora-r2"));
    let generate = |draft: &str, more: &[&str]| {
        let base = ["generate", "hello", "-m", "8", "--target", &target, "--draft", draft];
        workspace.json(&[&base, more].concat())
    };
    let plain = generate(&target, &[]);
    assert_eq!((&plain["mode"], &plain["acceptance_rate"]), (&"spec_base".into(), &1.0.into()));
    let adapted = generate(&target, &["-a", &folder]);
    assert_eq!((&adapted["mode"], &adapted["adapter"]), (&"spec_lora".into(), &folder.as_str().into()));
    assert_eq!(adapted["text"], plain["text"]);
    workspace.succeed(&["adapters", "import", &folder, "--draft", &target]);
    workspace.succeed(&["adapters", "alias", "best", "1"]);
    assert_eq!(generate(&target, &[])["adapter"], "1");
    assert_eq!(generate(&other, &[])["mode"], "spec_base");
    assert_eq!(generate(&other, &["--force", "-a", "best"])["mode"], "spec_lora");
    let base = ["generate", "hello", "-m", "4", "--target", &target, "--draft"];
    let verbose = workspace.run(&[&base[..], &[&other, "-v"]].concat());
    let note = "best names no adapter of this draft: the plain draft proposes";
    assert!(verbose.stderr.contains(note), "{}", verbose.stderr);
    let refused = workspace.run(&[&base[..], &[&other, "-a", "best"]].concat());
    assert!(refused.code == Some(1) && refused.stderr.contains("is for another draft"), "{}", refused.stderr);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let workspace = Workspace::new();
    let target = model("llama-untied");
    let models = ["--target", &target, "--draft", &target];
    let check = |arguments: &[&str], code: i32, part: &str| {
        let outcome = workspace.run(&[&["generate"], arguments, &models].concat());
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
        assert!(
            outcome.stderr.contains(part) && outcome.stdout.is_empty(),
            "{arguments:?}: {}",
            outcome.stderr
        );
    };
    check(&[""], 2, "the prompt is empty (give a text, or - for standard input)");
    check(&["-"], 2, "the prompt is empty");
    check(
        &["hello", "-a", "none"],
        1,
        "no adapter none (it is no alias, no checkpoint id and no PEFT folder",
    );
    check(&["hello", "--format", "csv"], 2, "generate writes text, json or jsonl, got csv");
    check(&["hello", "--no-draft"], 2, "cannot be used with");
    check(&["hello", "-m", "0"], 2, "max_tokens must be a whole number between 1");
}

#[cfg(all(unix, feature = "builtin-models"))]
#[test]
fn an_interrupted_answer_ends_its_line_and_a_closed_pipe_is_no_error() {
    use std::io::Read as _;

    let workspace = Workspace::new();
    let start = || {
        // So hot, the target rambles on to the end of its context.
        let arguments = ["generate", "hello", "--temperature", "10", "-m", "1000", "--no-draft"];
        let mut command = workspace.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = start();
    let mut first = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    crate::program::send(libc::SIGINT, &child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("error: interrupted after ") && output.stdout.ends_with(b"\n"), "{stderr}");

    let mut child = start();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
