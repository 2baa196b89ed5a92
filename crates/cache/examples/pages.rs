//! A cache behind an axum handler: one query for many requests, old pages while a new one is made or
//! when the database is down.
//!
//! ```sh
//! cargo run -p archstone-cache --example pages
//! curl -i localhost:8080/hotels/7        # x-cache: miss, after 300 ms
//! curl -i localhost:8080/hotels/7        # x-cache: hit
//! sleep 6; curl -i localhost:8080/hotels/7   # x-cache: stale, at once; the next is a hit
//! ```

use archstone_cache::load::{Answer, LoadError, Refreshing, Rules};
use archstone_cache::{BuildError, Builder};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A table that takes its time.
struct Database {
    rows: Mutex<HashMap<u32, String>>,
    takes: Duration,
    queries: AtomicU64,
    down: AtomicBool,
}

impl Database {
    fn new(takes: Duration) -> Self {
        let rows = Mutex::new(HashMap::from([(7, "Adlon".into()), (8, "Sacher".into())]));
        Self { rows, takes, queries: AtomicU64::new(0), down: AtomicBool::new(false) }
    }

    async fn query(&self, id: u32) -> Result<Option<String>, &'static str> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.takes).await;
        if self.down.load(Ordering::Relaxed) {
            return Err("the database is down");
        }
        Ok(self.rows.lock().unwrap().get(&id).cloned())
    }

    async fn write(&self, id: u32, name: String) {
        tokio::time::sleep(self.takes).await;
        self.rows.lock().unwrap().insert(id, name);
    }
}

#[derive(Clone)]
struct App {
    database: Arc<Database>,
    pages: Refreshing<u32, Option<String>>,
}

impl App {
    fn new(
        database: Database,
        builder: Builder<u32, archstone_cache::load::Stamped<Option<String>>>,
    ) -> Result<Self, BuildError> {
        let rules = Rules::new(Duration::from_secs(5))
            .stale_while_revalidate(Duration::from_secs(30))
            .stale_if_error(Duration::from_secs(3600))
            .pause(Duration::from_secs(1));
        Ok(Self { database: Arc::new(database), pages: Refreshing::new(builder, rules)? })
    }
}

fn router(app: App) -> Router {
    Router::new().route("/hotels/{id}", get(hotel).merge(post(rename))).with_state(app)
}

/// A page: from the cache if it is there, old or not; else from the database, once for all who ask.
async fn hotel(State(app): State<App>, Path(id): Path<u32>) -> Response {
    let database = Arc::clone(&app.database);
    if let Some(look) = app.pages.look(&id) {
        // The answer does not wait for the refresh, and one request in all refreshes.
        if let Some(ticket) = look.ticket {
            tokio::spawn(async move { ticket.run_async(database.query(id)).await.map(drop) });
        }
        return page(look.answer);
    }
    match app.pages.get_or_load_async(id, database.query(id)).await {
        Ok(answer) => page(answer),
        Err(LoadError::Failed(why)) => (StatusCode::BAD_GATEWAY, *why).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn page(answer: Answer<Option<String>>) -> Response {
    let headers =
        [("x-cache", answer.from.as_str().to_string()), ("age", answer.age.as_secs().to_string())];
    match answer.value {
        Some(name) => (headers, Json(name)).into_response(),
        None => (StatusCode::NOT_FOUND, headers).into_response(),
    }
}

/// A write: until it has ended nobody's query is kept, and afterwards all see it.
async fn rename(State(app): State<App>, Path(id): Path<u32>, name: String) -> StatusCode {
    let writing = app.pages.loading().write(id);
    app.database.write(id, name).await;
    drop(writing);
    StatusCode::NO_CONTENT
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new(Database::new(Duration::from_millis(300)), Builder::new(10_000))?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/hotels/7", listener.local_addr()?);
    axum::serve(listener, router(app)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_cache::{Manual, Time};
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    struct Server {
        app: App,
        clock: Arc<Manual>,
    }

    impl Server {
        fn new() -> Self {
            let clock = Arc::new(Manual::default());
            let builder = Builder::new(100).clock(Arc::clone(&clock));
            Self { app: App::new(Database::new(Duration::ZERO), builder).unwrap(), clock }
        }

        async fn ask(&self, method: &str, body: &str) -> (u16, String, String) {
            let request = Request::builder().method(method).uri("/hotels/7");
            let request = request.body(Body::from(body.to_string())).unwrap();
            let answer = router(self.app.clone()).oneshot(request).await.unwrap();
            let cache = answer.headers().get("x-cache");
            let cache = cache.map_or(String::new(), |c| c.to_str().unwrap().to_string());
            let status = answer.status().as_u16();
            let body = to_bytes(answer.into_body(), 1000).await.unwrap();
            (status, cache, String::from_utf8(body.to_vec()).unwrap())
        }

        fn queries(&self) -> u64 {
            self.app.database.queries.load(Ordering::Relaxed)
        }
    }

    fn ok(cache: &str, name: &str) -> (u16, String, String) {
        (200, cache.into(), format!("\"{name}\""))
    }

    #[tokio::test]
    async fn many_requests_are_one_query() {
        let server = Arc::new(Server::new());
        let ask = |_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.ask("GET", "").await })
        };
        let asked: Vec<_> = (0..50).map(ask).collect();
        for answer in asked {
            assert_eq!(answer.await.unwrap(), ok("miss", "Adlon"));
        }
        assert_eq!(server.queries(), 1);
        assert_eq!(server.ask("GET", "").await, ok("hit", "Adlon"));
    }

    #[tokio::test]
    async fn stale_pages_are_answered_at_once_and_refreshed_once() {
        let server = Server::new();
        server.ask("GET", "").await;
        server.app.database.rows.lock().unwrap().insert(7, "Adler".into());
        server.clock.set(Time::from_secs(6));
        assert_eq!(server.ask("GET", "").await, ok("stale", "Adlon"));
        assert_eq!(server.ask("GET", "").await, ok("stale", "Adlon"));
        while server.app.pages.loading().in_flight() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.ask("GET", "").await, ok("hit", "Adler"));
        assert_eq!(server.queries(), 2);
    }

    #[tokio::test]
    async fn an_old_page_is_better_than_none_and_a_write_is_seen() {
        let server = Server::new();
        server.ask("GET", "").await;
        server.app.database.down.store(true, Ordering::Relaxed);
        server.clock.set(Time::from_secs(600));
        assert_eq!(server.ask("GET", "").await, ok("stale-on-error", "Adlon"));
        server.app.database.down.store(false, Ordering::Relaxed);
        assert_eq!(server.ask("POST", "Adler").await.0, 204);
        assert_eq!(server.ask("GET", "").await, ok("miss", "Adler"));
    }
}
