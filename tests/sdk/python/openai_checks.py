"""The official openai package for Python against the mock, every answer validated against the package's own types."""

import asyncio
import json
import math

import openai
from openai import AsyncOpenAI, OpenAI

from checks import KEY, Checks, Mock, fault, raises, refused, same, tagged, true

check = Checks(f"openai-python {openai.__version__}")
mock = Mock("MOCK_URL")
limited = Mock("MOCK_LIMITED_URL")

MODEL = "gpt-4.1"
SETTINGS = {"api_key": KEY, "max_retries": 0, "timeout": 20, "_strict_response_validation": True}
client = OpenAI(base_url=f"{mock.url}/v1", **SETTINGS)
# For the few answers of which the package's own types have not all that the wire has.
lenient = OpenAI(base_url=f"{mock.url}/v1", **SETTINGS | {"_strict_response_validation": False})
at_cloudflare = OpenAI(base_url=f"{Mock('MOCK_CLOUDFLARE_URL').url}/client/v4/accounts/0a/ai/v1", **SETTINGS)
SLASHED = "@cf/meta/llama-3.1-8b-instruct"
QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "What is a qubit?"}]}
# Short enough not to be waited for, long enough to connect.
IMPATIENT = 0.5


def ask(using=client, **options):
    return using.chat.completions.create(**QUESTION, **options)


def read(stream):
    """The chunks of a stream, and what they say."""
    chunks = list(stream)
    return chunks, "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


