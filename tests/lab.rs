//! Labs on real servers: claims of the course, agreement with the server's own counters, faults, knobs,
//! orderly ends, and somebody else's server left as it was; the patterns' guarantees, their races driven on purpose.

use std::time::{Duration, Instant};

use cachelab::{
    course::{Course, Experiment, UnitId},
    lab::{self, LabCommand, LabEvent, Run, RunOptions},
    server::{self, Endpoint, Server},
};
use redis::AsyncCommands;

#[path = "lab/patterns.rs"]
mod patterns;

const PATIENCE: Duration = Duration::from_secs(60);

async fn server() -> Server {
    server::start(&server::Options::default(), &mut |_| {}).await.expect("a server")
}

/// The same server, as if its URL had been given.
async fn borrowed(server: &Server) -> Server {
    let options = server::Options { url: Some(server.endpoint().url()), ..server::Options::default() };
    server::start(&options, &mut |_| {}).await.expect("a server by URL")
}

async fn connection(endpoint: &Endpoint) -> redis::aio::MultiplexedConnection {
    endpoint.client().expect("a client").get_multiplexed_async_connection().await.expect("a connection")
}

fn unit() -> UnitId {
    "week1/test".parse().expect("an id")
}

fn experiment(text: &str) -> Experiment {
    let experiment: Experiment = toml::from_str(text).expect("the experiment parses");
    assert_eq!(experiment.problems(), []);
    experiment
}

/// A small cache experiment; `workload` and what follows it may be replaced.
fn cache_experiment(workload: &str, rest: &str) -> Experiment {
    experiment(&format!(
        r#"
title = "t"
question = "q"
lanes = ["mean"]
origin = {{ latency = {{ fixed = 2 }}, absent = 0.1, payload = 100 }}
{workload}
{rest}
[[variants]]
name = "cache"
label = "cache-aside"
pattern = {{ cache-aside = {{ ttl = 200, negative-ttl = 100 }} }}
"#
    ))
}

fn start(experiment: &Experiment, server: &Server, options: RunOptions) -> Run {
    lab::start(&unit(), experiment, server.endpoint().clone(), Some(server.control()), options)
}

async fn next(run: &mut Run) -> Option<LabEvent> {
    tokio::time::timeout(PATIENCE, run.events.recv()).await.expect("the lab says something")
}

/// All events until the last.
async fn collect(run: &mut Run) -> Vec<LabEvent> {
    let mut events = Vec::new();
    while let Some(event) = next(run).await {
        events.push(event);
    }
    events
}

/// Values are counts here: exact in a float.
fn same(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq()
}

fn totals(events: &[LabEvent], variant: usize) -> impl Fn(&str) -> f64 + '_ {
    let totals = events.iter().find_map(|event| match event {
        LabEvent::VariantFinished { variant: v, totals } if *v == variant => Some(totals),
        _ => None,
    });
    let totals = totals.expect("the variant finished");
    move |name| totals.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name} in {totals:?}")).1
}

fn samples(events: &[LabEvent]) -> Vec<&cachelab::lab::Sample> {
    events.iter().filter_map(|event| if let LabEvent::Sample(sample) = event { Some(sample) } else { None }).collect()
}

async fn keys(endpoint: &Endpoint) -> u64 {
    redis::cmd("DBSIZE").query_async(&mut connection(endpoint).await).await.expect("DBSIZE")
}

/// The short form of a unit's lab; every claim must hold.
async fn claims_hold(id: &str) {
    let course = Course::embedded().expect("the course is sound");
    let unit = course.unit(&id.parse().expect("an id")).expect("the unit");
    let experiment = unit.lab.as_ref().and_then(|lab| lab.experiment.as_ref()).expect("a lab");
    let server = server().await;
    let options = RunOptions { short: true, ..RunOptions::default() };
    let begun = Instant::now();
    let mut run = lab::start(&unit.id, experiment, server.endpoint().clone(), Some(server.control()), options);
    let events = collect(&mut run).await;
    let Some(LabEvent::Finished { claims }) = events.last() else { panic!("{id}: {:?}", events.last()) };
    let broken: Vec<_> = claims.iter().filter(|claim| claim.holds != Some(true)).collect();
    assert!(broken.is_empty(), "{id}: {broken:#?}");
    assert!(!claims.is_empty());
    // Five seconds on an idle machine; others may be at work on this one.
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert_eq!(keys(server.endpoint()).await, 0, "no key is left");
    server.stop().await;
}

