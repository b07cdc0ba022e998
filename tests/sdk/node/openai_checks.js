// The official openai package for Node against the mock.

const OpenAI = require('openai').default;
const { VERSION } = require('openai/version');
const { Checks, KEY, Mock, fault, raises, refused, same, tagged, yes } = require('./checks.js');

const checks = new Checks(`openai-node ${VERSION}`);
const check = (promise, body) => checks.add(promise, body);
const mock = new Mock('MOCK_URL');
const limited = new Mock('MOCK_LIMITED_URL');

const MODEL = 'gpt-4.1';
const QUESTION = { model: MODEL, messages: [{ role: 'user', content: 'What is a qubit?' }] };
const SETTINGS = { apiKey: KEY, maxRetries: 0, timeout: 20_000, logLevel: 'off' };
const client = new OpenAI({ baseURL: `${mock.url}/v1`, ...SETTINGS });
// Short enough not to be waited for, long enough to connect.
const IMPATIENT = { timeout: 500 };

const ask = (options, using = client) => using.chat.completions.create(QUESTION, options);
const stream = (options, body) => client.chat.completions.create({ ...QUESTION, ...body, stream: true }, options);

async function read(chunks, came = []) {
  for await (const chunk of chunks) came.push(chunk);
  return came;
}

const said = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

check('a chat is answered', async () => {
  const answer = await ask();
  same('model', answer.model, MODEL);
  same('finish_reason', answer.choices[0].finish_reason, 'stop');
  same('role', answer.choices[0].message.role, 'assistant');
  yes('some content', answer.choices[0].message.content, answer.choices[0]);
  same('total_tokens', answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  yes('a request id', answer._request_id?.startsWith('req_'), answer._request_id);
});

check('a stream says who speaks, what, and why it ended', async () => {
  const chunks = await read(await stream());
  same('first role', chunks[0].choices[0].delta.role, 'assistant');
  same('last finish_reason', chunks.at(-1).choices[0].finish_reason, 'stop');
  same('ids', new Set(chunks.map((chunk) => chunk.id)).size, 1);
  yes('some content', said(chunks), chunks);
});

check('a stream ends with its usage when that is asked for', async () => {
  const chunks = await read(await stream({}, { stream_options: { include_usage: true } }));
  same('choices of the last chunk', chunks.at(-1).choices, []);
  const { usage } = chunks.at(-1);
  same('total_tokens', usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
});

check("the package's own stream helper puts the answer together", async () => {
  const answer = await client.chat.completions.stream(QUESTION).finalChatCompletion();
  yes('some content', answer.choices[0].message.content, answer);
  same('finish_reason', answer.choices[0].finish_reason, 'stop');
});

check('models are listed', async () => {
  const ids = (await client.models.list()).data.map((model) => model.id);
  yes(`${MODEL} among the models`, ids.includes(MODEL), ids);
});

check('a model is retrieved', async () => same('id', (await client.models.retrieve(MODEL)).id, MODEL));

check('a model that does not exist is not retrieved: NotFoundError', () =>
  raises(OpenAI.NotFoundError, { status: 404, code: 'model_not_found' }, () => client.models.retrieve('gpt-0')));

check("embeddings as base64, which is the package's default, and as numbers are the same", async () => {
  const asked = { model: 'text-embedding-3-small', input: 'a qubit' };
  const packed = (await client.embeddings.create(asked)).data[0].embedding;
  const plain = (await client.embeddings.create({ ...asked, encoding_format: 'float' })).data[0].embedding;
  same('dimensions', packed.length, plain.length);
  yes('length 1', Math.abs(Math.hypot(...plain) - 1) < 1e-3, Math.hypot(...plain));
  const worst = Math.max(...plain.map((value, i) => Math.abs(value - packed[i])));
  yes('a difference below 1e-6', worst < 1e-6, worst);
});

check('a legacy completion is answered', async () => {
  const answer = await client.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: 'A qubit is' });
  yes('some text', answer.choices[0].text, answer);
});

check('a response is given', async () => {
  const answer = await client.responses.create({ model: MODEL, input: 'What is a qubit?' });
  same('status', answer.status, 'completed');
  yes('some text', answer.output_text, answer.output);
});

check("a response is streamed, and put together by the package's own helper", async () => {
  const streamed = client.responses.stream({ model: MODEL, input: 'What is a qubit?' });
  const pieces = [];
  streamed.on('response.output_text.delta', (event) => pieces.push(event.delta));
  const answer = await streamed.finalResponse();
  same('text', answer.output_text, pieces.join(''));
  yes('some text', answer.output_text, answer.output);
});

check('a wrong key: AuthenticationError, tried once', async () => {
  const [request, options] = tagged();
  const stranger = client.withOptions({ apiKey: 'sk-wrong', maxRetries: 2 });
  const expected = { status: 401, code: 'invalid_api_key' };
  const error = await raises(OpenAI.AuthenticationError, expected, () => ask(options, stranger));
  yes('a request id', error.requestID?.startsWith('req_'), error.requestID);
  same('attempts', await mock.attempts(request), [[0, 401]]);
});

check('a model that does not exist: NotFoundError', () =>
  raises(OpenAI.NotFoundError, { status: 404, code: 'model_not_found' }, () =>
    client.chat.completions.create({ ...QUESTION, model: 'gpt-0' })));

check('a route that does not exist: NotFoundError', () =>
  raises(OpenAI.NotFoundError, { status: 404, code: 'unknown_url' }, () => client.get('/no/such/route')));