@check("a chat is answered")
def _():
    answer = ask()
    same("model", answer.model, MODEL)
    same("finish_reason", answer.choices[0].finish_reason, "stop")
    same("role", answer.choices[0].message.role, "assistant")
    true("some content", answer.choices[0].message.content, answer.choices[0].message)
    usage = answer.usage
    same("total_tokens", usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
    true("a request id", (answer._request_id or "").startswith("req_"), answer._request_id)


@check("max_tokens cuts an answer")
def _():
    answer = ask(max_tokens=3)
    same("finish_reason", answer.choices[0].finish_reason, "length")
    same("completion_tokens", answer.usage.completion_tokens, 3)


@check("a stream says who speaks, what, and why it ended")
def _():
    chunks, text = read(ask(stream=True))
    same("first role", chunks[0].choices[0].delta.role, "assistant")
    same("last finish_reason", chunks[-1].choices[0].finish_reason, "stop")
    same("ids", {c.id for c in chunks}, {chunks[0].id})
    same("usages", [c.usage for c in chunks if c.usage], [])
    true("some content", text, text)


@check("a stream ends with its usage when that is asked for")
def _():
    chunks, _ = read(ask(stream=True, stream_options={"include_usage": True}))
    same("choices of the last chunk", chunks[-1].choices, [])
    usage = chunks[-1].usage
    same("total_tokens", usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
    same("usages before", [c.usage for c in chunks[:-1] if c.usage], [])


@check("a request says the same whole and streamed")
def _():
    _, named = tagged()
    whole = ask(**named).choices[0].message.content
    _, streamed = read(ask(stream=True, **named))
    same("streamed", streamed, whole)


@check("the package's own stream helper puts the answer together")
def _():
    with client.chat.completions.stream(**QUESTION) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_completion()
    same("events", [k for k in ("chunk", "content.delta", "content.done") if k not in kinds], [])
    true("some content", answer.choices[0].message.content, answer)
    same("finish_reason", answer.choices[0].finish_reason, "stop")


@check("models are listed")
def _():
    models = list(client.models.list())
    true(f"{MODEL} among the models", MODEL in [m.id for m in models], [m.id for m in models])
    same("object", models[0].object, "model")


@check("a model is retrieved")
def _():
    same("id", client.models.retrieve(MODEL).id, MODEL)


@check("a model that does not exist is not retrieved: NotFoundError")
def _():
    with raises(openai.NotFoundError, status_code=404, code="model_not_found"):
        client.models.retrieve("gpt-0")


@check("embeddings are unit vectors, the same for the same text")
def _():
    texts = ["a qubit", "a bit", "a qubit"]
    answer = client.embeddings.create(model="text-embedding-3-small", input=texts, encoding_format="float")
    first, second, again = (e.embedding for e in answer.data)
    same("indices", [e.index for e in answer.data], [0, 1, 2])
    for vector in (first, second):
        true("length 1", math.isclose(math.hypot(*vector), 1, abs_tol=1e-3), math.hypot(*vector))
    true("the same vector for the same text", first == again, "another")
    true("another vector for another text", first != second, "the same")
    same("total_tokens", answer.usage.total_tokens, answer.usage.prompt_tokens)


@check("embeddings as base64, which is the package's default, and as numbers are the same")
def _():
    asked = {"model": "text-embedding-3-small", "input": "a qubit"}
    # The package decodes it after the validation, for which it is no list yet.
    packed = lenient.embeddings.create(**asked).data[0].embedding
    plain = client.embeddings.create(**asked, encoding_format="float").data[0].embedding
    same("dimensions", len(plain), len(packed))
    worst = max(abs(a - b) for a, b in zip(packed, plain))
    true("a difference below 1e-6", worst < 1e-6, worst)


@check("embeddings have as many dimensions as are asked for")
def _():
    answer = lenient.embeddings.create(model="text-embedding-3-small", input="a qubit", dimensions=256)
    same("dimensions", len(answer.data[0].embedding), 256)


@check("a legacy completion is answered")
def _():
    answer = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="A qubit is", max_tokens=20)
    true("some text", answer.choices[0].text, answer)
    true("a reason", answer.choices[0].finish_reason in ("stop", "length"), answer.choices[0].finish_reason)
    same("total_tokens", answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)


@check("a legacy completion is streamed")
def _():
    asked = {"model": "gpt-3.5-turbo-instruct", "prompt": "A qubit is", "max_tokens": 20}
    # Its type has no null for a reason that is still to come.
    chunks = list(lenient.completions.create(**asked, stream=True))
    text = "".join(c.choices[0].text for c in chunks if c.choices)
    true("some text", text, text)
    true("a reason", chunks[-1].choices[0].finish_reason in ("stop", "length"), chunks[-1])


@check("a response is given")
def _():
    answer = client.responses.create(model=MODEL, input="What is a qubit?")
    same("status", answer.status, "completed")
    true("some text", answer.output_text, answer.output)
    same("total_tokens", answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)


@check("a response is streamed, and put together by the package's own helper")
def _():
    with client.responses.stream(model=MODEL, input="What is a qubit?") as stream:
        events = list(stream)
        answer = stream.get_final_response()
    kinds = [e.type for e in events]
    same("first events", kinds[:2], ["response.created", "response.in_progress"])
    same("last event", kinds[-1], "response.completed")
    same("sequence numbers", [e.sequence_number for e in events], list(range(len(events))))
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    same("text", answer.output_text, said)
    true("some text", said, said)


@check("a wrong key: AuthenticationError, tried once")
def _():
    request, named = tagged()
    with raises(openai.AuthenticationError, status_code=401, code="invalid_api_key") as caught:
        ask(client.with_options(api_key="sk-wrong", max_retries=2), **named)
    true("a request id", (caught[0].request_id or "").startswith("req_"), caught[0].request_id)
    same("attempts", mock.attempts(request), [(0, 401)])


@check("a model that does not exist: NotFoundError")
def _():
    with raises(openai.NotFoundError, status_code=404, code="model_not_found"):
        client.chat.completions.create(**QUESTION | {"model": "gpt-0"})


@check("a route that does not exist: NotFoundError")
def _():
    with raises(openai.NotFoundError, status_code=404, code="unknown_url"):
        client.get("/no/such/route", cast_to=object)


@check("a parameter that is out of range: BadRequestError, which names it")
def _():
    with raises(openai.BadRequestError, status_code=400, type="invalid_request_error", param="max_tokens"):
        ask(max_tokens=0)


STATUSES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    408: openai.APIStatusError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    502: openai.InternalServerError,
    503: openai.InternalServerError,
    504: openai.InternalServerError,
    529: openai.InternalServerError,
}


def answers(status, kind):
    @check(f"an injected {status}: {kind.__name__}")
    def _():
        with raises(kind, status_code=status) as caught:
            ask(**fault(f"status={status}"))
        body = caught[0].body
        same("keys of the error", sorted(body), ["code", "message", "param", "type"])


for status, kind in STATUSES.items():
    answers(status, kind)


@check("a page of HTML from a proxy: InternalServerError with the page")
def _():
    with raises(openai.InternalServerError, status_code=502) as caught:
        ask(**fault("html=502"))
    same("content-type", caught[0].response.headers["content-type"].partition(";")[0], "text/html")
    true("HTML", "<html" in caught[0].response.text.lower(), caught[0].response.text)


