//! What training has come to, for people and programs.

use serde_json::Value as Json;

use crate::cmd::context::Context;
use crate::cmd::facts::Facts;
use crate::cmd::present::{Shown, View, chosen_grid, objects, whole_grid};
use crate::record::RunId;
use crate::report::{Format, Style};
use crate::store::Store;

/// The columns of a training run's evaluations that people look for.
pub(in crate::cmd) const EVALUATIONS: [Shown; 8] = [
    ("step", "Step", View::Integer),
    ("loss", "Held-out loss", View::Real(Style::Decimals(3))),
    ("expected_acceptance", "Expected acceptance", View::Real(Style::Percent(1))),
    ("top1_agreement", "Top-1", View::Real(Style::Percent(1))),
    ("acceptance_rate", "Pooled", View::Real(Style::Percent(1))),
    ("mean_acceptance_length", "τ", View::Real(Style::Decimals(2))),
    ("checkpoint_id", "Checkpoint", View::Integer),
    ("aliases", "Aliases", View::Text),
];

/// Prints what the database now says of a run.
pub(super) fn print(store: &Store, run: RunId, context: &Context) -> anyhow::Result<()> {
    let rows = store.query("train_evaluations", &[(":run_id", run.into())])?;
    let text = match context.format() {
        Format::Json => {
            let steps = store.query("train_steps", &[(":run_id", run.into())])?;
            let mut object = Facts::read(store, run)?.into_object();
            object.insert("evaluations".to_owned(), objects(&rows).into());
            object.insert("steps".to_owned(), objects(&steps).into());
            format!("{:#}\n", Json::Object(object))
        }
        format @ (Format::Table | Format::Md) => chosen_grid(&rows, &EVALUATIONS).render(format),
        format => whole_grid(&rows).render(format),
    };
    Ok(context.ui.data(&text)?)
}
