//! What streams pay into the retry budget, and what they take from it.

use relaybench::client::{BillingRisk, BrokenStreams, BudgetStats, ChatStream, Client, Policy, RetryBudget};
use relaybench_clock::run_virtual;

use crate::support::raw_relay::{RawRelay, Step, error, question};
use crate::support::streams::{DONE, HEAD, finish, said};

fn stream(events: &str) -> Step {
    Step::WriteAndClose(format!("{HEAD}{events}"))
}

fn whole() -> Step {
    stream(&(said("Hello.") + &finish() + DONE))
}

/// A client with ten retries, of which one is used up, each success worth a half of one, and a share of a hundredth to be paid twice.
async fn client(relay: &RawRelay, broken_streams: BrokenStreams) -> Client {
    let mut policy = Policy::resilient();
    let (mut budget, mut risk) = (RetryBudget::default(), BillingRisk::default());
    (budget.start, budget.deposit, risk.start, risk.share, risk.per_request) = (10.0, 0.5, 10.0, 0.01, 2);
    (policy.retry.budget, policy.retry.billing_risk, policy.retry.broken_streams) = (Some(budget), Some(risk), broken_streams);
    let client = relay.client().policy(policy).build().unwrap();
    // Refused, and then cut before its first content, so that no purse is full; and then refused for good.
    let _ = client.chat_stream(question()).await.unwrap_err();
    client
}

fn spoilt() -> [Step; 3] {
    [error("503 Service Unavailable", "busy", &[]), Step::WriteAndClose(String::new()), error("400 Bad Request", "no", &[])]
}

fn left(client: &Client) -> (f64, f64) {
    let BudgetStats { retries_left, risks_left, .. } = client.budgets();
    (retries_left.unwrap(), risks_left.unwrap())
}

async fn read(stream: &mut ChatStream) -> bool {
    while let Some(chunk) = stream.next().await {
        if chunk.is_err() {
            return false;
        }
    }
    true
}

#[test]
fn a_stream_pays_in_at_the_proof_of_its_end_and_not_before() {
    run_virtual(async {
        let relay = RawRelay::start(spoilt().into_iter().chain([whole()]).collect::<std::collections::VecDeque<_>>());
        let client = client(&relay, BrokenStreams::Fail).await;
        let (before, _) = left(&client);
        assert_eq!(before, 8.0);
        let mut stream = client.chat_stream(question()).await.unwrap();
        assert_eq!((left(&client).0, client.budgets().requests_in_flight), (before, 1));
        stream.next().await.unwrap().unwrap();
        assert_eq!(left(&client).0, before);
        assert!(read(&mut stream).await);
        // While its caller still holds it.
        assert_eq!((left(&client).0, client.budgets().requests_in_flight), (before + 0.5, 0));
        assert!(stream.next().await.is_none());
        assert_eq!(left(&client).0, before + 0.5);
    });
}

#[test]
fn a_stream_that_breaks_or_is_dropped_pays_nothing() {
    run_virtual(async {
        let relay = RawRelay::start(
            spoilt().into_iter().chain([stream(&said("Hel")), whole()]).collect::<std::collections::VecDeque<_>>(),
        );
        let client = client(&relay, BrokenStreams::Fail).await;
        let (before, _) = left(&client);
        let mut stream = client.chat_stream(question()).await.unwrap();
        assert!(!read(&mut stream).await);
        assert_eq!((left(&client).0, client.budgets().requests_in_flight), (before, 0));
        let mut dropped = client.chat_stream(question()).await.unwrap();
        dropped.next().await.unwrap().unwrap();
        drop(dropped);
        assert_eq!((left(&client).0, client.budgets().requests_in_flight), (before, 0));
    });
}

#[test]
fn a_stream_that_begins_anew_is_one_request_with_one_share() {
    run_virtual(async {
        let cut = || stream(&said("Hel"));
        let relay =
            RawRelay::start(spoilt().into_iter().chain([cut(), cut(), whole()]).collect::<std::collections::VecDeque<_>>());
        let client = client(&relay, BrokenStreams::Restart).await;
        let (retries, risks) = left(&client);
        let mut stream = client.chat_stream(question()).await.unwrap();
        assert!(read(&mut stream).await);
        assert_eq!(stream.attempts().len(), 3);
        // Two retries, each a risk; one share of a hundredth, and one success.
        let (retries_left, risks_left) = left(&client);
        assert_eq!((retries_left, client.budgets().requests_in_flight), (retries - 2.0 + 0.5, 0));
        assert!((risks_left - (risks - 2.0 + 0.01)).abs() < 1e-9, "{risks_left} of {risks}");
    });
}