#[tokio::test]
async fn claims_of_why() {
    claims_hold("week1/why").await;
}

#[tokio::test]
async fn claims_of_cache_api() {
    claims_hold("week1/cache-api").await;
}

#[tokio::test]
async fn claims_of_locks() {
    claims_hold("week2/locks").await;
}

#[tokio::test]
async fn client_counters_equal_the_servers_in_both_loops_and_on_both_kinds_of_connection() {
    let server = server().await;
    for load in ["{ closed = { clients = 6 } }", "{ open = { rate = 2000 } }"] {
        for connections in ["own", "multiplexed"] {
            let workload = format!(
                "workload = {{ load = {load}, keys = 300, distribution = {{ zipf = 1.0 }}, writes = 0.05, \
                 duration = 0.6, warmup = 0.1, connections = \"{connections}\" }}"
            );
            let experiment = cache_experiment(&workload, "");
            let events = collect(&mut start(&experiment, &server, RunOptions::default())).await;
            let total = totals(&events, 0);
            assert!(total("run.hits") > 100.0 && total("run.misses") > 100.0);
            assert!(same(total("run.hits"), total("server.hits")), "{load} {connections}: {events:?}");
            assert!(same(total("run.misses"), total("server.misses")), "{load} {connections}: {events:?}");
            let beside: u64 = samples(&events).iter().map(|s| s.server.keyspace_hits).sum();
            let counted: u64 = samples(&events).iter().map(|s| s.hits).sum();
            let apart = (beside as f64 - counted as f64).abs() / counted as f64;
            assert!(apart < 0.1, "windows agree but for their edges: {beside} {counted}");
            let LabEvent::Started(started) = &events[0] else { panic!("{:?}", events[0]) };
            assert_eq!(started.connections.contains("multiplexed"), connections == "multiplexed");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn an_open_loop_offers_its_rate_and_samples_ten_times_a_second() {
    let server = server().await;
    let workload = "workload = { load = { open = { rate = 1000 } }, keys = 50, duration = 1.0 }";
    let experiment = cache_experiment(workload, "");
    let events = collect(&mut start(&experiment, &server, RunOptions::default())).await;
    let samples = samples(&events);
    assert!((9..=11).contains(&samples.len()), "{}", samples.len());
    let total = totals(&events, 0);
    // Five standard deviations of a Poisson count.
    assert!((840.0..1160.0).contains(&total("operations")), "{}", total("operations"));
    assert!(samples.iter().all(|sample| sample.extra.len() == 1));
    assert!(samples.last().is_some_and(|sample| sample.latency.p50.is_some()));
    server.stop().await;
}

#[tokio::test]
async fn faults_by_key_land_leave_a_mark_and_end() {
    let server = server().await;
    let workload = "workload = { load = { open = { rate = 500 } }, keys = 20, duration = 2 }";
    let faults = r#"
[[faults]]
name = "outage"
label = "the origin fails"
key = "e"
action = { origin-errors = 1.0 }
lasts = 0.15
[[faults]]
name = "cut"
label = "kill Redis"
key = "c"
action = "cut-redis"
lasts = 0.15
[[faults]]
name = "schema"
label = "raise the version"
key = "v"
action = "schema-bump"
"#;
    let experiment = cache_experiment(workload, faults);
    let mut run = start(&experiment, &server, RunOptions::default());
    let (mut events, mut sent) = (Vec::new(), 0);
    while let Some(event) = next(&mut run).await {
        // One fault after the other, each when the one before is over.
        let seen = events.iter().filter(|event| matches!(event, LabEvent::Sample(_))).count();
        if let Some(name) = ["schema", "outage", "cut"].get(sent).filter(|_| seen >= 2 + 5 * sent) {
            run.commands.send(LabCommand::Fault((*name).to_owned())).await.expect("the run listens");
            sent += 1;
        }
        events.push(event);
    }
    let marks: Vec<&str> = events
        .iter()
        .filter_map(|event| if let LabEvent::Mark { label, .. } = event { Some(label.as_str()) } else { None })
        .collect();
    assert_eq!(
        marks,
        ["raise the version", "the origin fails", "end: the origin fails", "kill Redis", "end: kill Redis"]
    );
    let total = totals(&events, 0);
    assert!(total("outage.errors") > 0.0 && total("outage.origin.failures") > 0.0);
    assert!(same(total("before.errors"), 0.0));
    assert!(total("cut.redis.errors") > 0.0, "Redis was gone");
    assert!(same(total("cut.errors"), 0.0), "and every request was answered");
    assert!(total("after.hits") > 0.0, "the cache is back");
    server.stop().await;
}

#[tokio::test]
async fn knobs_pause_and_next() {
    let server = server().await;
    let knob = r#"
[[knobs]]
name = "rate"
label = "rate"
values = [100, 3000]
start = 100
[[variants]]
name = "uncached"
label = "uncached"
pattern = "uncached"
"#;
    let workload = "workload = { load = { open = { rate = 100 } }, keys = 20, duration = 60 }";
    let experiment = cache_experiment(workload, knob);
    let mut run = start(&experiment, &server, RunOptions::default());
    let rate = async |run: &mut Run, windows: usize| {
        let mut operations = 0;
        let mut seen = 0;
        while seen < windows {
            if let LabEvent::Sample(sample) = next(run).await.expect("it runs") {
                operations += sample.operations;
                seen += 1;
            }
        }
        operations as f64 * 10.0 / windows as f64
    };
    assert!(rate(&mut run, 5).await < 300.0);
    let turn = LabCommand::Knob { name: "rate".to_owned(), index: 1 };
    run.commands.send(turn).await.expect("the run listens");
    rate(&mut run, 2).await;
    assert!(rate(&mut run, 5).await > 1500.0);
    run.commands.send(LabCommand::Pause).await.expect("the run listens");
    tokio::time::sleep(Duration::from_millis(200)).await;
    while run.events.try_recv().is_ok() {}
    let silent = tokio::time::timeout(Duration::from_millis(300), run.events.recv()).await;
    assert!(silent.is_err(), "time stands still: {silent:?}");
    run.commands.send(LabCommand::Resume).await.expect("the run listens");
    assert!(rate(&mut run, 5).await > 1500.0, "it goes on as it was");
    run.commands.send(LabCommand::Next).await.expect("the run listens");
    loop {
        match next(&mut run).await.expect("it runs") {
            LabEvent::VariantStarted { variant: 1 } => break,
            LabEvent::VariantFinished { .. } => panic!("a skipped variant has no totals"),
            _ => {}
        }
    }
    run.commands.send(LabCommand::Stop).await.expect("the run listens");
    let rest = collect(&mut run).await;
    assert!(matches!(rest.last(), Some(LabEvent::Finished { .. })), "{:?}", rest.last());
    assert_eq!(keys(server.endpoint()).await, 0);
    server.stop().await;
}

#[tokio::test]
async fn stopping_or_leaving_a_run_leaves_no_keys() {
    let server = server().await;
    let course = Course::embedded().expect("the course is sound");
    for (id, variant) in [("week2/locks", "setnx"), ("week2/locks", "fencing"), ("week1/cache-api", "negative")] {
        let unit = course.unit(&id.parse().expect("an id")).expect("the unit");
        let experiment = unit.lab.as_ref().and_then(|lab| lab.experiment.as_ref()).expect("a lab");
        for leave in [false, true] {
            let options = RunOptions { variants: vec![variant.to_owned()], ..RunOptions::default() };
            let mut run = start(experiment, &server, options);
            while !matches!(next(&mut run).await, Some(LabEvent::Sample(sample)) if sample.operations > 0) {}
            assert!(keys(server.endpoint()).await > 0, "{variant} writes keys");
            if leave {
                drop(run);
            } else {
                run.commands.send(LabCommand::Stop).await.expect("the run listens");
                let rest = collect(&mut run).await;
                let Some(LabEvent::Finished { claims }) = rest.last() else { panic!("{:?}", rest.last()) };
                assert!(claims.iter().all(|claim| claim.holds.is_none()), "an unfinished variant is not judged");
                assert_eq!(keys(server.endpoint()).await, 0, "{variant}");
            }
            let end = Instant::now() + Duration::from_secs(5);
            while keys(server.endpoint()).await > 0 {
                assert!(Instant::now() < end, "{variant}: keys are left behind");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn somebody_elses_server_keeps_everything_it_had() {
    let server = server().await;
    let mut admin = connection(server.endpoint()).await;
    for n in 0..300 {
        let () = admin.set(format!("theirs:{n}"), n).await.expect("SET");
    }
    // Names that look like ours must survive too.
    for name in ["cachelab:lab:ffffffff:cache:v1:item:1", "cachelab:notes", "lock:1"] {
        let () = admin.set(name, "theirs").await.expect("SET");
    }
    let configuration = |text: Vec<String>| text.join("\n");
    let before: Vec<String> = redis::cmd("CONFIG").arg("GET").arg("*").query_async(&mut admin).await.expect("CONFIG");
    let theirs = borrowed(&server).await;
    assert!(!theirs.endpoint().is_private());
    let course = Course::embedded().expect("the course is sound");
    for id in ["week1/cache-api", "week2/locks"] {
        let unit = course.unit(&id.parse().expect("an id")).expect("the unit");
        let experiment = unit.lab.as_ref().and_then(|lab| lab.experiment.as_ref()).expect("a lab");
        let options = RunOptions { short: true, ..RunOptions::default() };
        let mut run = lab::start(&unit.id, experiment, theirs.endpoint().clone(), Some(theirs.control()), options);
        let events = collect(&mut run).await;
        let Some(LabEvent::Finished { claims }) = events.last() else { panic!("{id}: {:?}", events.last()) };
        assert!(claims.iter().any(|claim| claim.holds == Some(true)));
        if id == "week1/cache-api" {
            let total = totals(&events, 2);
            assert!(total("cut.redis.errors") > 0.0, "our own connections were cut instead");
        }
    }
    assert_eq!(keys(server.endpoint()).await, 303, "theirs, and none of ours");
    let kept: String = admin.get("cachelab:lab:ffffffff:cache:v1:item:1").await.expect("GET");
    assert_eq!(kept, "theirs");
    let after: Vec<String> = redis::cmd("CONFIG").arg("GET").arg("*").query_async(&mut admin).await.expect("CONFIG");
    assert_eq!(configuration(after), configuration(before));
    let commands: String = redis::cmd("INFO").arg("commandstats").query_async(&mut admin).await.expect("INFO");
    for forbidden in ["flushall", "flushdb", "config|set", "shutdown", "client|kill", "cmdstat_keys"] {
        assert!(!commands.contains(forbidden), "{forbidden} was sent");
    }
    theirs.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let server = server().await;
    let workload = "workload = { load = { open = { rate = 100 } }, keys = 20, duration = 1 }";
    let experiment = cache_experiment(workload, "");
    let options = RunOptions { variants: vec!["cash".to_owned()], ..RunOptions::default() };
    let events = collect(&mut start(&experiment, &server, options)).await;
    let [LabEvent::Failed { text }] = events.as_slice() else { panic!("{events:?}") };
    assert!(text.contains("no variant \"cash\"") && text.contains("cache"), "{text}");

    let too_new = cache_experiment(workload, "server = { min-version = \"99.0\" }");
    let events = collect(&mut start(&too_new, &server, RunOptions::default())).await;
    let [LabEvent::Failed { text }] = events.as_slice() else { panic!("{events:?}") };
    assert!(text.contains("99.0"), "{text}");

    let endpoint = server.endpoint().clone();
    server.stop().await;
    let mut run = lab::start(&unit(), &experiment, endpoint, None, RunOptions::default());
    let events = collect(&mut run).await;
    let Some(LabEvent::Failed { text }) = events.last() else { panic!("{events:?}") };
    assert!(text.contains("can't reach"), "{text}");
}
