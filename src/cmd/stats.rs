//! `speclora stats`: how large the database is, and what takes the space.

use clap::Args;
use serde_json::{Value as Json, json};

use super::context::Context;
use super::present::{labelled_text, objects};
use crate::report::{Cell, Column, Format, Grid, shown_bytes};
use crate::store::{Rows, Statistics, Store, Value};

/// Arguments of `speclora stats`.
#[derive(Debug, Args)]
#[command(
    after_help = "Sizes of tables and indexes are those of the pages that they take. All of the file is read for them."
)]
pub struct StatsArgs {
    /// Looks for damage: pages that contradict each other, rows that point at nothing; fails if there is any
    #[arg(long)]
    check: bool,
}

/// What is known of a database.
struct Found {
    path: String,
    statistics: Statistics,
    /// Kind, state, whether they are in the trash, and how many.
    runs: Rows,
    /// What is wrong; `None` where nobody looked.
    problems: Option<Vec<String>>,
}

/// Runs the command.
pub(crate) fn run(args: &StatsArgs, context: &Context) -> anyhow::Result<()> {
    let store = context.open_store()?;
    let found = Found {
        path: store.path().display().to_string(),
        statistics: store.statistics()?,
        runs: store.query("runs_by_state", &[])?,
        problems: problems(args, &store)?,
    };
    let text = match context.format() {
        Format::Json => format!("{:#}\n", found.object()),
        Format::Table | Format::Md => found.text(context),
        format => found.grid().render(format),
    };
    context.ui.data(&text)?;
    match found.problems {
        Some(problems) if !problems.is_empty() => {
            anyhow::bail!(
                "{0} is damaged: {1} (sqlite3 {0} .recover may save what is left)",
                found.path,
                problems.join("; ")
            )
        }
        _ => Ok(()),
    }
}

fn problems(args: &StatsArgs, store: &Store) -> anyhow::Result<Option<Vec<String>>> {
    Ok(if args.check { Some(store.check()?) } else { None })
}

/// Columns of the rows for programs: part of the list, name in it, how many (rows, runs, blobs, pages), and bytes.
const COLUMNS: [&str; 4] = ["part", "name", "count", "bytes"];

impl Found {
    fn object(&self) -> Json {
        let Statistics {
            file_bytes,
            log_bytes,
            schema_version,
            page_size,
            num_pages,
            num_free_pages,
            trees,
            blobs,
        } = &self.statistics;
        let trees = trees.iter().map(|tree| {
            json!({"name": tree.name, "table": tree.table, "num_rows": tree.num_rows, "bytes": tree.bytes})
        });
        let blobs = blobs.iter().map(
            |blobs| json!({"used_as": blobs.used_as, "num_blobs": blobs.num_blobs, "bytes": blobs.bytes}),
        );
        json!({
            "path": self.path,
            "file_bytes": file_bytes,
            "wal_bytes": log_bytes,
            "schema_version": schema_version,
            "page_size": page_size,
            "num_pages": num_pages,
            "num_free_pages": num_free_pages,
            "runs": objects(&self.runs),
            "tables": trees.collect::<Vec<_>>(),
            "blobs": blobs.collect::<Vec<_>>(),
            "problems": self.problems,
        })
    }

    /// Everything as rows of one shape.
    fn grid(&self) -> Grid {
        let mut grid = Grid::new(COLUMNS.map(Column::from));
        let mut push = |part: &str, name: &str, num: Option<i64>, bytes: Option<i64>| {
            grid.push([
                Cell::Text(part.to_owned()),
                Cell::Text(name.to_owned()),
                Cell::integer(num),
                Cell::integer(bytes),
            ]);
        };
        let of = &self.statistics;
        let bytes = |bytes: u64| i64::try_from(bytes).ok();
        push("file", "database", Some(of.num_pages), bytes(of.file_bytes));
        push("file", "wal", None, bytes(of.log_bytes));
        push("file", "free_pages", Some(of.num_free_pages), Some(of.num_free_pages * of.page_size));
        push("file", "schema_version", Some(of.schema_version), None);
        for (name, num_runs) in self.runs_by_state() {
            push("runs", &name, Some(num_runs), None);
        }
        for tree in &of.trees {
            let part = if tree.num_rows.is_some() { "table" } else { "index" };
            push(part, &tree.name, tree.num_rows, Some(tree.bytes));
        }
        for blobs in &of.blobs {
            push("blobs", &blobs.used_as, Some(blobs.num_blobs), Some(blobs.bytes));
        }
        if let Some(problems) = &self.problems {
            push("check", "problems", Some(problems.len() as i64), None);
        }
        grid
    }

