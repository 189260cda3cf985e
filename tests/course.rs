//! The course: what is embedded is valid, and every mistake an author can make is named with its place.

use std::path::Path;

use cachelab::course::Course;

fn fixture() -> Course {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/course");
    Course::load(&folder).unwrap_or_else(|mistakes| {
        panic!("{}", mistakes.iter().map(|m| m.render(false)).collect::<Vec<_>>().join("\n"))
    })
}

#[test]
fn the_fixture_parses_into_the_model() {
    let course = fixture();
    let ids: Vec<_> = course.units().map(|unit| unit.id.to_string()).collect();
    assert_eq!(ids, ["week1/first", "week1/second"]);
    let first = &course.weeks[0].units[0].lesson;
    assert_eq!(
        first.headings().map(|(_, level, text)| (level, text)).collect::<Vec<_>>(),
        [(2, "The idea".to_owned()), (3, "Try it".to_owned())]
    );
    let block = first.redis_blocks().next().unwrap();
    assert_eq!((block.line, block.setup.as_slice()), (31, ["DEL greeting".to_owned()].as_slice()));
    assert_eq!(first.quizzes().map(|quiz| quiz.id.as_str()).collect::<Vec<_>>(), ["expiry", "count", "order", "both"]);
}
