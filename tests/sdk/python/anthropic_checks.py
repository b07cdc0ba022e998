"""The official anthropic package for Python against the mock, every answer validated against the package's own types."""

import asyncio

import anthropic
import httpx2
from anthropic import Anthropic, AsyncAnthropic

from checks import KEY, Checks, Mock, fault, raises, refused, same, tagged, true

check = Checks(f"anthropic-python {anthropic.__version__}")
mock = Mock("MOCK_ANTHROPIC_URL")

MODEL = "claude-sonnet-4-20250514"
SETTINGS = {"api_key": KEY, "max_retries": 0, "timeout": 20, "_strict_response_validation": True}
client = Anthropic(base_url=mock.url, **SETTINGS)
QUESTION = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "What is a qubit?"}]}
# Short enough not to be waited for, long enough to connect.
IMPATIENT = 0.5


def ask(using=client, **options):
    return using.messages.create(**QUESTION | options)


def said(message):
    return "".join(block.text for block in message.content if block.type == "text")


@check("a message is answered")
def _():
    message = ask()
    same("type", message.type, "message")
    same("role", message.role, "assistant")
    same("model", message.model, MODEL)
    same("stop_reason", message.stop_reason, "end_turn")
    true("some text", said(message), message.content)
    true("tokens", message.usage.input_tokens > 0 and message.usage.output_tokens > 0, message.usage)
    true("a request id", (message._request_id or "").startswith("req_"), message._request_id)


@check("max_tokens cuts a message")
def _():
    message = ask(max_tokens=3)
    same("stop_reason", message.stop_reason, "max_tokens")
    same("output_tokens", message.usage.output_tokens, 3)


@check("a system prompt and content in blocks are understood")
def _():
    blocks = [{"role": "user", "content": [{"type": "text", "text": "What is a qubit?"}]}]
    true("some text", said(ask(system="Be brief.", messages=blocks)), "none")


@check("a stream has its events in order")
def _():
    events = list(ask(stream=True))
    kinds = [event.type for event in events]
    deltas = kinds.count("content_block_delta")
    true("deltas", deltas > 1, kinds)
    frame = ["message_start", "content_block_start", *["content_block_delta"] * deltas]
    same("events", kinds, [*frame, "content_block_stop", "message_delta", "message_stop"])
    same("stop_reason", events[-2].delta.stop_reason, "end_turn")
    true("output tokens", events[-2].usage.output_tokens > 0, events[-2].usage)


@check("the package's own stream helper puts the message together")
def _():
    with client.messages.stream(**QUESTION) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    true("several pieces", len(pieces) > 1, pieces)
    same("text", said(message), "".join(pieces))
    same("stop_reason", message.stop_reason, "end_turn")
    true("tokens", message.usage.input_tokens > 0 and message.usage.output_tokens > 1, message.usage)


@check("a request says the same whole and streamed")
def _():
    _, named = tagged()
    whole = said(ask(**named))
    with client.messages.stream(**QUESTION, **named) as stream:
        same("streamed", stream.get_final_text(), whole)


@check("models are listed, and one is retrieved")
def _():
    ids = [model.id for model in client.models.list()]
    true(f"{MODEL} among the models", MODEL in ids, ids)
    same("id", client.models.retrieve(MODEL).id, MODEL)


@check("a model that does not exist is not retrieved: NotFoundError")
def _():
    with raises(anthropic.NotFoundError, status_code=404, type="not_found_error"):
        client.models.retrieve("claude-0")


@check("a wrong key: AuthenticationError, tried once")
def _():
    request, named = tagged()
    with raises(anthropic.AuthenticationError, status_code=401, type="authentication_error") as caught:
        ask(client.with_options(api_key="sk-wrong", max_retries=2), **named)
    true("a request id", (caught[0].request_id or "").startswith("req_"), caught[0].request_id)
    same("the same id in the body", caught[0].body["request_id"], caught[0].request_id)
    same("attempts", mock.attempts(request), [(0, 401)])


@check("a model that does not exist: NotFoundError")
def _():
    with raises(anthropic.NotFoundError, status_code=404, type="not_found_error"):
        ask(model="claude-0")


