//! From the files of a run to what is judged. Everything is read anew, whatever was shown while it went on.

use std::path::Path;

use crate::compare::{Comparison, HashFile, HashFileError, HostTicks, TickHash};
use crate::judge::{Check, PeerRun, Run};
use crate::play::{HOST, Plan, files};
use crate::report::{self, ReportError};

/// The files of a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    /// A hash file.
    #[error(transparent)]
    Hashes(#[from] HashFileError),
    /// A report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The forged file.
    #[error("cannot forge a hash: {0}")]
    Forge(std::io::Error),
}

fn hashes(path: &Path) -> Result<Vec<TickHash>, HashFileError> {
    let mut file = HashFile::new(path);
    let all = file.read_new()?;
    file.finish()?;
    Ok(all)
}

/// Reads a run.
pub fn load(folder: &Path) -> Result<(Plan, Run), VerdictError> {
    let plan: Plan = report::read(&files::plan(folder))?;
    let mut host = HostTicks::default();
    host.add(hashes(&files::hashes(folder, HOST))?);
    let mut peers = Vec::new();
    for peer in &plan.peers {
        let mut comparison = Comparison::default();
        comparison.add(hashes(&files::hashes(folder, &peer.name))?);
        comparison.settle(&host);
        peers.push(PeerRun { report: report::read(&files::report(folder, &peer.name))?, comparison });
    }
    let server = report::read(&files::report(folder, HOST))?;
    let (network, planted) = (plan.network, plan.planted.clone());
    let run = Run { seconds: plan.seconds, cubes: plan.cubes, network, planted, server, host, peers };
    Ok((plan, run))
}

/// Changes one digit of one hash of the first peer, in a copy, and looks whether the comparison finds just that.
pub fn forged_hash_is_found(folder: &Path, plan: &Plan) -> Result<Check, VerdictError> {
    let name = plan.peers.first().map_or(HOST, |peer| peer.name.as_str());
    let text = std::fs::read_to_string(files::hashes(folder, name)).map_err(VerdictError::Forge)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = lines.len() / 2;
    let Some(line) = lines.get_mut(at) else {
        return Ok(Check { passed: false, sentence: format!("{name} hashed no tick that could be forged") });
    };
    let digit = if line.pop() == Some('0') { '1' } else { '0' };
    line.push(digit);
    let tick = line.split(' ').next().unwrap_or_default().to_owned();
    let forged = folder.join("forged");
    std::fs::write(&forged, lines.join("\n") + "\n").map_err(VerdictError::Forge)?;

    let mut host = HostTicks::default();
    host.add(hashes(&files::hashes(folder, HOST))?);
    let mut comparison = Comparison::default();
    comparison.add(hashes(&forged)?);
    comparison.settle(&host);
    let found = comparison.first_difference.map(|first| first.tick.to_string());
    Ok(Check {
        passed: comparison.diverged == 1 && found.as_ref() == Some(&tick),
        sentence: format!("one digit of {name}'s hash of tick {tick} was forged, and found"),
    })
}
