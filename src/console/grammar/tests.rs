use rstest::rstest;

use super::*;
use crate::{console::event::Token, resp::split_args};

fn shape(line: &str) -> String {
    let words = split_args(line.as_bytes()).unwrap();
    let (command, named) = Docs::built_in().find(&words).unwrap();
    let walked = walk(&command.arguments, &words[named..]);
    let letter = |word: &Word| match word.token {
        Token::Key => 'k',
        Token::Keyword => 'W',
        Token::Number => 'n',
        Token::Text => 't',
        Token::Invalid => '!',
        other => panic!("{other:?}"),
    };
    walked.words.iter().map(letter).collect()
}

#[rstest]
#[case("SET k v EX 10 NX", "ktWnW")]
#[case("SET k v NX EX 10 GET", "ktWWnW")]
#[case("set k v foo", "kt!")]
#[case("SET k v EX ten", "ktW!")]
#[case("MSET a 1 b 2", "knkn")]
#[case("ZADD z NX CH 1 a 2.5 b", "kWWntnt")]
#[case("ZRANGE z 0 -1 WITHSCORES", "knnW")]
#[case("ZRANGE z (1 +inf BYSCORE LIMIT 0 10", "kttWWnn")]
#[case("ZUNIONSTORE d 2 a b WEIGHTS 1 2 AGGREGATE MAX", "knkkWnnWW")]
#[case("EVAL script 1 key arg1 arg2", "tnktt")]
#[case("EVAL script 0 arg1 arg2", "tntt")]
#[case("XADD s * f v f2 v2", "kWtttt")]
#[case("XADD s MAXLEN ~ 1000 1-1 f v", "kWWnttt")]
#[case("XREAD COUNT 2 BLOCK 0 STREAMS a b 0 $", "WnWnWkknt")]
#[case("XREADGROUP GROUP g c COUNT 1 STREAMS a >", "WttWnWkt")]
#[case("BITFIELD k SET u8 #0 255 GET u4 0 OVERFLOW SAT INCRBY i5 10 1", "kWtnnWtnWWWtnn")]
#[case("GEOSEARCH g FROMLONLAT 1 2 BYRADIUS 10 km ASC COUNT 3 ANY WITHDIST", "kWnnWnWWWnWW")]
#[case("SORT k BY w_* LIMIT 0 5 GET # GET o_* ASC ALPHA STORE d", "kWtWnnWtWtWWWk")]
#[case("CONFIG GET max* foo", "tt")]
#[case("CLIENT KILL ADDR 1.2.3.4:5 TYPE normal", "WtWW")]
#[case("HSET h a 1 b 2", "ktntn")]
#[case("LPUSH l a b c", "kttt")]
#[case("BLPOP a b 0", "kkn")]
#[case("DEL a b", "kk")]
#[case("OBJECT ENCODING k", "k")]
#[case("SCAN 0 MATCH u:* COUNT 100 TYPE hash", "nWtWnWt")]
#[case("EXPIRE k 10 NX", "knW")]
#[case("GET k extra", "k!")]
#[case("LMPOP 2 a b LEFT COUNT 3", "nkkWWn")]
#[case("SINTERCARD 2 a b LIMIT 3", "nkkWn")]
#[case("HEXPIRE h 10 FIELDS 2 a b", "knWntt")]
fn words_are_classed(#[case] line: &str, #[case] expected: &str) {
    assert_eq!(shape(line), expected, "{line}");
}

#[rstest]
#[case("GET", Some(" key"))]
#[case("get ", Some("key"))]
#[case("get k", None)]
#[case(
    "SET k",
    Some(
        " value [NX|XX|IFEQ comparison-value] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]"
    )
)]
#[case(
    "SET k v NX ",
    Some("[GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]")
)]
#[case("SET k v KEE", Some("PTTL [NX|XX|IFEQ comparison-value] [GET]"))]
#[case("SET k v NX GET EX ", Some("seconds"))]
#[case("DEL a ", Some("[key ...]"))]
#[case("MSET a 1 b", Some(" value"))]
#[case("nosuch ", None)]
#[case("get 'a", None)]
fn hints_shrink(#[case] line: &str, #[case] expected: Option<&str>) {
    assert_eq!(hint(Docs::built_in(), line).as_deref(), expected, "{line}");
}

#[test]
fn the_built_in_table_is_whole() {
    let docs = Docs::built_in();
    assert!(docs.iter().count() > 350);
    assert_eq!(docs.get("config get").unwrap().since, "2.0.0");
    assert!(docs.subcommands("OBJECT").any(|command| command.name == "OBJECT ENCODING"));
    let old = Docs::built_in_for(crate::server::Version::new(6, 0, 0));
    assert!(old.get("GET").is_some() && old.get("GETDEL").is_none());
}