@check("429 without end: RateLimitError after each try that was allowed")
def _():
    request, named = tagged(fault="status=429")
    with raises(openai.RateLimitError, status_code=429):
        ask(client.with_options(max_retries=1), **named)
    same("attempts", mock.attempts(request), [(0, 429), (1, 429)])


def recovers(status):
    @check(f"{status} twice: the package's retries succeed")
    def _():
        request, named = tagged()
        mock.queue(f"status={status}", 2)
        patient = client.with_options(max_retries=2)
        raw = patient.chat.completions.with_raw_response.create(**QUESTION, **named)
        same("retries_taken", raw.retries_taken, 2)
        true("some content", raw.parse().choices[0].message.content, raw.text)
        same("attempts", mock.attempts(request), [(0, status), (1, status), (2, 200)])


recovers(429)
recovers(503)


@check("a connection that is reset: the package's retry succeeds")
def _():
    mock.queue("reset", 1)
    raw = client.with_options(max_retries=2).chat.completions.with_raw_response.create(**QUESTION)
    same("retries_taken", raw.retries_taken, 1)


@check("a real limit: RateLimitError with the headers of its bucket, and success after the wait it names")
def _():
    crowded = OpenAI(base_url=f"{limited.url}/v1", **SETTINGS)
    with raises(openai.RateLimitError, status_code=429, code="rate_limit_exceeded", type="requests") as caught:
        for _ in range(1000):
            ask(crowded)
    headers = caught[0].response.headers
    same("x-ratelimit-remaining-requests", headers.get("x-ratelimit-remaining-requests"), "0")
    true("retry-after-ms", headers.get("retry-after-ms", "").isdigit(), dict(headers))
    # One that comes late enough finds room at once.
    for _ in range(1000):
        request, named = tagged()
        ask(crowded.with_options(max_retries=1), **named)
        attempts = limited.attempts(request)
        if len(attempts) > 1:
            break
    same("attempts of one that had to wait", attempts, [(0, 429), (1, 200)])


@check("a request larger than its limit: RateLimitError that names no wait")
def _():
    crowded = OpenAI(base_url=f"{limited.url}/v1", **SETTINGS)
    with raises(openai.RateLimitError, status_code=429, code="rate_limit_exceeded", type="tokens") as caught:
        crowded.chat.completions.create(**QUESTION | {"model": "gpt-4o"}, max_tokens=2000)
    same("waits", [name for name in caught[0].response.headers if name.startswith("retry-after")], [])


@check("no answer: APITimeoutError")
def _():
    with raises(openai.APITimeoutError):
        ask(timeout=IMPATIENT, **fault("hang"))


@check("an answer that stalls: APITimeoutError")
def _():
    with raises(openai.APITimeoutError):
        ask(timeout=IMPATIENT, **fault("stall"))


@check("a stream that stalls: APITimeoutError while it is read")
def _():
    stream = ask(stream=True, timeout=IMPATIENT, **fault("stall"))
    with raises(openai.APITimeoutError):
        read(stream)


@check("nobody listens: APIConnectionError")
def _():
    with refused() as url, raises(openai.APIConnectionError):
        ask(client.with_options(base_url=f"{url}/v1"))


# What breaks an answer, and how that is called.
BROKEN = {
    "reset": "a connection that is reset before the answer",
    "reset-mid-body": "a connection that is reset within the answer",
    "truncate": "an answer that ends too early",
    "long-length": "an answer shorter than its content-length",
}


def breaks(name, promise):
    @check(f"{promise}: APIConnectionError")
    def _():
        with raises(openai.APIConnectionError):
            ask(**fault(name))


for name, promise in BROKEN.items():
    breaks(name, promise)


BROKEN_STREAM = {
    "reset-mid-body": "a stream whose connection is reset",
    "truncate": "a stream that ends too early",
    "bad-chunk-size": "a stream in broken chunks",
}


def breaks_stream(name, promise):
    @check(f"{promise}: APIConnectionError after what came")
    def _():
        stream = ask(stream=True, **fault(name))
        came = []
        with raises(openai.APIConnectionError):
            for chunk in stream:
                came.append(chunk)
        true("chunks before the end", came, came)


for name, promise in BROKEN_STREAM.items():
    breaks_stream(name, promise)