    fn text(&self, context: &Context) -> String {
        let of = &self.statistics;
        let mut facts = vec![
            ("Database", self.path.clone()),
            ("Size", shown_bytes(of.file_bytes)),
            ("Write-ahead log", shown_bytes(of.log_bytes)),
            (
                "Free",
                format!(
                    "{}, {} pages",
                    shown_bytes((of.num_free_pages * of.page_size).unsigned_abs()),
                    of.num_free_pages
                ),
            ),
            ("Schema", format!("version {}", of.schema_version)),
        ];
        match &self.problems {
            Some(problems) if problems.is_empty() => facts.push(("Check", "sound".to_owned())),
            Some(problems) => facts.push(("Check", problems.join("\n"))),
            None => {}
        }
        let format = context.format();
        let part = |title: &str, grid: Grid| {
            if grid.rows.is_empty() { String::new() } else { format!("\n{title}\n{}", grid.render(format)) }
        };
        labelled_text(&facts, context)
            + &part("Runs", self.runs_grid())
            + &part("Tables, the largest first", self.tables_grid())
            + &part("Blobs", self.blobs_grid())
    }

    /// How many runs there are of each kind and state: `bench completed`, and behind it whether they are in the trash.
    fn runs_by_state(&self) -> Vec<(String, i64)> {
        let named = |row: &Vec<Value>| match row.as_slice() {
            [Value::Text(kind), Value::Text(state), Value::Integer(in_trash), Value::Integer(num_runs)] => {
                let place = if *in_trash == 1 { " in trash" } else { "" };
                Some((format!("{kind} {state}{place}"), *num_runs))
            }
            _ => None,
        };
        self.runs.rows.iter().filter_map(named).collect()
    }

    fn runs_grid(&self) -> Grid {
        let mut grid = Grid::new([Column::new("runs", "Kind and state"), Column::number("num_runs", "Runs")]);
        for (name, num_runs) in self.runs_by_state() {
            grid.push([Cell::Text(name), Cell::Integer(num_runs)]);
        }
        grid
    }

    fn tables_grid(&self) -> Grid {
        let trees = &self.statistics.trees;
        let indexes_of = |table: &str| -> i64 {
            let indexes = trees.iter().filter(|tree| tree.num_rows.is_none() && tree.table == table);
            indexes.map(|tree| tree.bytes).sum()
        };
        let mut tables: Vec<_> = trees
            .iter()
            .filter(|tree| tree.num_rows.is_some())
            .map(|tree| (tree, indexes_of(&tree.name)))
            .collect();
        tables.sort_by_key(|(tree, indexes)| (-(tree.bytes + indexes), tree.name.clone()));
        let mut grid = Grid::new([
            Column::new("table", "Table"),
            Column::number("num_rows", "Rows"),
            Column::number("bytes", "Size"),
            Column::number("index_bytes", "Its indexes"),
        ]);
        let size = |bytes: i64| Cell::Text(shown_bytes(bytes.unsigned_abs()));
        for (tree, indexes) in tables {
            let indexes = if indexes == 0 { Cell::Missing } else { size(indexes) };
            grid.push([
                Cell::Text(tree.name.clone()),
                Cell::integer(tree.num_rows),
                size(tree.bytes),
                indexes,
            ]);
        }
        grid
    }

    fn blobs_grid(&self) -> Grid {
        let mut grid = Grid::new([
            Column::new("used_as", "Blobs"),
            Column::number("num_blobs", "How many"),
            Column::number("bytes", "Size"),
        ]);
        for blobs in &self.statistics.blobs {
            let size = Cell::Text(shown_bytes(blobs.bytes.unsigned_abs()));
            grid.push([Cell::Text(blobs.used_as.replace('_', " ")), Cell::Integer(blobs.num_blobs), size]);
        }
        grid
    }
}
