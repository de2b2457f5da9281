//! `speclora runs gc`: deletes for good what is in the trash, and what nothing needs any more.

use clap::Args;
use serde_json::{Value as Json, json};

use super::moment::span_ms;
use crate::cmd::context::Context;
use crate::environment::now_ms;
use crate::record::RunId;
use crate::report::{Cell, Column, Format, Grid, shown_bytes};
use crate::store::{DeletedRows, Garbage, KeptRun, Need};

/// Arguments of `speclora runs gc`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --apply nothing is deleted: it says what would go. Rows by table: the runs in the trash with all \
    that is theirs, the adapters that they made, examples, prompts, models and blobs that no run has any more, and the \
    optimizer's states of training runs that are complete, from which nothing can go on. Byte counts are estimates, except \
    for blobs.\n\n\
    What others need stays, and it says why: the run that made an adapter which a name stands for, or which a run outside \
    the trash used, judged or went on from, because it knows what the adapter has learned from; examples that a training run \
    has; a run that collected examples from which training can still be resumed. Adapters that were imported stay.\n\n\
    It is one transaction: all of it, or nothing. Others that write wait for it."
)]
pub(super) struct GcArgs {
    /// Deletes; there is no way back but a backup (speclora backup)
    #[arg(long)]
    apply: bool,
    /// Only what came into the trash, and states of training that ended, at least this long ago (30d, 12h)
    #[arg(long, value_name = "SPAN")]
    older_than: Option<String>,
    /// Also gives the room back to the file system
    #[arg(long, requires = "apply")]
    vacuum: bool,
}

/// Runs the command.
pub(super) fn run(args: &GcArgs, context: &Context) -> anyhow::Result<()> {
    let span_ms = args.older_than.as_deref().map(|span| span_ms("--older-than", span)).transpose()?;
    let trashed_by_ms = now_ms().saturating_sub(span_ms.unwrap_or(0));
    let mut store = context.open_store()?;
    let garbage =
        if args.apply { store.collect_garbage(trashed_by_ms)? } else { store.garbage(trashed_by_ms)? };
    print(&garbage, args, context)?;
    for line in kept(&garbage, args) {
        context.ui.note(line);
    }
    context.ui.status(outcome(&garbage, args));
    if args.vacuum {
        let bytes = store.shrink()?;
        context.ui.status(format!("the file is {} smaller", shown_bytes(bytes.max(0).unsigned_abs())));
    }
    Ok(())
}

fn print(garbage: &Garbage, args: &GcArgs, context: &Context) -> anyhow::Result<()> {
    match context.format() {
        Format::Json => Ok(context.ui.data(&format!("{:#}\n", object(garbage, args)))?),
        format => {
            let is_for_people = format.is_for_people();
            let mut grid = Grid::new([
                Column::new("table", "Table"),
                Column::number("num_rows", "Rows"),
                Column::number("bytes", "Bytes"),
            ]);
            for DeletedRows { table, num_rows, bytes } in &garbage.tables {
                let size = match is_for_people {
                    true => Cell::Text(shown_bytes(bytes.unsigned_abs())),
                    false => Cell::Integer(*bytes),
                };
                grid.push([Cell::Text((*table).to_owned()), Cell::Integer(*num_rows), size]);
            }
            if is_for_people && grid.rows.is_empty() { Ok(()) } else { context.print(&grid) }
        }
    }
}

fn object(garbage: &Garbage, args: &GcArgs) -> Json {
    let need = |need: &Need| match need {
        Need::Alias { name, checkpoint } => {
            json!({"alias": name, "run_id": null, "checkpoint_id": checkpoint})
        }
        Need::Adapter { run, checkpoint } => {
            json!({"alias": null, "run_id": run, "checkpoint_id": checkpoint})
        }
        Need::Examples { run } => json!({"alias": null, "run_id": run, "checkpoint_id": null}),
    };
    let kept = |kept: &KeptRun| json!({"run_id": kept.run, "needed_by": kept.needs.iter().map(need).collect::<Vec<_>>()});
    let table =
        |rows: &DeletedRows| json!({"table": rows.table, "num_rows": rows.num_rows, "bytes": rows.bytes});
    let examples = |(run, num_examples): &(RunId, i64)| json!({"run_id": run, "num_examples": num_examples});
    json!({
        "is_applied": args.apply,
        "run_ids": garbage.runs,
        "tables": garbage.tables.iter().map(table).collect::<Vec<_>>(),
        "num_optimizer_states": garbage.num_states,
        "num_too_young": garbage.num_too_young,
        "kept_runs": garbage.kept.iter().map(kept).collect::<Vec<_>>(),
        "kept_examples": garbage.kept_examples.iter().map(examples).collect::<Vec<_>>(),
    })
}

/// What stays, and why.
fn kept(garbage: &Garbage, args: &GcArgs) -> Vec<String> {
    let need = |need: &Need| match need {
        Need::Alias { name, checkpoint } => format!("{name} is its adapter {checkpoint}"),
        Need::Adapter { run, checkpoint } => format!("run {run} has its adapter {checkpoint}"),
        Need::Examples { run } => format!("run {run} can be resumed from examples that it collected"),
    };
    let mut lines: Vec<String> = Vec::new();
    for KeptRun { run, needs } in &garbage.kept {
        let needs: Vec<String> = needs.iter().map(need).collect();
        lines.push(format!("run {run} stays in the trash: {}", needs.join(", ")));
    }
    for (run, num_examples) in &garbage.kept_examples {
        lines.push(match num_examples {
            1 => format!("1 example of what goes stays, since run {run} has it; no new training learns from it"),
            _ => format!("{num_examples} examples of what goes stay, since run {run} has them; no new training learns from them"),
        });
    }
    if garbage.num_too_young > 0 {
        let runs = count(garbage.num_too_young, "run");
        lines.push(match &args.older_than {
            Some(span) => format!("{runs} came into the trash less than {span} ago"),
            None => format!("{runs} came into the trash later than now (was the clock set back?)"),
        });
    }
    lines
}

fn outcome(garbage: &Garbage, args: &GcArgs) -> String {
    if garbage.tables.is_empty() && garbage.num_states == 0 {
        return "nothing to delete".to_owned();
    }
    let bytes: i64 = garbage.tables.iter().map(|rows| rows.bytes).sum();
    let mut what = vec![count(garbage.runs.len() as i64, "run")];
    if garbage.num_states > 0 {
        what.push(count(garbage.num_states, "optimizer's state"));
    }
    let what = format!("{}, about {}", what.join(", "), shown_bytes(bytes.unsigned_abs()));
    match (args.apply, args.vacuum) {
        (false, _) => format!("would delete {what} (speclora runs gc --apply does)"),
        (true, false) => format!("deleted {what} (--vacuum gives the room back to the file system)"),
        (true, true) => format!("deleted {what}"),
    }
}

/// `1 run`, `2 runs`.
fn count(number: i64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
