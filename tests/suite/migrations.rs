//! Migrations: the processes of the last release go on on the schema of this one, and those that have landed stay as they are.
//!
//! `docs/upgrades.md` says the rule. What a text cannot tell (a trigger, a function), `tests/upgrade/run` tries with the last
//! release itself.

mod rules;

use rules::{complaints, version};
use sha2::Digest;
use std::collections::BTreeMap;
use std::path::Path;

/// What stands in `tests/upgrade/previous` under this name.
fn previous(name: &str) -> &'static str {
    let lines = include_str!("../upgrade/previous").lines();
    lines.filter_map(|line| line.strip_prefix(name)).next().unwrap().trim()
}

/// The migrations by their numbers: name and text.
fn migrations() -> BTreeMap<u32, (String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let with_number = files.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let number = name[1..].split("__").next().unwrap().parse().unwrap();
        (number, (name, std::fs::read_to_string(path).unwrap()))
    });
    with_number.collect()
}

#[test]
fn what_is_newer_than_the_last_release_fits_its_processes() {
    let released: u32 = previous("migrations ").parse().unwrap();
    let newer = migrations().split_off(&(released + 1));
    let newer: Vec<_> = newer.into_values().collect();
    let wrong = complaints(&newer, version(previous("version ")));
    assert!(wrong.is_empty(), "processes of the last release run on this schema:\n{}", wrong.join("\n"));
}

/// What differs between the list of those that have landed and the migrations.
fn changed(landed: &str, migrations: &BTreeMap<u32, (String, String)>) -> Vec<String> {
    let mut landed: BTreeMap<_, _> = landed
        .lines()
        .map(|line| line.split_once("  ").unwrap())
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect();
    let mut wrong = Vec::new();
    for (name, text) in migrations.values() {
        let sum: String =
            sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        match landed.remove(name) {
            Some(noted) if noted == sum => {}
            Some(_) => wrong.push(format!(
                "{name} was edited after it had landed: every database that has it would be refused. \
                 Put it back, and write another one"
            )),
            None => wrong.push(format!(
                "{name} is new. When it lands: (cd migrations && sha256sum {name}) >>tests/upgrade/migrations.sha256"
            )),
        }
    }
    wrong.extend(
        landed.into_keys().map(|name| format!("{name} is gone, and every database that has it is refused")),
    );
    wrong
}

#[test]
fn those_that_have_landed_stay_as_they_are() {
    let landed = include_str!("../upgrade/migrations.sha256");
    let wrong = changed(landed, &migrations());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // A space at the end of the third, the first gone, a thirteenth (or later) that nobody has noted.
    let mut touched = migrations();
    touched.get_mut(&3).unwrap().1.push(' ');
    touched.remove(&1);
    touched.insert(999, ("V999__new.sql".to_owned(), String::new()));
    let wrong = changed(landed, &touched);
    let told =
        ["V3__queue_and_history.sql was edited", "V999__new.sql is new", "V1__images_and_jobs.sql is gone"];
    assert!(
        wrong.len() == 3 && wrong.iter().zip(told).all(|(told, begin)| told.starts_with(begin)),
        "{wrong:#?}"
    );
}

/// A migration | what is told of it, or nothing.
const PLANTED: &str = r"
drop table findings; | drop
alter table images drop column caption; | drop
alter table images\n  -- harmless\n  add column note text, drop camera; | drop
do $$ begin drop index jobs_to_announce_image; end $$; | drop
alter table jobs rename column lease_until to leased_until; | rename
ALTER TABLE tallies RENAME TO counts; | rename
alter table jobs alter column attempt type bigint; | type
alter table jobs alter attempt set data type bigint; | type
alter table images alter column camera set not null; | set not null
alter table images add column tenant bigint not null; | not null without a default
alter table images add tenant numeric(9, 2) not null, add column b text default ''; | not null without a default
alter table captions add constraint short check (length(text) < 9) not valid; | add constraint
alter table captions add check (text <> 'not null'); | add check
create unique index one_camera on images (camera); | create unique index
truncate tallies; | truncate
alter table images add column tenant bigint not null default 0, add column type text; |
alter table images add column note text; create index by_note on images (note) where note is not null; |
create table trips (id bigint not null, name text not null unique); create unique index on trips (name); |
create table trips (id bigint); alter table trips alter column id set not null, drop column id; |
comment on table images is 'drop table images; it''s a text'; |
-- drop table images;\nselect 1; |
-- fits since 0.3.0: nothing has read it since\nalter table images drop column camera; |
-- fits since 0.4.0: nothing has read it since\nalter table images drop column camera; | drop
-- fits since 0.3.0: nothing has read it since\nalter table images drop column camera; drop table findings; | drop
";

#[test]
fn the_rules_see_what_they_are_there_for() {
    for line in PLANTED.trim().lines() {
        let (sql, told) = line.rsplit_once('|').unwrap();
        let migration = [("V99__planted.sql".to_owned(), sql.replace("\\n", "\n"))];
        let wrong = complaints(&migration, version("0.3.0"));
        match told.trim() {
            "" => assert!(wrong.is_empty(), "{sql}: {wrong:?}"),
            told => assert!(
                wrong.len() == 1 && wrong[0].starts_with(&format!("V99__planted.sql: {told}: ")),
                "{sql}: {wrong:?}"
            ),
        }
    }
}
