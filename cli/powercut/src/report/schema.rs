// SPDX-License-Identifier: GPL-2.0

//! The JSON schema of report.json, from the types that are written: what
//! docs/report.schema.json holds.

use schemars::schema_for;

use super::model::Report;

pub fn schema() -> serde_json::Value {
    let mut schema = schema_for!(Report).to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".into(), "powercut report, schemas 3 and 4".into());
        map.insert("$comment".into(), "SPDX-License-Identifier: GPL-2.0".into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{add, report, violation};
    use powercut_engine::recording::testing::History;

    fn documented() -> serde_json::Value {
        let text = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/report.schema.json"
        ));
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_documented_schema_is_the_one_of_the_types() {
        assert!(
            documented() == schema(),
            "run `powercut report --schema > docs/report.schema.json`"
        );
    }

    #[test]
    fn reports_match_it_and_others_do_not() {
        let validator = jsonschema::validator_for(&documented()).unwrap();
        let recording = History::new().write(0, "a").mark("m").write(1, "b").done();
        let mut report = report(&recording);
        let json = |report: &super::Report| serde_json::to_value(report).unwrap();
        assert!(validator.is_valid(&json(&report)));
        add(&mut report, violation(&recording, 5, |i| i == 0));
        let good = json(&report);
        assert!(validator.is_valid(&good), "{:?}", validator.validate(&good));
        let mut bad = good.clone();
        bad["coverage"]["legal_states"] = 12.into();
        assert!(!validator.is_valid(&bad));
        let mut bad = good.clone();
        bad["violations"][0]["kind"] = "luck".into();
        assert!(!validator.is_valid(&bad));
        let mut bad = good;
        bad.as_object_mut().unwrap().remove("record");
        assert!(!validator.is_valid(&bad));
    }
}
