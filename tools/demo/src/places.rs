//! Where things are: the samples that were built, the recordings, the folder of a run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Where to look.
#[derive(Clone, Debug)]
pub struct Places {
    /// The repository, if it can be found: recordings are converted by a script in it.
    root: Option<PathBuf>,
    /// Where the library and the bots are.
    pub library: PathBuf,
    /// Where the samples of other languages are, a folder each.
    samples: PathBuf,
}

/// Recordings in the data folder, and what they are called.
const RECORDINGS: [(&str, &str); 3] = [
    ("vr_quest3/quest3_head_hands.csv", "Quest 3"),
    ("vr_vive/tracked-recording.json", "HTC Vive"),
    ("vr_vive/dev-recording.json", "HTC Vive"),
];

/// What the peers play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Motion {
    /// For `--motion`.
    pub list: String,
    /// For people.
    pub what: String,
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

impl Places {
    /// From the environment that `./x` sets, else from where this program is: `target/release`, beside
    /// `target/samples`, in the repository.
    pub fn find() -> Self {
        let here = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
        let here = here.unwrap_or_else(|| PathBuf::from("."));
        let root = variable("ROOT").into_iter().chain(here.ancestors().map(Path::to_owned));
        let library = variable("THETA_LIBRARY_DIR").unwrap_or_else(|| here.clone());
        let beside = library.parent().unwrap_or(&library).join("samples");
        Self {
            root: root.into_iter().find(|path| path.join("samples/motion/convert_motion.py").is_file()),
            library,
            samples: variable("THETA_SAMPLES_DIR").unwrap_or(beside),
        }
    }

    /// The host.
    pub fn server(&self) -> PathBuf {
        self.samples.join("headless_server/headless_server")
    }

    /// A client, by its language.
    pub fn client(&self, language: &str) -> PathBuf {
        match language {
            "cpp" => self.samples.join("client_cpp/client_cpp"),
            "csharp" => self.samples.join("client_csharp/client_csharp"),
            _ => self.library.join("theta-bots"),
        }
    }

    /// What can be played: recordings of real players where they are, else the one that comes with the samples.
    pub fn motion(&self) -> Motion {
        let builtin = |why: &str| Motion { list: "builtin".to_owned(), what: format!("built-in ({why})") };
        let Some(root) = &self.root else { return builtin("the repository is elsewhere") };
        let data = variable("THETA_DATA").unwrap_or_else(|| root.join("../shared/data"));
        let kept = self.library.parent().unwrap_or(&self.library).join("motion");
        let mut files = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (source, name) in RECORDINGS {
            let Some(file) = convert(root, &data.join(source), &kept) else { continue };
            files.push(file);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let lists: Option<Vec<_>> = files.iter().map(|file| file.to_str()).collect();
        match lists {
            Some(lists) if !lists.is_empty() && lists.iter().all(|path| !path.contains(',')) => Motion {
                list: lists.join(","),
                what: format!("recorded with {} ({} recordings)", names.join(" and "), lists.len()),
            },
            _ => builtin("there are no recordings in the data folder"),
        }
    }
}

/// The recording as a motion file, converted when it or the script is newer. `None` when it is not there or is none.
fn convert(root: &Path, source: &Path, kept: &Path) -> Option<PathBuf> {
    let script = root.join("samples/motion/convert_motion.py");
    let (read, written) = (modified(source)?, modified(&script)?);
    let target = kept.join(source.file_stem()?).with_extension("motion");
    if modified(&target).is_some_and(|made| made > read.max(written)) {
        return Some(target);
    }
    std::fs::create_dir_all(kept).ok()?;
    let draft = target.with_extension(format!("{}.part", std::process::id()));
    let done = Command::new("python3").arg("-B").arg(&script).arg(source).arg(&draft).output().ok()?;
    if !done.status.success() {
        let _ = std::fs::remove_file(&draft);
        return None;
    }
    std::fs::rename(&draft, &target).ok()?;
    Some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_recordings_the_built_in_one_is_played() {
        let nowhere = PathBuf::from("/no/such/folder");
        let places = Places { root: None, library: nowhere.clone(), samples: nowhere.clone() };
        assert_eq!(places.motion().list, "builtin");
        assert!(convert(&nowhere, &nowhere.join("a.csv"), &nowhere).is_none());
    }

    #[test]
    fn a_recording_is_converted_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = std::env::temp_dir().join(format!("theta-demo-places-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let source = folder.join("a.csv");
        let limb = "0,1,0,0,0,0,1";
        let rows: Vec<_> = (0..3).map(|n| format!("{},c,{limb},{limb},{limb}", n * 11)).collect();
        std::fs::write(&source, format!("header\n{}\n", rows.join("\n"))).expect("a recording");
        let made = convert(&root, &source, &folder.join("kept")).expect("converted");
        let first = modified(&made);
        assert_eq!(std::fs::read_to_string(&made).expect("a motion").lines().count(), 4);
        assert_eq!(convert(&root, &source, &folder.join("kept")), Some(made.clone()));
        assert_eq!(modified(&made), first, "not converted again");
        std::fs::write(&source, "no recording").expect("written");
        let broken = convert(&root, &source, &folder.join("kept"));
        std::fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(broken, None);
    }
}
