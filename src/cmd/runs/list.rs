//! `speclora runs list`: lists runs, filtered, sorted and ranked.

mod filters;

use clap::Args;

use super::columns::{
    self, SETTING, chosen_rows, identity_and_outcome, settings_as_text, settings_as_values, usual,
};
use crate::cmd::UsageError;
use crate::cmd::context::Context;
use crate::cmd::present::whole_grid;
use crate::record::RunId;
use crate::store::{Better, Direction, Place, Rows, RunColumn, RunFilter, RunOrder, RunSearch, Store, Value};
use filters::{FilterArgs, Wanted};

/// Arguments of `speclora runs list`.
#[derive(Debug, Args)]
#[command(
    after_help = "Took: from the beginning to the end, with the pause before a --resume. Done: generations stored out of \
    planned, warm-ups and failures included. Of training runs, Loss: the last step's; Best ᾱ: the highest expected \
    acceptance on held-out prompts.\n\n\
    Names in --where, --sort, --best and --columns: a column of the list (speclora runs list --format csv shows all), a \
    setting (num_draft_tokens, or setting:target where a column has the same name), tag:KEY, or a figure of a run that has \
    ended (State says how), of one mode (spec_lora.tokens_per_second, spec_base.speedup, target_only.time_to_last_token, \
    spec_lora.acceptance_rate, …) or, without a mode, of the first of spec_lora, spec_base and target_only that has it. \
    acceptance_rate is pooled over all tokens; avg_acceptance_rate, the mean over prompts, is what summaries and speclora \
    compare have. A run without the value fulfils no condition but =null."
)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filters: FilterArgs,
    /// Lists the runs in the trash
    #[arg(long)]
    deleted: bool,
    /// Sorts by this, with :asc or :desc behind it [default: best first where one end is the better, else ascending]
    #[arg(long, value_name = "NAME", conflicts_with = "best")]
    sort: Option<String>,
    /// Ranks the runs that have this figure, the best first, and shows it
    #[arg(long, value_name = "FIGURE")]
    best: Option<String>,
    /// Shows these columns, in this order
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// Shows the settings that differ between these runs, beside what came of them
    #[arg(long, visible_alias = "changed")]
    differs: bool,
    /// Shows no more than this many
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<String>,
}

impl ListArgs {
    fn limit(&self) -> Result<Option<u32>, UsageError> {
        let Some(text) = &self.limit else {
            return Ok(None);
        };
        let problem =
            || UsageError(format!("--limit: limit must be a whole number of at least 1, got \"{text}\""));
        text.parse().ok().filter(|limit| *limit >= 1).map(Some).ok_or_else(problem)
    }

    fn place(&self) -> Place {
        if self.deleted { Place::Trash } else { Place::Kept }
    }
}

/// Runs the command.
pub(super) fn run(args: &ListArgs, context: &Context) -> anyhow::Result<()> {
    let limit = args.limit()?;
    args.filters.check()?;
    let store = context.open_store()?;
    let mut wanted = args.filters.wanted(&store)?;
    let ranked = args.best.as_deref().map(|name| ranking(name, &store)).transpose()?;
    let order = match (&ranked, &args.sort) {
        (Some(order), _) => Some(order.clone()),
        (None, Some(typed)) => Some(sorting(typed, &store)?),
        (None, None) => None,
    };
    if let (Some(name), Some(order)) = (&args.best, &ranked) {
        wanted.push(Wanted { typed: format!("--best {name}"), filter: RunFilter::Has(order.column.clone()) });
    }
    let filters = wanted.iter().map(|wanted| wanted.filter.clone()).collect();
    let without = if context.format().is_for_people() { columns::unlisted(&args.columns) } else { vec![] };
    let mut search =
        RunSearch { filters, order, without, more: more(args, &store)?, limit, place: args.place() };
    let mut rows = store.list_runs(&search)?;
    let mut differing = Vec::new();
    if args.differs {
        for key in store.differing_settings(&ids(&rows))? {
            let name = format!("{SETTING}{key}");
            if !search.more.iter().any(|(known, _)| *known == name) {
                search.more.push((name.clone(), RunColumn::Setting(key)));
            }
            differing.push(name);
        }
        rows = store.list_runs(&search)?;
    }
    if rows.rows.is_empty() {
        note_empty(&wanted, args.place(), &store, context)?;
    } else if args.differs && differing.is_empty() {
        context.ui.note("no setting differs between these runs");
    }
    print(args, rows, Extra { search: &search, differing }, context)
}

/// What the rows of a list have beside the usual columns.
struct Extra<'a> {
    search: &'a RunSearch,
    differing: Vec<String>,
}