@check("no message at all: BadRequestError")
def _():
    with raises(anthropic.BadRequestError, status_code=400, type="invalid_request_error"):
        ask(messages=[])


STATUSES = {
    400: (anthropic.BadRequestError, "invalid_request_error"),
    401: (anthropic.AuthenticationError, "authentication_error"),
    403: (anthropic.PermissionDeniedError, "permission_error"),
    404: (anthropic.NotFoundError, "not_found_error"),
    413: (anthropic.ContentTooLargeError, "request_too_large"),
    429: (anthropic.RateLimitError, "rate_limit_error"),
    500: (anthropic.InternalServerError, "api_error"),
    504: (anthropic.GatewayTimeoutError, "timeout_error"),
    529: (anthropic.OverloadedError, "overloaded_error"),
}


def answers(status, kind, name):
    @check(f"an injected {status}: {kind.__name__}")
    def _():
        with raises(kind, status_code=status, type=name) as caught:
            ask(**fault(f"status={status}"))
        same("keys of the body", sorted(caught[0].body), ["error", "request_id", "type"])


for status, (kind, name) in STATUSES.items():
    answers(status, kind, name)


@check("overloaded without end: OverloadedError after each try that was allowed")
def _():
    request, named = tagged(fault="status=529")
    with raises(anthropic.OverloadedError, status_code=529) as caught:
        ask(client.with_options(max_retries=1), **named)
    same("x-should-retry", caught[0].response.headers.get("x-should-retry"), "true")
    same("attempts", mock.attempts(request), [(0, 529), (1, 529)])


def recovers(status):
    @check(f"{status} twice: the package's retries succeed")
    def _():
        request, named = tagged()
        mock.queue(f"status={status}", 2)
        raw = client.with_options(max_retries=2).messages.with_raw_response.create(**QUESTION, **named)
        same("retries_taken", raw.retries_taken, 2)
        true("some text", said(raw.parse()), raw.text)
        same("attempts", mock.attempts(request), [(0, status), (1, status), (2, 200)])


recovers(429)
recovers(529)


@check("no answer: APITimeoutError")
def _():
    with raises(anthropic.APITimeoutError):
        ask(timeout=IMPATIENT, **fault("hang"))


@check("nobody listens: APIConnectionError")
def _():
    with refused() as url, raises(anthropic.APIConnectionError):
        ask(client.with_options(base_url=url))


for name in ("reset", "reset-mid-body", "truncate"):

    def breaks(name):
        @check(f"{name}: APIConnectionError")
        def _():
            with raises(anthropic.APIConnectionError):
                ask(**fault(name))

    breaks(name)


@check("an error event in mid-stream: APIStatusError after what came")
def _():
    came = []
    with raises(anthropic.APIStatusError) as caught:
        for event in ask(stream=True, **fault("error-event")):
            came.append(event.type)
    true("events before the error", "content_block_delta" in came, came)
    true("no end before the error", "message_stop" not in came, came)
    same("keys of the event", sorted(caught[0].body)[:1] + sorted(caught[0].body)[-1:], ["error", "type"])
    same("type of the event", caught[0].body["type"], "error")
    same("type of the error", caught[0].type, "api_error")


# The package hands on what its transport raises while a stream is read.
for name, kind in {"reset-mid-body": httpx2.ReadError, "truncate": httpx2.RemoteProtocolError}.items():

    def breaks_stream(name, kind):
        @check(f"{name}, streamed: {kind.__name__} of its transport after what came")
        def _():
            came = []
            with raises(kind):
                for event in ask(stream=True, **fault(name)):
                    came.append(event.type)
            true("events before the end", came, came)

    breaks_stream(name, kind)


@check("the asynchronous client: message, stream and 429")
def _():
    async def all_of_it():
        async with AsyncAnthropic(base_url=mock.url, **SETTINGS) as client:
            true("some text", said(await client.messages.create(**QUESTION)), "none")
            async with client.messages.stream(**QUESTION) as stream:
                true("some text", await stream.get_final_text(), "none")
            with raises(anthropic.RateLimitError, status_code=429):
                await client.messages.create(**QUESTION, **fault("status=429"))

    asyncio.run(all_of_it())


check.run()
