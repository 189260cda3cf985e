//! Caching the results of queries: a key that does not depend on how the query was written, tags for what it
//! depends on.
//!
//! Source: generational caching as in memcached's FAQ on namespaces and the query caches of Rails and Hibernate.
//!
//! Guarantees: the same question has the same key whatever its parameters' order, or its SQL's white space and
//! case; two different questions never share one; a write hides every cached result that depends on what it
//! changed, and no other, in one step per tag; a result that was being loaded during the write is not served
//! after it; values of another schema version are not read.
//! Does **not** guarantee: that the tags are right. What a query depends on is the caller's knowledge: a list by
//! category depends on `category:shoes`; a write that moves a product touches the old category *and* the new one.

use std::{collections::BTreeSet, future::Future, time::Duration};

use bytes::Bytes;
use redis::{RedisResult, aio::ConnectionLike};
use sha2::{Digest, Sha256};

use super::{
    fetched::{Fetched, Source},
    invalidation::{Found, TagCache},
};

/// A question to a database, in one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    shape: String,
    schema: u32,
    parameters: BTreeSet<(String, String)>,
}

impl Query {
    /// SQL, or any name of what is asked. `schema` is raised when the form of results changes.
    pub fn new(sql: &str, schema: u32) -> Self {
        Self { shape: normalise(sql), schema, parameters: BTreeSet::new() }
    }

    /// A named parameter. Names are taken without regard to case, values as they are.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.parameters.insert((name.to_lowercase(), format!("{value}")));
        self
    }

    /// The same text for the same question, and for no other: parts carry their length, so that a value that looks
    /// like two parameters is not taken for them.
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(&self.shape);
        for (name, value) in &self.parameters {
            part(name);
            part(value);
        }
        let digest = hash.finalize();
        let hex = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        format!("v{}:{hex}", self.schema)
    }
}

/// SQL in one form: single spaces, lower case outside quotes, no semicolon at the end.
pub fn normalise(sql: &str) -> String {
    let (mut text, mut quote, mut gap) = (String::with_capacity(sql.len()), None, false);
    for character in sql.trim().trim_end_matches([';', ' ', '\n', '\t', '\r']).chars() {
        match quote {
            Some(open) => {
                text.push(character);
                if character == open {
                    quote = None;
                }
            }
            None if character.is_whitespace() => gap = true,
            None => {
                if std::mem::take(&mut gap) {
                    text.push(' ');
                }
                if matches!(character, '\'' | '"' | '`') {
                    quote = Some(character);
                }
                text.extend(character.to_lowercase());
            }
        }
    }
    text
}

/// A cache of query results.
#[derive(Debug, Clone)]
pub struct QueryCache<C> {
    cache: TagCache<C>,
}

impl<C: ConnectionLike + Clone + Send + Sync> QueryCache<C> {
    /// Results live for `ttl`, under `prefix`.
    pub fn new(connection: C, prefix: impl Into<String>, ttl: Duration) -> Self {
        Self { cache: TagCache::new(connection, prefix, ttl) }
    }

    /// The result, from the cache or from `load`. `tags` are what it depends on; they are read before the load.
    ///
    /// # Errors
    /// The load's.
    pub async fn get<F, E>(&self, query: &Query, tags: &[&str], load: impl FnOnce() -> F) -> Result<Fetched, E>
    where
        F: Future<Output = Result<Vec<u8>, E>>,
    {
        match self.cache.get(&query.key(), tags).await {
            Ok(Found::Hit(value)) => Ok(Fetched { value, source: Source::Hit }),
            Ok(Found::Miss(ticket)) => {
                let value = Bytes::from(load().await?);
                // Not stored: the next caller loads.
                let _ = self.cache.fill(&ticket, &value).await;
                Ok(Fetched { value, source: Source::Loaded })
            }
            Err(_) => Ok(Fetched { value: load().await?.into(), source: Source::Fallback }),
        }
    }

    /// After a commit: hides every result that depends on these.
    ///
    /// # Errors
    /// Redis's; what could not be hidden lives until its TTL.
    pub async fn changed(&self, tags: &[&str]) -> RedisResult<()> {
        for tag in tags {
            self.cache.invalidate(tag).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_one_key_and_others_have_others() {
        let one = Query::new("SELECT * FROM products\n  WHERE category = :c ;", 1).with("c", "shoes").with("page", 2);
        let same = Query::new("select *  from products where category = :c", 1).with("PAGE", 2).with("c", "shoes");
        assert_eq!(one.key(), same.key());
        let base = Query::new("q", 1);
        let keys: BTreeSet<_> = [
            one,
            Query::new("select * from products where category = :c", 2).with("c", "shoes").with("page", 2),
            base.clone().with("a", "1").with("b", "2"),
            base.clone().with("a", "2").with("b", "1"),
            base.clone().with("a", "1b2"),
            base.clone().with("a", "1b").with("2", ""),
            base.clone().with("a", "X"),
            base.with("a", "x"),
        ]
        .map(|query| query.key())
        .into();
        assert_eq!(keys.len(), 8);
    }

    #[test]
    fn what_is_quoted_stays_as_it_is() {
        assert_eq!(normalise("SELECT  'A  B' ,\t\"Name\" FROM T;;\n"), "select 'A  B' , \"Name\" from t");
        assert_ne!(normalise("select 'a b'"), normalise("select 'a  b'"));
        assert_eq!(normalise("x = 'It''s' AND Y"), "x = 'It''s' and y");
    }
}
