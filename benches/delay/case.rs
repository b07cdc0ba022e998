//! What is asked for: loads with delays, and the delay of each request.

use std::time::Duration;

/// A load that is offered to both servers.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) connections: u64,
    pub(crate) delay: Delay,
    pub(crate) tokens: u32,
    /// Over how long the connections send their first request, each at an instant of its own.
    pub(crate) starts_over: Duration,
    pub(crate) until: Until,
}

/// When an answer is due, counted from its request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delay {
    /// The whole answer.
    Fixed(Duration),
    /// The whole answer, drawn anew for each.
    Uniform(Duration, Duration),
    /// The first token, and every further one as long after the one before.
    Stream(Duration),
}

/// When a connection has sent its last request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// It sends the next when the last is answered, for so long.
    Elapsed(Duration),
    /// It sends one.
    Answered,
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl Case {
    pub(crate) fn all() -> [Self; 5] {
        let whole = |name, connections, delay| Self {
            name,
            connections,
            delay,
            tokens: 50,
            starts_over: ms(100),
            until: Until::Elapsed(ms(1_200)),
        };
        let stream = |name, connections, starts_over| Self {
            name,
            connections,
            delay: Delay::Stream(ms(20)),
            tokens: 200,
            starts_over,
            until: Until::Answered,
        };
        [
            whole("10ms-100", 100, Delay::Fixed(ms(10))),
            whole("50to150ms-1000", 1_000, Delay::Uniform(ms(50), ms(150))),
            whole("100ms-1000", 1_000, Delay::Fixed(ms(100))),
            stream("stream-50", 50, ms(200)),
            stream("stream-1000", 1_000, ms(800)),
        ]
    }

    /// As little of it as shows that it runs.
    pub(crate) fn tiny(self) -> Self {
        let until = if self.until == Until::Answered { Until::Answered } else { Until::Elapsed(ms(100)) };
        Self { connections: self.connections / 10, tokens: self.tokens / 20, starts_over: ms(10), until, ..self }
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.delay, Delay::Stream(_))
    }

    /// In words.
    pub(crate) fn title(&self) -> String {
        let delay = match self.delay {
            Delay::Fixed(delay) => format!("{delay:?} each"),
            Delay::Uniform(min, max) => format!("{min:?} to {max:?}"),
            Delay::Stream(gap) => format!("streams of {} chunks, {gap:?} apart", self.tokens),
        };
        format!("{delay}, {} in flight", self.connections)
    }

    /// What the mock relay is told.
    pub(crate) fn profile(&self) -> String {
        let latency = match self.delay {
            Delay::Fixed(delay) => format!("total = {}", fixed(delay)),
            Delay::Uniform(min, max) => {
                format!("total = {{ dist = \"uniform\", min = \"{}ns\", max = \"{}ns\" }}", min.as_nanos(), max.as_nanos())
            }
            Delay::Stream(gap) => format!("first_token = {0}\ninter_token = {0}", fixed(gap)),
        };
        let tokens = self.tokens;
        format!("[latency]\n{latency}\n[completion]\ntokens = {{ dist = \"fixed\", value = {tokens} }}\n")
    }
}

fn fixed(delay: Duration) -> String {
    format!("{{ dist = \"fixed\", value = \"{}ns\" }}", delay.as_nanos())
}

impl Delay {
    /// When the first token, or the whole answer, is due. `draw` is a number of the request's own.
    pub(crate) fn first(self, draw: u64) -> Duration {
        match self {
            Self::Fixed(delay) | Self::Stream(delay) => delay,
            Self::Uniform(min, max) => min + (max - min).mul_f64(spread(draw)),
        }
    }
}

/// Numbers from 0 to 1 that lie evenly however many are taken: multiples of the golden ratio.
pub(crate) fn spread(index: u64) -> f64 {
    (index as f64 * 0.618_033_988_749_894_9).fract()
}
