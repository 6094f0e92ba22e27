//! Somebody looks at something with their own eyes, and says so.

use crate::ceremony::plan::is_hidden;
use crate::ceremony::stage::Stage;
use crate::fault::Fault;
use serde_json::{Value, json};

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 512;

pub fn act(stage: &mut Stage<'_>, step: usize, (by, says, answer): (&str, &str, bool)) -> Result<Value, Fault> {
    let written = stage.journal.of_step(step).find(|r| r.is_note("observed")).map(|r| r.text("answer").to_owned());
    let said = match written {
        Some(said) => said,
        None => {
            let said = ask(stage, (by, says, answer))?;
            stage.note(step, by, json!({ "kind": "observed", "answer": said }))?;
            said
        }
    };
    Ok(json!({ "by": by, "says": says, "answer": said }))
}

fn ask(stage: &Stage<'_>, (by, says, answer): (&str, &str, bool)) -> Result<String, Fault> {
    let prompt = format!("{by}: {says}.");
    if !answer {
        let how = stage.screen.text("Type \"done\".", "Gõ \"done\".");
        return stage.choose(&format!("{prompt} {how}"), &["done"]);
    }
    let how = stage.screen.text("Type what you see.", "Gõ điều bạn thấy.");
    loop {
        let typed: String = stage.ask(&format!("{prompt} {how}"))?.chars().filter(|c| !is_hidden(*c)).collect();
        if (1..=MAX_ANSWER).contains(&typed.len()) {
            return Ok(typed);
        }
    }
}
