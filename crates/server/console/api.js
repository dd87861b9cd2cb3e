// Owns every request: the session, the schemas of what is sent, refusals (RFC 9457), and whether the server answers.
// Must never keep a token: the log-in posts it once, and the browser keeps a cookie that no script reads.
import { useEffect, useState } from './vendor/preact.js';
import { joined, shown } from './address.js';

// `epoch` grows when all lists are to ask again, as after each change; `skew` is by how much the server's clock differs.
export const server = { session: null, ended: false, gone: null, schemas: null, epoch: 0, asOf: null, skew: 0 };

const watchers = new Set();

function change(values) {
	Object.assign(server, values);
	for (const watcher of watchers) watcher({});
}

export function useServer() {
	const [, set] = useState({});
	useEffect(() => {
		watchers.add(set);
		return () => watchers.delete(set);
	}, []);
	return server;
}

export const now = () => Date.now() + server.skew;

export class Refusal extends Error {
	constructor(status, problem, retryAfter) {
		super(problem?.detail || `The server answered ${status}`);
		this.status = status;
		this.word = String(problem?.type).split(':').at(-1);
		this.faults = [...(problem?.faults ?? []), ...(problem?.holders ?? [])].filter((fault) => fault !== this.message);
		this.retryAfter = Number(retryAfter) || 0;
		this.wrong = problem?.wrong;
		this.allowed = problem?.allowed;
	}
}

export const asRefusal = (error) => (error instanceof Refusal ? error : new Refusal(0, { detail: String(error) }));

// Browsers resolve . and .. in a path: the query has such a name.
export const path = (...parts) => `/v1${joined(...parts)}`.replace(/\/(\.\.?)(?![^/?])(.*)/, (_, name, rest) => `/-${rest}${rest.includes('?') ? '&' : '?'}name=${name}`);
// Of the app whose page is shown, or of the node.
export const appPath = (...parts) => path(...(shown.app ? ['apps', shown.app] : []), ...parts);

const SESSION = path('session');

// A good answer, its body still to be read, or a Refusal is thrown. Once the session has ended, a request waits for the next
// log-in.
export async function reach(method, path, { body, headers, signal } = {}, again = true) {
	if (server.ended && path !== SESSION) await nextLogin(signal);
	const own = { ...headers };
	if (body !== undefined) own['Content-Type'] = 'application/json';
	if (method !== 'GET' && server.session) own['X-CSRF-Token'] = server.session.csrf_token;
	let answer;
	try {
		answer = await fetch(path, { method, headers: own, body: body && JSON.stringify(body), signal, cache: 'no-store' });
	} catch (error) {
		if (error.name === 'AbortError') throw error;
		lost();
		throw new Refusal(0, { detail: 'The server does not answer', type: 'gone' });
	}
	if (server.gone) found();
	if (answer.ok) return answer;
	const refusal = new Refusal(answer.status, await answer.json().catch(() => null), answer.headers.get('Retry-After'));
	if (path === SESSION || !again) throw refusal;
	// At csrf another tab has logged in: its session is this page's now.
	if (answer.status === 401) await nextLogin(signal);
	else if (refusal.word === 'csrf') await resume();
	else throw refusal;
	return reach(method, path, { body, headers, signal }, answer.status === 401);
}

export async function ask(method, path, options) {
	const answer = await reach(method, path, options);
	const text = await answer.text();
	server.asOf = answer.headers.get('Date') ?? server.asOf;
	if (method !== 'GET' && path !== SESSION) change({ epoch: server.epoch + 1 });
	return { value: text ? JSON.parse(text) : null, headers: answer.headers };
}

const valueOf = async (...request) => (await ask(...request)).value;
export const get = (path, options) => valueOf('GET', path, options);
export const post = (path, body) => valueOf('POST', path, { body });
export const patch = (path, body, headers) => valueOf('PATCH', path, { body, headers });
export const remove = (path) => valueOf('DELETE', path);

// A request whose answer comes line by line, each of them JSON.
export async function stream(method, path, body, line) {
	const answer = await reach(method, path, { body });
	let held = '';
	const take = (one) => one.trim() && line(JSON.parse(one));
	for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
		const lines = (held + part).split('\n');
		held = lines.pop();
		lines.forEach(take);
	}
	take(held);
}

let waiting = [];

function nextLogin(signal) {
	change({ ended: true });
	return new Promise((resolve, reject) => {
		waiting.push(resolve);
		signal?.addEventListener('abort', () => reject(signal.reason));
	});
}

function loggedIn(session) {
	if (sessionStorage.token !== String(session.token)) {
		sessionStorage.clear();
		sessionStorage.token = session.token;
		// The page shows what another token may see.
		if (server.session) return location.reload();
	}
	change({ session, skew: Date.parse(session.server_time) - Date.now() || 0, epoch: server.epoch + Number(server.ended), ended: false });
	for (const go of waiting.splice(0)) go();
}

export const resume = () => get(SESSION).then(loggedIn, (refusal) => {
	if (refusal.status !== 401) throw refusal;
});

export const login = (credentials) => post(SESSION, credentials).then(loggedIn);

export const logout = () => remove(SESSION).then(() => {
	sessionStorage.clear();
	change({ session: null });
});

export const hasScope = (scope) => !scope || Boolean(server.session?.scopes.includes(scope));

export async function describe() {
	change({ schemas: (await get(path('openapi.json'))).components.schemas });
}

export const settingsSchema = () => server.schemas.Settings.properties;

let timer;

function lost(wait = 1) {
	clearTimeout(timer);
	timer = setTimeout(attempt, wait * 1000);
	change({ gone: { wait, until: Date.now() + wait * 1000 } });
}

// Whether the server answers at all.
export async function attempt() {
	const { wait = 0.5 } = server.gone ?? {};
	const answer = await fetch('/up', { cache: 'no-store', signal: AbortSignal.timeout(5000) }).catch(() => null);
	if (!answer || answer.status >= 500) lost(Math.min(wait * 2, 30));
	else if (server.gone) found();
}

function found() {
	clearTimeout(timer);
	change({ gone: null, epoch: server.epoch + 1 });
}