fn print(args: &ListArgs, mut rows: Rows, extra: Extra<'_>, context: &Context) -> anyhow::Result<()> {
    let is_setting = |(_, column): &&(String, RunColumn)| matches!(column, RunColumn::Setting(_));
    let settings: Vec<String> =
        extra.search.more.iter().filter(is_setting).map(|(name, _)| name.clone()).collect();
    let mut names = chosen(args, &rows, &extra.differing);
    if context.format().is_for_people() {
        settings_as_text(&mut rows, &settings);
        return context.print(&columns::grid(&rows, &names));
    }
    settings_as_values(&mut rows, &settings);
    if args.columns.is_empty() {
        names = rows.columns.clone();
    }
    context.print(&whole_grid(&chosen_rows(&rows, &names)))
}

/// The names of the columns that people see.
fn chosen(args: &ListArgs, rows: &Rows, differing: &[String]) -> Vec<String> {
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut names = if !args.columns.is_empty() {
        args.columns.clone()
    } else if args.differs {
        let (identity, outcome) = identity_and_outcome(rows);
        [owned(identity), differing.to_vec(), owned(outcome)].concat()
    } else {
        owned(usual(rows))
    };
    if args.deleted && args.columns.is_empty() {
        names.push("deleted_at".to_owned());
    }
    if !args.columns.is_empty() {
        names.extend(differing.iter().filter(|name| !args.columns.contains(name)).cloned());
    }
    if let Some(best) = args.best.iter().find(|best| !names.contains(best)) {
        names.push(best.clone());
    }
    names
}

/// The columns that are asked for beside those of every list.
fn more(args: &ListArgs, store: &Store) -> anyhow::Result<Vec<(String, RunColumn)>> {
    let mut more: Vec<(String, RunColumn)> = Vec::new();
    for (index, name) in args.columns.iter().enumerate() {
        if args.columns[..index].contains(name) {
            return Err(UsageError(format!("--columns names {name} twice")).into());
        }
    }
    for name in args.columns.iter().chain(&args.best) {
        let column = store.run_column(name)?;
        if !matches!(column, RunColumn::Fact(_)) && !more.iter().any(|(known, _)| known == name) {
            more.push((name.clone(), column));
        }
    }
    Ok(more)
}

/// The order of a ranking, which needs a figure of which one end is the better.
fn ranking(name: &str, store: &Store) -> anyhow::Result<RunOrder> {
    let column = store.run_column(name)?;
    match best_first(&column) {
        Some(direction) => Ok(RunOrder { column, direction }),
        None => {
            let problem = format!(
                "--best {name}: neither high nor low values of it are better (rank by a figure like spec_lora.tokens_per_second, or \
                 sort with --sort {name}:desc)"
            );
            Err(UsageError(problem).into())
        }
    }
}

fn sorting(typed: &str, store: &Store) -> anyhow::Result<RunOrder> {
    let (name, direction) = match typed.rsplit_once(':') {
        Some((name, "asc")) => (name, Some(Direction::Ascending)),
        Some((name, "desc")) => (name, Some(Direction::Descending)),
        _ => (typed, None),
    };
    let column = store.run_column(name)?;
    let direction = direction.or_else(|| best_first(&column)).unwrap_or(Direction::Ascending);
    Ok(RunOrder { column, direction })
}

fn best_first(column: &RunColumn) -> Option<Direction> {
    column.better().map(|better| match better {
        Better::Higher => Direction::Descending,
        Better::Lower => Direction::Ascending,
    })
}

fn ids(rows: &Rows) -> Vec<RunId> {
    let id = |row: &Vec<Value>| if let Value::Integer(id) = row[0] { Some(RunId(id)) } else { None };
    rows.rows.iter().filter_map(id).collect()
}

/// Says why nothing is listed: there are no runs, or which filters leave none.
fn note_empty(wanted: &[Wanted], place: Place, store: &Store, context: &Context) -> anyhow::Result<()> {
    let count = |filters: Vec<RunFilter>| -> anyhow::Result<usize> {
        Ok(store.list_runs(&RunSearch { filters, place, ..RunSearch::default() })?.rows.len())
    };
    let num_runs = count(vec![])?;
    if num_runs == 0 {
        context.ui.note(match place {
            Place::Kept => "no runs yet (speclora bench makes one)",
            Place::Trash => "no runs in the trash",
        });
        return Ok(());
    }
    let mut fits = Vec::new();
    for Wanted { typed, filter } in wanted {
        fits.push(match count(vec![filter.clone()])? {
            0 => format!("{typed} fits none"),
            num_fit => format!("{typed} fits {num_fit}"),
        });
    }
    let runs = if num_runs == 1 { "the one run".to_owned() } else { format!("the {num_runs} runs") };
    let place = if place == Place::Trash { " in the trash" } else { "" };
    context.ui.note(format!("no run is listed: of {runs}{place}, {}", fits.join(", ")));
    Ok(())
}
