//! Embeddings, the list of models and a single model have timeouts of their own, like chats.

use std::time::Duration;

use relaybench::client::{ErrorKind, Policy, RequestId, Timeout};
use relaybench::{Client, EmbeddingsRequest, Error};
use relaybench_clock::{now, run_virtual};

use crate::support::raw_relay::{RawRelay, Step, json};

const SECOND: Duration = Duration::from_secs(1);
/// No round number, so that nothing is exact by chance.
const FIGURE: Duration = Duration::from_nanos(1_234_567_891);

const MODELS: &str = r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#;
const MODEL: &str = r#"{"id":"m","object":"model"}"#;
const VECTORS: &str = r#"{"object":"list","data":[{"index":0,"embedding":[1.0]}]}"#;

/// What can be asked beside chats, with the body that answers it.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Models,
    Model,
    Embeddings,
}

const ALL: [(Asked, &str); 3] = [(Asked::Models, MODELS), (Asked::Model, MODEL), (Asked::Embeddings, VECTORS)];

/// How a request's timeout differs from its client's.
#[derive(Clone, Copy)]
enum Change {
    Total(Duration),
    One(Timeout, Option<Duration>),
}

async fn ask(client: &Client, asked: Asked, change: Change) -> Result<(), Error> {
    let (models, model, embeddings) = (client.models(), client.model("m"), EmbeddingsRequest::new("m").input("one"));
    match (asked, change) {
        (Asked::Models, Change::Total(figure)) => models.total_timeout(figure).await.map(drop),
        (Asked::Models, Change::One(which, figure)) => models.timeout(which, figure).await.map(drop),
        (Asked::Model, Change::Total(figure)) => model.total_timeout(figure).await.map(drop),
        (Asked::Model, Change::One(which, figure)) => model.timeout(which, figure).await.map(drop),
        (Asked::Embeddings, Change::Total(figure)) => client.embeddings(embeddings.total_timeout(figure)).await.map(drop),
        (Asked::Embeddings, Change::One(which, figure)) => client.embeddings(embeddings.timeout(which, figure)).await.map(drop),
    }
}

#[test]
fn what_is_asked_beside_chats_has_timeouts_of_its_own() {
    for (asked, _) in ALL {
        for (change, kind) in [
            (Change::Total(FIGURE), ErrorKind::TotalTimeout),
            (Change::One(Timeout::Read, Some(FIGURE)), ErrorKind::ReadTimeout),
            (Change::One(Timeout::Headers, Some(FIGURE)), ErrorKind::HeadersTimeout),
        ] {
            run_virtual(async move {
                let relay = RawRelay::start([Step::Hang]);
                let client = relay.client().policy(Policy::none()).build().unwrap();
                let start = now();
                let error = ask(&client, asked, change).await.unwrap_err();
                assert_eq!((error.kind(), start.elapsed()), (kind, FIGURE), "{asked:?}: {error}");
                assert!(error.to_string().contains("1.234567891s"), "{asked:?}: {error}");
            });
        }
    }
}

#[test]
fn what_is_asked_beside_chats_may_lift_what_its_client_sets() {
    for (asked, body) in ALL {
        run_virtual(async move {
            let Step::Write(whole) = json("200 OK", &[], body) else { panic!("it is written") };
            let relay = RawRelay::start([Step::Drip(vec![(20 * SECOND, whole)])]);
            let client = relay.client().policy(Policy::none()).read_timeout(FIGURE).build().unwrap();
            ask(&client, asked, Change::One(Timeout::Read, None)).await.unwrap();
            let error = ask(&client, asked, Change::One(Timeout::Headers, None)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ReadTimeout, "{asked:?}");
        });
    }
}

#[test]
fn a_timeout_of_nothing_is_refused_beside_chats_too() {
    for (asked, body) in ALL {
        run_virtual(async move {
            let relay = RawRelay::start([json("200 OK", &[], body)]);
            let client = relay.client().build().unwrap();
            let error = ask(&client, asked, Change::One(Timeout::Connect, Some(Duration::ZERO))).await.unwrap_err();
            assert_eq!(error.to_string(), "the connect timeout must be above zero", "{asked:?}");
            assert!(relay.attempts().is_empty());
        });
    }
}

#[test]
fn a_question_about_models_goes_by_the_name_it_was_given() {
    run_virtual(async {
        let relay = RawRelay::start([json("200 OK", &[], MODELS), json("200 OK", &[], MODEL)]);
        let client = relay.client().build().unwrap();
        client.models().request_id(RequestId::new("list").unwrap()).await.unwrap();
        client.model("m").request_id(RequestId::new("one").unwrap()).await.unwrap();
        let seen = relay.attempts();
        let names: Vec<_> = seen.iter().map(|seen| seen.header("x-client-request-id").unwrap()).collect();
        assert_eq!(names, ["list", "one"]);
    });
}

#[test]
fn a_model_whose_name_would_be_another_url_is_refused() {
    run_virtual(async {
        let relay = RawRelay::start([Step::Hang]);
        let client = relay.client().build().unwrap();
        for name in ["", ".", ".."] {
            assert!(client.model(name).await.unwrap_err().is_config(), "{name:?}");
        }
        assert!(relay.attempts().is_empty());
    });
}
