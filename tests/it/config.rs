//! Settings from all layers, and one of them followed from the flag to the rounds.

use crate::program::{Workspace, bench_arguments, model};

/// Value and origin of a setting, as `config show --origin` says.
fn shown(workspace: &Workspace, key: &str) -> (String, String) {
    let settings = workspace.json(&["config", "show", "--origin"]);
    let setting = settings.as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap();
    let text = |field: &str| setting[field].as_str().unwrap().to_owned();
    (text("value"), text("origin"))
}

#[test]
fn a_stronger_layer_decides() {
    let mut workspace = Workspace::new();
    assert_eq!(shown(&workspace, "num_draft_tokens"), ("4".to_owned(), "default".to_owned()));
    workspace.write("speclora.toml", "num_draft_tokens = 5\n");
    assert_eq!(shown(&workspace, "num_draft_tokens"), ("5".to_owned(), "file".to_owned()));
    workspace.set("SPECLORA_NUM_DRAFT_TOKENS", "6");
    assert_eq!(shown(&workspace, "num_draft_tokens"), ("6".to_owned(), "environment".to_owned()));
}

#[test]
fn num_draft_tokens_reaches_the_rounds_from_every_layer() {
    let mut workspace = Workspace::new();
    let target = model("llama-untied");
    let bench = |workspace: &Workspace, more: &[&str]| {
        workspace.succeed(&bench_arguments(&target, &target, &[&["--skip-lora"], more].concat()));
    };
    workspace.write("speclora.toml", "num_draft_tokens = 5\n");
    bench(&workspace, &[]);
    workspace.set("SPECLORA_NUM_DRAFT_TOKENS", "6");
    bench(&workspace, &[]);
    bench(&workspace, &["--num-draft-tokens", "7"]);
    let database = workspace.database();
    let mut statement = database
        .prepare(
            "SELECT max(r.num_drafted), s.value, s.origin
            FROM rounds AS r
            JOIN generations AS g ON g.id = r.generation_id
            JOIN run_settings AS s ON s.run_id = g.run_id AND s.key = 'num_draft_tokens'
            GROUP BY g.run_id
            ORDER BY g.run_id",
        )
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let found: Vec<(i64, String, String)> = rows.map(|row| row.unwrap()).collect();
    let expected = [(5, "5", "file"), (6, "6", "environment"), (7, "7", "flag")];
    assert_eq!(found, expected.map(|(k, value, origin)| (k, value.to_owned(), origin.to_owned())));
}

#[test]
fn the_shipped_configurations_resolve() {
    let workspace = Workspace::new();
    let files = ["default.toml", "qwen2.5-coder.toml", "tickets.toml", "broad.toml"];
    for file in files.map(|name| format!("configs/{name}")) {
        let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        workspace.succeed(&["config", "show", "--config", &path]);
    }
}