check('a parameter that is out of range: BadRequestError, which names it', () =>
  raises(OpenAI.BadRequestError, { status: 400, param: 'max_tokens' }, () =>
    client.chat.completions.create({ ...QUESTION, max_tokens: 0 })));

const STATUSES = {
  400: OpenAI.BadRequestError,
  401: OpenAI.AuthenticationError,
  403: OpenAI.PermissionDeniedError,
  404: OpenAI.NotFoundError,
  408: OpenAI.APIError,
  409: OpenAI.ConflictError,
  422: OpenAI.UnprocessableEntityError,
  429: OpenAI.RateLimitError,
  500: OpenAI.InternalServerError,
  502: OpenAI.InternalServerError,
  503: OpenAI.InternalServerError,
  529: OpenAI.InternalServerError,
};
for (const [status, kind] of Object.entries(STATUSES)) {
  check(`an injected ${status}: ${kind.name}`, () =>
    raises(kind, { status: Number(status) }, () => ask(fault(`status=${status}`))));
}

check('a page of HTML from a proxy: InternalServerError', () =>
  raises(OpenAI.InternalServerError, { status: 502 }, () => ask(fault('html=502'))));

check('429 without end: RateLimitError after each try that was allowed', async () => {
  const [request, options] = tagged('status=429');
  await raises(OpenAI.RateLimitError, { status: 429 }, () => ask({ ...options, maxRetries: 1 }));
  same('attempts', await mock.attempts(request), [[0, 429], [1, 429]]);
});

for (const status of [429, 503]) {
  check(`${status} twice: the package's retries succeed`, async () => {
    const [request, options] = tagged();
    await mock.queue(`status=${status}`, 2);
    const answer = await ask({ ...options, maxRetries: 2 });
    yes('some content', answer.choices[0].message.content, answer);
    same('attempts', await mock.attempts(request), [[0, status], [1, status], [2, 200]]);
  });
}

check('a connection that is reset: the package\'s retry succeeds', async () => {
  const [request, options] = tagged();
  await mock.queue('reset', 1);
  await ask({ ...options, maxRetries: 2 });
  same('last attempt', (await mock.attempts(request)).at(-1), [1, 200]);
});

check('a real limit: RateLimitError with the headers of its bucket, and success after the wait it names', async () => {
  const crowded = new OpenAI({ baseURL: `${limited.url}/v1`, ...SETTINGS });
  const expected = { status: 429, code: 'rate_limit_exceeded', type: 'requests' };
  const error = await raises(OpenAI.RateLimitError, expected, async () => {
    for (let i = 0; i < 1000; i++) await ask({}, crowded);
  });
  same('x-ratelimit-remaining-requests', error.headers.get('x-ratelimit-remaining-requests'), '0');
  yes('retry-after-ms', /^\d+$/.test(error.headers.get('retry-after-ms')), [...error.headers]);
  // One that comes late enough finds room at once.
  let attempts = [];
  for (let i = 0; i < 1000 && attempts.length < 2; i++) {
    const [request, options] = tagged();
    await ask({ ...options, maxRetries: 1 }, crowded);
    attempts = await limited.attempts(request);
  }
  same('attempts of one that had to wait', attempts, [[0, 429], [1, 200]]);
});

check('no answer: APIConnectionTimeoutError', () =>
  raises(OpenAI.APIConnectionTimeoutError, {}, () => ask({ ...IMPATIENT, ...fault('hang') })));

check('an answer that stalls: APIConnectionTimeoutError', () =>
  raises(OpenAI.APIConnectionTimeoutError, {}, () => ask({ ...IMPATIENT, ...fault('stall') })));

check('nobody listens: APIConnectionError', async () => {
  const url = await refused();
  await raises(OpenAI.APIConnectionError, {}, () => ask({}, client.withOptions({ baseURL: `${url}/v1` })));
});

check('a connection that is reset before the answer: APIConnectionError', () =>
  raises(OpenAI.APIConnectionError, {}, () => ask(fault('reset'))));

// The package hands on what fetch raises while a body is read.
for (const name of ['reset-mid-body', 'truncate']) {
  check(`${name}: TypeError of fetch`, () => raises(TypeError, { message: 'terminated' }, () => ask(fault(name))));

  check(`${name}, streamed: TypeError of fetch after what came`, async () => {
    const came = [];
    await raises(TypeError, { message: 'terminated' }, async () => read(await stream(fault(name)), came));
    yes('chunks before the end', came.length > 0, came);
  });
}

check('malformed-json: SyntaxError of the parser', () => raises(SyntaxError, {}, () => ask(fault('malformed-json'))));

check('malformed-chunk in a stream: SyntaxError of the parser after what came', async () => {
  const came = [];
  await raises(SyntaxError, {}, async () => read(await stream(fault('malformed-chunk')), came));
  yes('chunks before it', came.length > 0, came);
});

check('a stream that does not close is over at its [DONE]', async () => {
  const chunks = await read(await stream(fault('never-close')));
  same('last finish_reason', chunks.at(-1).choices[0].finish_reason, 'stop');
});

check('an answer that does not close: APIConnectionTimeoutError', () =>
  raises(OpenAI.APIConnectionTimeoutError, {}, () => ask({ ...IMPATIENT, ...fault('never-close') })));

check('an error in mid-stream: APIError after what came', async () => {
  const came = [];
  const error = await raises(OpenAI.APIError, {}, async () => read(await stream(fault('error-event')), came));
  yes('chunks before the error', came.length > 0, came);
  yes('a message', error.error?.message, error);
});

check('an answer of another model is told apart', async () => {
  const { model } = await ask(fault('wrong-model'));
  yes(`a model other than ${MODEL}`, model !== MODEL, model);
});

checks.run();
