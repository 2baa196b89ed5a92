//! `GET /top?field=url&k=10&window=5m`: the lists while they are counted.
//!
//! The counting thread adds a batch under a lock, about a millisecond; a query holds it for one
//! merge of panes, some tens of microseconds. So a query waits for one batch at most.

use crate::counters::{Counter, space_saving};
use crate::field::Field;
use crate::input::Batch;
use crate::part_one::PartOne;
use archstone_sketch::frequency::SpaceSaving;
use archstone_sketch::window::Windowed;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use kit::{Failure, Run};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A pane is a minute, and an hour of them is kept.
const PANE_SECS: u64 = 60;
/// See [`PANE_SECS`].
const PANES: u64 = 60;

/// A server on a thread of its own.
#[derive(Debug)]
pub struct Server {
    counts: Arc<Mutex<Counts>>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Counts {
    fields: Vec<FieldCounts>,
    events: u64,
    /// The newest second of the log.
    now: u64,
}

#[derive(Debug)]
struct FieldCounts {
    field: Field,
    all: SpaceSaving<String>,
    panes: Windowed<SpaceSaving<String>>,
}

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start(address: SocketAddr, run: &Run) -> Result<Self, Failure> {
        let counts = Arc::new(Mutex::new(Counts { fields: Vec::new(), events: 0, now: 0 }));
        let listener = std::net::TcpListener::bind(address)
            .map_err(|error| format!("--serve {address}: {error}"))?;
        listener.set_nonblocking(true)?;
        run.say(&format!("serving http://{}/top?field=url&k=10", listener.local_addr()?));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let routes = Router::new()
            .route("/", get(|| async { Html(PAGE) }))
            .route("/top", get(top))
            .with_state(Arc::clone(&counts));
        let thread = std::thread::spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, routes).await
            });
            if let Err(error) = served {
                eprintln!("error: the server stopped: {error}");
            }
        });
        Ok(Self { counts, thread })
    }

    /// Counts a batch of the log.
    pub fn count(&self, log: &PartOne, batch: &Batch) {
        let mut counts = lock(&self.counts);
        let Counts { fields, events, now } = &mut *counts;
        if fields.is_empty() {
            fields.extend(log.fields.iter().map(|(field, _)| FieldCounts::new(*field)));
        }
        *events += batch.len() as u64;
        for row in batch.rows() {
            *now = (*now).max(row.time.unwrap_or(0));
            for counts in fields.iter_mut() {
                let key = counts.field.key(batch, row);
                counts.all.add(key);
                // A late line counts now, as in the windows that are published.
                if let Some(pane) = counts.panes.at(*now) {
                    pane.add(key);
                }
            }
        }
    }

    /// Serves until the process ends.
    pub fn wait(self) {
        let _ = self.thread.join();
    }
}

impl FieldCounts {
    fn new(field: Field) -> Self {
        let panes = Windowed::new(PANE_SECS, PANES as usize, space_saving()).expect("60 panes");
        Self { field, all: space_saving(), panes }
    }
}

/// The parameters of a query, as text: each is checked with an error that names it.
#[derive(Debug, Default, serde::Deserialize)]
struct Asked {
    field: Option<String>,
    k: Option<String>,
    window: Option<String>,
}

async fn top(State(counts): State<Arc<Mutex<Counts>>>, Query(asked): Query<Asked>) -> Response {
    match answer(&lock(&counts), &asked) {
        Ok(list) => Json(list).into_response(),
        Err(why) => {
            let error = serde_json::json!({ "error": why });
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
    }
}

fn answer(counts: &Counts, asked: &Asked) -> Result<serde_json::Value, String> {
    let k = asked.k.as_deref().unwrap_or("10");
    let k: usize = k.parse().map_err(|_| format!("k is no number: {k:?}"))?;
    if !(1..=500).contains(&k) {
        return Err(format!("k is 1 to 500, not {k}"));
    }
    let known: Vec<_> = counts.fields.iter().map(|counts| counts.field.name()).collect();
    let name = asked.field.as_deref().unwrap_or_else(|| known.first().copied().unwrap_or("url"));
    let found = counts.fields.iter().find(|counts| counts.field.name() == name);
    // Before the first event nothing is known, which is an empty list and no error.
    let Some(field) = found else {
        return match Field::named(name) {
            Some(_) if known.is_empty() => Ok(crate::list_json(&[], 0, 0)),
            _ => Err(format!("no field {name:?}; there are {}", known.join(", "))),
        };
    };
    let merged = match asked.window.as_deref().unwrap_or("all") {
        "all" => None,
        window => {
            let minutes = window.strip_suffix('m').and_then(|minutes| minutes.parse().ok());
            let minutes = minutes.filter(|minutes| (1..=PANES as usize).contains(minutes));
            let minutes = minutes.ok_or(format!("window is all or 1m to {PANES}m: {window:?}"))?;
            Some(field.panes.over(counts.now, minutes).map_err(|error| error.to_string())?)
        }
    };
    let summary = merged.as_ref().unwrap_or(&field.all);
    let events = summary.total();
    let mut list = crate::list_json(&Counter::top(summary, k), summary.floor(), events);
    list["field"] = name.into();
    list["window"] = asked.window.as_deref().unwrap_or("all").into();
    list["until"] = counts.now.into();
    Ok(list)
}

/// A panic while counting ends the process anyway; what was counted is still right.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for a person: one page, no library, keys as text and never as markup.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>top-k</title>
<style>body{font:16px/1.5 system-ui;max-width:50em;margin:2em auto;padding:0 1em}
td,th{padding:.1em 1em .1em 0;text-align:left}td:first-child{text-align:right}</style>
<h1>Top K</h1><p><select id=f><option>url<option>host<option>status-url</select>
<select id=w><option>all<option selected>5m<option>60m</select> <span id=n></span></p>
<table><thead><tr><th>count<th>at least<th>key</thead><tbody id=t></tbody></table>
<script>
const at=id=>document.getElementById(id);
async function draw(){
  const answer=await fetch(`/top?field=${at('f').value}&k=20&window=${at('w').value}`);
  const list=await answer.json();
  at('n').textContent=list.error||`${list.events.toLocaleString()} events`;
  at('t').replaceChildren(...(list.top||[]).map(hit=>{
    const row=document.createElement('tr');
    for(const text of [hit.count,hit.at_least,hit.key]){
      const cell=document.createElement('td');cell.textContent=text;row.append(cell);
    }
    return row;
  }));
}
at('f').onchange=at('w').onchange=draw;draw();setInterval(draw,1000);
</script>"#;
