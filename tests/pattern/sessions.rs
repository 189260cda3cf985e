//! Sessions: both expiries, rotation, late writes.

use cachelab::pattern::session::{SessionId, Sessions};

use super::{Live, bounded, ms};

#[tokio::test]
async fn a_session_ends_when_idle_and_at_its_absolute_limit() {
    bounded(async {
        let live = Live::start().await;
        let sessions = Sessions::new(live.connection.clone(), "s:", ms(600), ms(1800));
        let id = sessions.create(&[("user", "7")]).await.unwrap();
        let start = tokio::time::Instant::now();
        let mut last_seen = start;
        while let Some(fields) = sessions.touch(&id).await.unwrap() {
            assert_eq!(fields["user"], "7");
            assert_eq!(fields.len(), 1, "nothing but the caller's own");
            last_seen = tokio::time::Instant::now();
            tokio::time::sleep(ms(20)).await;
        }
        let lived = last_seen - start;
        assert!(lived > ms(1300) && lived < ms(1900), "use keeps it, but not past its limit: {lived:?}");

        let idle = sessions.create(&[]).await.unwrap();
        tokio::time::sleep(ms(350)).await;
        assert!(sessions.set(&idle, "a", "1").await.unwrap(), "a write is a use");
        tokio::time::sleep(ms(350)).await;
        assert!(sessions.touch(&idle).await.unwrap().is_some());
        tokio::time::sleep(ms(700)).await;
        assert_eq!(sessions.touch(&idle).await.unwrap(), None);
        assert!(!sessions.set(&idle, "a", "1").await.unwrap(), "nor does a late write revive it");
        assert_eq!(live.ask::<u64>("DBSIZE").await, 0);
    })
    .await;
}

#[tokio::test]
async fn rotation_keeps_contents_and_end_and_makes_the_old_id_worthless() {
    bounded(async {
        let live = Live::start().await;
        let sessions = Sessions::new(live.connection.clone(), "s:", ms(5000), ms(1500));
        let anonymous = sessions.create(&[("cart", "3")]).await.unwrap();
        tokio::time::sleep(ms(200)).await;
        let after_login = sessions.rotate(&anonymous).await.unwrap().unwrap();
        assert_ne!(anonymous, after_login);
        assert_eq!(sessions.touch(&anonymous).await.unwrap(), None);
        assert_eq!(sessions.rotate(&anonymous).await.unwrap(), None);
        assert!(!sessions.set(&anonymous, "user", "evil").await.unwrap());
        assert_eq!(sessions.touch(&after_login).await.unwrap().unwrap()["cart"], "3");
        assert!(live.ask::<i64>(&format!("PTTL {}", sessions.key(&after_login))).await <= 1300);
        assert!(sessions.end(&after_login).await.unwrap());
        assert_eq!(sessions.touch(&after_login).await.unwrap(), None);
        assert!(!sessions.end(&after_login).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_all_count_and_keep_the_expiry() {
    bounded(async {
        let live = Live::start().await;
        let sessions = Sessions::new(live.connection.clone(), "s:", ms(20_000), ms(60_000));
        let id = sessions.create(&[]).await.unwrap();
        let mut tabs = tokio::task::JoinSet::new();
        for tab in 0..8 {
            let tab_sessions = Sessions::new(live.connect().await, "s:", ms(20_000), ms(60_000));
            let id = id.clone();
            tabs.spawn(async move {
                for _ in 0..25 {
                    tab_sessions.add(&id, "items", 1).await.unwrap().unwrap();
                    assert!(tab_sessions.set(&id, &format!("tab{tab}"), "seen").await.unwrap());
                }
            });
        }
        tabs.join_all().await;
        let fields = sessions.touch(&id).await.unwrap().unwrap();
        assert_eq!(fields["items"], "200");
        assert_eq!(fields.len(), 9);
        let ttl = live.ask::<i64>(&format!("PTTL {}", sessions.key(&id))).await;
        assert!(ttl > 19_000 && ttl <= 20_000, "{ttl}");
    })
    .await;
}

#[tokio::test]
async fn ids_are_long_random_and_not_to_be_read_from_redis_or_logs() {
    bounded(async {
        let live = Live::start().await;
        let sessions = Sessions::new(live.connection.clone(), "s:", ms(5000), ms(5000));
        let id = sessions.create(&[]).await.unwrap();
        assert_eq!(id.reveal().len(), 64);
        assert_eq!(SessionId::parse(id.reveal()), Some(id.clone()));
        for bad in ["", "7", &id.reveal().to_uppercase(), &format!("{}0", id.reveal()), "*"] {
            assert_eq!(SessionId::parse(bad).filter(|parsed| *parsed != id), None, "{bad}");
        }
        let keys: Vec<String> = live.ask("KEYS *").await;
        assert_eq!(keys, [sessions.key(&id)]);
        assert!(!keys[0].contains(id.reveal()) && !format!("{id:?}").contains(id.reveal()));
        // A stranger who reads the key can't use it as an id.
        let stolen = SessionId::parse(keys[0].strip_prefix("s:").unwrap()).unwrap();
        assert_eq!(sessions.touch(&stolen).await.unwrap(), None);
    })
    .await;
}