# The package has no class of its own for what is no JSON, and hands on its parser's.
for name in ("malformed-json", "short-length"):

    def is_no_json(name):
        @check(f"{name}: JSONDecodeError of the parser")
        def _():
            with raises(json.JSONDecodeError):
                ask(**fault(name))

    is_no_json(name)


@check("malformed-chunk in a stream: JSONDecodeError of the parser after what came")
def _():
    came = []
    with raises(json.JSONDecodeError):
        for chunk in ask(stream=True, **fault("malformed-chunk")):
            came.append(chunk)
    true("chunks before it", came, came)


@check("an error in mid-stream: APIError after what came")
def _():
    stream = ask(stream=True, **fault("error-event"))
    came = []
    with raises(openai.APIError) as caught:
        for chunk in stream:
            came.append(chunk)
    true("chunks before the error", came, came)
    true("a message", caught[0].message, caught[0].body)


@check("an error in mid-stream in Cloudflare's dialect: APIError after what came")
def _():
    stream = at_cloudflare.chat.completions.create(**QUESTION | {"model": SLASHED}, stream=True, **fault("error-event"))
    came = []
    with raises(openai.APIError):
        for chunk in stream:
            came.append(chunk)
    true("chunks before the error", came, came)


@check("a model is retrieved whose name has slashes, which the package encodes")
def _():
    same("id", at_cloudflare.models.retrieve(SLASHED).id, SLASHED)


@check("an error in an answer of 200: APIResponseValidationError")
def _():
    with raises(openai.APIResponseValidationError, status_code=200) as caught:
        ask(**fault("error-in-200"))
    true("an error in the body", "error" in caught[0].body, caught[0].body)


@check("a stream without [DONE] ends where its body ends")
def _():
    request, options = tagged("no-done")
    chunks, text = read(ask(stream=True, **options))
    same("last finish_reason", chunks[-1].choices[0].finish_reason, "stop")
    true("some content", text, text)
    same("faults", mock.faults(request), ["no-done"])


@check("a stream that does not close is over at its [DONE]")
def _():
    chunks, _ = read(ask(stream=True, **fault("never-close")))
    same("last finish_reason", chunks[-1].choices[0].finish_reason, "stop")


@check("an answer that does not close: APITimeoutError")
def _():
    with raises(openai.APITimeoutError):
        ask(timeout=IMPATIENT, **fault("never-close"))


@check("an answer of another model is told apart")
def _():
    answer = ask(**fault("wrong-model"))
    true(f"a model other than {MODEL}", answer.model != MODEL, answer.model)


@check("a connection that closes after its answer, unannounced, is replaced")
def _():
    request, options = tagged("close")
    for _ in range(3):
        ask(client.with_options(max_retries=2), **options)
    served = [entry for entry in mock.ledger(request) if entry["status"] == 200]
    same("connections", len({entry["connection"] for entry in served}), 3)


@check("an answer that drips arrives whole")
def _():
    request, options = tagged("drip=20000")
    true("some content", ask(max_tokens=3, **options).choices[0].message.content, "")
    same("faults", mock.faults(request), ["drip"])


@check("headers that come slowly are waited for, and not longer than the timeout")
def _():
    true("some content", ask(**fault("slow-headers=100ms")).choices[0].message.content, "")
    with raises(openai.APITimeoutError):
        ask(timeout=IMPATIENT, **fault("slow-headers=1h"))


@check("a fault that the prompt asks for is played as well")
def _():
    asked = [{"role": "user", "content": "What is a qubit? [[mock fault=status=503]]"}]
    with raises(openai.InternalServerError, status_code=503):
        client.chat.completions.create(model=MODEL, messages=asked)


@check("the asynchronous client: chat, stream, 429 and timeout")
def _():
    async def all_of_it():
        async with AsyncOpenAI(base_url=f"{mock.url}/v1", **SETTINGS) as client:
            create = client.chat.completions.create
            true("some content", (await create(**QUESTION)).choices[0].message.content, "")
            chunks = [chunk async for chunk in await create(**QUESTION, stream=True)]
            same("last finish_reason", chunks[-1].choices[0].finish_reason, "stop")
            with raises(openai.RateLimitError, status_code=429):
                await create(**QUESTION, **fault("status=429"))
            with raises(openai.APITimeoutError):
                await create(**QUESTION, timeout=IMPATIENT, **fault("hang"))

    asyncio.run(all_of_it())


check.run()
