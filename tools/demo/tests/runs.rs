//! Whole runs of the program with actors in place of the samples: what it says and how it ends when something is wrong.
//! The samples themselves are tested by `./x demo --smoke`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Reads the options that actors need into variables.
const OPTIONS: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --hash-file) hashes=$2 ;;
    --report) report=$2 ;;
    --name) name=$2 ;;
    --loss) loss=$2 ;;
    --latency) latency=$2 ;;
    --jitter) jitter=$2 ;;
    --plant-divergence) plant=$2 ;;
  esac
  shift
done
ticks() { awk 'BEGIN { for (t = 1; t <= 100; t++) printf "%d %016x\n", t, t * 7 }'; }
"#;

/// A host that speaks, hashes a hundred ticks and ends when it is told to.
const HOST: &str = r#"
trap 'echo "{\"ok\":true,\"seconds\":1,\"tick_hz\":90,\"deadline_misses\":0,\"entities\":402,\"entities_moved\":9,\"peers\":[{\"name\":\"cpp-0\",\"inputs_received\":90},{\"name\":\"csharp-1\",\"inputs_received\":90}]}" >"$report"; exit 0' TERM
ticks >"$hashes"
while :; do
  echo "status kind=server tick=100 deadline_misses=0 entities=402 entities_moved=9"
  sleep 0.1
done
"#;

/// A client that saw all of it. It is not done before the host has begun, as a real one cannot be.
const CLIENT: &str = r#"
while [ ! -s "${hashes%/*}/host.hashes" ]; do sleep 0.02; done
echo "status kind=client name=$name state=live tick=100 complete_ticks=100 started_ticks=100"
ticks >"$hashes"
echo "{\"name\":\"$name\",\"language\":\"cpp\",\"transport\":\"quic\",\"pose_error_mm_p50\":1,\"pose_error_mm_p99\":2,\"complete_ticks\":100,\"started_ticks\":100}" >"$report"
"#;

struct Stage(PathBuf);

