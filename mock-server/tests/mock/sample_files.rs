//! Samples come from CSV files beside the profile, and a wrong file is refused in one line that names it.

use std::fs;

use proptest::prelude::*;
use relaybench_mock::Profile;
use tempfile::TempDir;

/// A profile beside a file of samples, in a directory of its own.
struct Measured {
    directory: TempDir,
}

impl Measured {
    fn new(csv: impl AsRef<[u8]>) -> Self {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("s.csv"), csv).unwrap();
        Self { directory }
    }

    fn profile(&self, key: &str, rest: &str) -> Result<Profile, String> {
        let path = self.directory.path().join("x.toml");
        fs::write(&path, format!("{key} = {{ dist = \"empirical\", file = \"s.csv\"{rest} }}")).unwrap();
        Profile::load(path.to_str().unwrap()).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(&self, key: &str, rest: &str, expected: &str) {
        let refusal = self.profile(key, rest).unwrap_err();
        assert_eq!(refusal, format!("{}/x.toml:1: {key}{expected}", self.directory.path().display()));
    }
}

const DELAY: &str = "latency.total";
const LENGTH: &str = "completion.tokens";

#[test]
fn samples_come_from_a_file_beside_the_profile() {
    let drawn = |csv: &str, rest: &str| format!("{:?}", Measured::new(csv).profile(DELAY, rest).unwrap());
    let two_columns = "status,latency_ms\r\n200, 12.5\r\n\r\n503,\"3\"\r\n";
    assert!(drawn(two_columns, ", column = \"latency_ms\"").contains("Samples(2 from 3000000 to 12500000)"));
    assert!(drawn("\u{feff}t_us\n40\n", "").contains("Samples(1 from 40000 to 40000)"));
    assert!(drawn("t_ns\n40\n", "").contains("Samples(1 from 40 to 40)"));
    assert!(drawn("t_s\n1e1\n0", "").contains("Samples(2 from 0 to 10000000000)"));
    let tokens = Measured::new("completion\n120\n80.0\n").profile(LENGTH, "").unwrap();
    assert!(format!("{tokens:?}").contains("Samples(2 from 80 to 120)"), "{tokens:?}");
}

#[test]
fn a_column_that_is_missing_or_has_no_unit_is_refused() {
    let file = Measured::new("status,latency\n200,12\n");
    file.refused(DELAY, "", ".file: s.csv has 2 columns; write column = and the name of one");
    file.refused(DELAY, ", column = \"latncy\"", r#".column: there is no column "latncy" in s.csv, did you mean "latency"?"#);
    let right = "a time's column is called by its unit: latency_ns, latency_us, latency_ms or latency_s";
    file.refused(DELAY, ", column = \"latency\"", &format!(r#".column: the column "latency" has no unit; {right}"#));
    file.refused(DELAY, ", column = 3", ".column: 3 is no name; write it in quotes");
    file.refused(DELAY, ", colum = \"latency\"", r#".colum: unknown key, did you mean "column"?"#);
    file.refused(DELAY, ", file2 = 3", r#".file2: unknown key, did you mean "file"?"#);
    Measured::new("latency_ms\n12\n").refused(
        LENGTH,
        "",
        r#".file: the column "latency_ms" holds times, since its name ends with _ms; name one of tokens"#,
    );
    let headless = Measured::new("12\n15\n");
    for key in [DELAY, LENGTH] {
        headless.refused(key, "", r#".file: s.csv:1: "12" is a number, but the first line names the columns"#);
    }
}

#[test]
fn a_value_that_is_no_sample_is_refused_with_its_file_and_line() {
    for value in ["abc", "", "-1", "NaN", "inf", "3.2e9", "1s"] {
        let lines = format!("n,t_s\n1,2\n\n2,{value}\n3,4\n");
        let expected = format!(r#".file: s.csv:4: t_s: "{value}" is no sample; write a number of s from 0 to a century"#);
        for csv in [lines.replace('\n', "\r\n"), lines] {
            Measured::new(csv).refused(DELAY, ", column = \"t_s\"", &expected);
        }
    }
    for value in ["0", "1.5", "-3", "1000001", "NaN", "many"] {
        let expected =
            format!(r#".file: s.csv:2: tokens: "{value}" is no sample; write a whole number of tokens from 1 to 1000000"#);
        Measured::new(format!("tokens\n{value}\n")).refused(LENGTH, "", &expected);
    }
}

#[test]
fn a_file_that_is_empty_endless_or_no_csv_is_refused() {
    Measured::new("").refused(DELAY, "", ".file: s.csv is empty");
    Measured::new("t_ms\n").refused(DELAY, "", ".file: s.csv has no sample below its first line");
    Measured::new("t_ms\n1,2\n").refused(DELAY, "", ".file: s.csv:2: the fields of this line are 2, those of the first 1");
    Measured::new(b"t_ms\n1\n\xff\n").refused(DELAY, "", ".file: s.csv:3: this line is not UTF-8");
    let million = "t_ms\n".to_owned() + &"1\n".repeat(1_000_000);
    assert!(Measured::new(&million).profile(DELAY, "").is_ok());
    let expected = ".file: s.csv has more than 1000000 samples; fewer draw the same";
    Measured::new(million + "1\n").refused(DELAY, "", expected);
}

#[test]
fn a_file_that_cannot_be_read_is_refused_by_its_path() {
    let refusal = |toml: &str, origin: &str| Profile::parse(toml, origin).unwrap_err().to_string();
    // The reason is the system's.
    let unreadable = refusal(r#"latency.total = { dist = "empirical", file = "such.csv" }"#, "no/x.toml");
    assert!(unreadable.starts_with("no/x.toml:1: latency.total.file: cannot read no/such.csv: "), "{unreadable}");
    assert_eq!(
        refusal(r#"latency.total = { dist = "empirical", file = "." }"#, "x.toml"),
        "x.toml:1: latency.total.file: . is not a file"
    );
    assert_eq!(
        refusal(r#"latency.total = { dist = "empirical", file = "such.csv" }"#, "posted"),
        "posted:1: latency.total.file: \"such.csv\" would be looked for beside the profile, but this one is no file; write samples = […]"
    );
}

proptest! {
    #[test]
    fn a_damaged_file_of_samples_is_read_or_refused_in_one_line(csv in prop::collection::vec(any::<u8>(), 0..40), rows in "[0-9,\n\r\" .e-]{0,40}") {
        for csv in [csv, format!("t_ms\n{rows}").into_bytes()] {
            if let Err(error) = Measured::new(csv).profile(DELAY, "") {
                prop_assert!(error.contains("x.toml:1: ") && !error.contains('\n'), "{}", error);
            }
        }
    }
}