impl Stage {
    /// Two peers, cpp-0 and csharp-1; `cast` replaces what some of them do.
    fn new(name: &str, cast: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("theta-demo-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for (actor, script) in [("headless_server", HOST), ("client_cpp", CLIENT), ("client_csharp", CLIENT)]
        {
            let script = cast.iter().find(|(who, _)| *who == actor).map_or(script, |(_, script)| script);
            let place = folder.join(actor);
            fs::create_dir_all(&place).expect("a folder");
            let program = place.join(actor);
            fs::write(&program, format!("{OPTIONS}{script}")).expect("an actor");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        Self(folder)
    }

    fn play(&self, more: &[&str]) -> Output {
        self.play_for("1", more)
    }

    fn play_for(&self, seconds: &str, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_theta-demo"))
            .args(["--seconds", seconds, "--peers", "2"])
            .args(more)
            .env("THETA_SAMPLES_DIR", &self.0)
            .env("THETA_DATA", "/no/such/folder")
            .output()
            .expect("runs")
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a name").to_owned()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(path: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(Path::new(path)).expect("a report")).expect("JSON")
}

#[test]
fn a_good_run_ends_with_zero_and_has_every_field() {
    let stage = Stage::new("good", &[]);
    let output = stage.play(&["--json", &stage.file("out.json")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = json(&stage.file("out.json"));
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let mut wanted = vec![
        "ok",
        "seconds",
        "tick_hz",
        "tick_ms_p99",
        "deadline_misses",
        "entities",
        "entities_moved",
        "peers",
        "network",
        "planted",
        "divergences",
    ];
    wanted.sort_unstable();
    assert_eq!(keys(&report), wanted);
    let mut wanted = vec![
        "name",
        "language",
        "transport",
        "rtt_ms_p50",
        "rtt_ms_p99",
        "in_bytes_per_s",
        "out_bytes_per_s",
        "pose_error_mm_p50",
        "pose_error_mm_p99",
        "complete_ticks",
        "compared_ticks",
        "diverged_ticks",
    ];
    wanted.sort_unstable();
    for peer in report["peers"].as_array().expect("peers") {
        assert_eq!(keys(peer), wanted);
        assert_eq!((&peer["compared_ticks"], &peer["diverged_ticks"]), (&100.into(), &0.into()));
    }
    assert_eq!(report["ok"], true);
}

#[test]
fn one_different_tick_of_one_peer_ends_with_one() {
    let client = CLIENT.replace("ticks >\"$hashes\"", "ticks | sed '57s/.$/b/' >\"$hashes\"");
    let stage = Stage::new("forged", &[("client_csharp", &client)]);
    let output = stage.play(&["--json", &stage.file("out.json"), "--keep", &stage.file("kept")]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("csharp-1 saw something else than the host at tick 57:"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("cpp-0 saw something else"));
    let report = json(&stage.file("out.json"));
    assert_eq!((&report["ok"], &report["peers"][1]["diverged_ticks"]), (&false.into(), &1.into()));
    let again = Command::new(env!("CARGO_BIN_EXE_theta-demo"))
        .args(["--check", &stage.file("kept")])
        .output()
        .expect("runs");
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("csharp-1 saw something else than the host at tick 57:"),
        "{}",
        said(&again)
    );
}

#[test]
fn a_peer_that_leaves_half_of_its_ticks_out_ends_with_one() {
    let client = CLIENT.replace("ticks >\"$hashes\"", "ticks | sed '10,20d' >\"$hashes\"");
    let stage = Stage::new("sparse", &[("client_cpp", &client)]);
    let output = stage.play(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("cpp-0: 89 of 100 complete ticks compared"), "{}", said(&output));
}

#[test]
fn a_peer_that_fails_is_named_with_its_last_words() {
    let client = "echo 'status kind=client state=live tick=41 complete_ticks=1 started_ticks=1'\n\
                  sleep 0.5; echo 'the world is flat' >&2; exit 3";
    let stage = Stage::new("fails", &[("client_csharp", client)]);
    let output = stage.play(&["--json", &stage.file("out.json")]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("csharp-1 ended after tick 41 with exit status: 3"), "{said}");
    assert!(said.contains("the world is flat"), "{said}");
    assert_eq!(json(&stage.file("out.json"))["ok"], false);
}

#[test]
fn a_host_that_fails_is_named_and_not_the_peers_that_fail_with_it() {
    let stage = Stage::new(
        "host",
        &[("headless_server", "echo 'no floor' >&2; exit 1"), ("client_cpp", "exec sleep 30")],
    );
    let output = stage.play(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("host ended before its first tick with exit status: 1"),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("no floor"));
}

#[test]
fn a_broken_hash_file_is_named_by_its_line() {
    let client = CLIENT.replace("ticks >\"$hashes\"", "ticks | sed '7s/ /  /' >\"$hashes\"");
    let stage = Stage::new("broken", &[("client_cpp", &client)]);
    let output = stage.play(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cpp-0.hashes:7: expected an ascending tick"), "{}", said(&output));
}

#[test]
fn a_kept_folder_loses_only_what_the_run_writes_anew() {
    let stage = Stage::new("kept", &[]);
    let kept = stage.0.join("kept");
    fs::create_dir_all(&kept).expect("a folder");
    for name in ["package.json", "notes.hashes", "host.hashes"] {
        fs::write(kept.join(name), "mine").expect("written");
    }
    let output = stage.play(&["--keep", &stage.file("kept")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = |name: &str| fs::read_to_string(kept.join(name)).expect("is there");
    assert_eq!((text("package.json").as_str(), text("notes.hashes").as_str()), ("mine", "mine"));
    assert!(text("host.hashes").starts_with("1 "));
}

#[test]
fn results_that_cannot_be_written_cost_no_run() {
    let stage = Stage::new("unwritable", &[]);
    let output =
        stage.play(&["--json", &stage.file("no/such/folder/out.json"), "--keep", &stage.file("kept")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cannot write"), "{}", said(&output));
    assert!(!stage.0.join("kept").exists(), "nothing was started");
}

#[test]
fn a_stopped_run_leaves_no_older_results() {
    let client = CLIENT.replace("ticks >", "while :; do sleep 0.05; done; ticks >");
    let stage = Stage::new("stopped", &[("client_cpp", &client), ("client_csharp", &client)]);
    fs::write(stage.file("out.json"), "{\"ok\":true}").expect("written");
    let mut run = Command::new(env!("CARGO_BIN_EXE_theta-demo"))
        .args(["--seconds", "60", "--peers", "2", "--json", &stage.file("out.json")])
        .args(["--keep", &stage.file("kept")])
        .env("THETA_SAMPLES_DIR", &stage.0)
        .env("THETA_DATA", "/no/such/folder")
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("runs");
    let began = std::time::Instant::now();
    while !stage.0.join("kept/host.hashes").exists() && began.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let told = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill");
    assert!(told.success());
    assert_eq!(run.wait().expect("ends").code(), Some(130));
    assert_eq!(json(&stage.file("out.json"))["ok"], false);
}

/// Like [`HOST`], but it says that a divergence was found in csharp-1, and is not content.
fn host_that_found(divergence: &str) -> String {
    HOST.replace("\\\"ok\\\":true", "\\\"ok\\\":false").replace(
        "\\\"peers\\\":[",
        &format!("\\\"divergences\\\":[{}],\\\"peers\\\":[", divergence.replace('"', "\\\"")),
    )
}

#[test]
fn a_planted_divergence_is_told_to_its_peer_and_ends_with_one_and_a_sentence() {
    // What a sample's client does: its hashes are wrong from the tick that it was told, until the repair.
    let client = CLIENT.replace(
        "ticks >\"$hashes\"",
        "ticks | awk -v at=\"${plant:-0}\" '{ if (at > 0 && $1 >= at && $1 < at + 5) $2 = \"00000000000000ff\"; print }' >\"$hashes\"",
    );
    let found = r#"{"name":"csharp-1","tick":44,"where":"demo.cube.position in chunk 3 at tick 44","repaired_tick":45}"#;
    let stage = Stage::new(
        "planted",
        &[("client_csharp", &client), ("client_cpp", &client), ("headless_server", &host_that_found(found))],
    );
    let arguments = ["--plant-divergence", "csharp-1@40", "--json", &stage.file("out.json")];
    let output = stage.play_for("3", &arguments);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(
            "csharp-1 was made to diverge at tick 40 on purpose: its hash of tick 44 gave it away, in demo.cube.position \
             in chunk 3, and was repaired with tick 45; 5 ticks of it differ"
        ),
        "{text}"
    );
    assert!(text.contains("csharp-1 saw something else than the host at tick 40:"), "{text}");
    assert!(!text.contains("cpp-0 saw something else"), "only the one that was told: {text}");
    let report = json(&stage.file("out.json"));
    assert_eq!(report["ok"], false);
    assert_eq!(report["planted"], serde_json::json!({"peer": "csharp-1", "tick": 40}));
    assert_eq!(
        report["divergences"],
        serde_json::json!([{"peer": "csharp-1", "tick": 44, "where": "demo.cube.position in chunk 3 at tick 44", "repaired_tick": 45}])
    );
}

#[test]
fn a_planted_divergence_that_nobody_finds_ends_with_one() {
    let stage = Stage::new("unfound", &[]);
    let output = stage.play_for("3", &["--plant-divergence", "cpp-0@40"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("cpp-0 was made to diverge at tick 40 on purpose, and no hash gave it away")
    );
}

#[test]
fn peers_are_told_of_their_network_and_it_must_have_cost_time() {
    let client = CLIENT
        .replace("echo \"status", "echo \"$loss $latency $jitter\" >>\"${hashes%/*}/../told\"\necho \"status")
        .replace("\\\"pose_error_mm_p50", "\\\"rtt_ms_p50\\\":$rtt,\\\"pose_error_mm_p50");
    for (rtt, code) in [("59.9", 0), ("3.1", 1)] {
        let client = format!("rtt={rtt}\n{client}");
        let stage = Stage::new("network", &[("client_csharp", &client), ("client_cpp", &client)]);
        let output = stage.play(&[
            "--loss",
            "2",
            "--latency",
            "30",
            "--jitter",
            "10",
            "--json",
            &stage.file("out.json"),
            "--keep",
            &stage.file("kept"),
        ]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(
            said(&output).contains("2 % of the packets lost, 30 \u{b1} 10 ms each way"),
            "{}",
            said(&output)
        );
        assert_eq!(fs::read_to_string(stage.file("told")).expect("told"), "2 30 10\n2 30 10\n");
        let network = serde_json::json!({"loss_percent": 2.0, "latency_ms": 30.0, "jitter_ms": 10.0});
        assert_eq!(json(&stage.file("out.json"))["network"], network);
        if code == 1 {
            assert!(
                said(&output).contains("cpp-0: half of the round trips took 3.1 ms"),
                "{}",
                said(&output)
            );
        }
    }
}

#[test]
fn a_wrong_argument_ends_with_two() {
    for arguments in [
        ["--peers", "8"],
        ["--seconds", "0"],
        ["--seconds", "x"],
        ["--colour", "red"],
        ["--loss", "51"],
        ["--loss", "-1"],
        ["--latency", "soon"],
        ["--jitter", "1001"],
        ["--plant-divergence", "cpp-0"],
        ["--plant-divergence", "cpp-1@100"],
        ["--plant-divergence", "cpp-0@0"],
        ["--plant-divergence", "cpp-0@1711"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_theta-demo")).args(arguments).output().expect("runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let dry = Command::new(env!("CARGO_BIN_EXE_theta-demo")).arg("--dry-run").args(arguments).output();
        assert_eq!(dry.expect("runs").status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_dry_run_starts_nothing() {
    let stage = Stage::new("dry", &[]);
    let output = stage.play(&["--dry-run", "--keep", &stage.file("kept")]);
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
    assert!(!stage.0.join("kept").exists());
}
