// Owns the live list of an app: one stream, what of it is on the page, and what one does with an entry.
// Must never empty the list because the stream was cut, nor keep more than SHOWN rows and HELD held back.
import { appPath, asRefusal, attempt, reach, server, useServer } from './api.js';
import { go, here, setQuery, shown, useEvent } from './address.js';
import { Check, Filters, Refused } from './form.js';
import { Facts, Missing, caution, grown, useGot } from './list.js';
import { Copy, channelLink, clock, count, html, lamp, lines, number, size, socketLink, text, useEffect, useRef, useState, useTick, userLink, visible, words } from './shown.js';
import { save } from './usage.js';

const SHOWN = 2000;
const HELD = 1000;

const DRAWN = 300;

const BOXES = {
	connected: ['connected', 'signed_in'],
	closed: ['closed'],
	subscribed: ['subscribed', 'unsubscribed', 'occupied', 'vacated'],
	members: ['member_added', 'member_removed'],
	events: ['event', 'redis_event'],
	'client events': ['client_event'],
	refused: ['refused', 'authorization'],
	webhooks: ['webhook_delivered', 'webhook_failed'],
	changes: ['app_changed'],
};

const OFF = ['members', 'changes'];

const LAMPS = { refused: 'bad', webhook_failed: 'bad', closed: 'off', unsubscribed: 'off', vacated: 'off', member_removed: 'off' };

function useTap(filter, paused) {
	const kept = useRef({ rows: [], held: [], counts: {}, leftOut: 0, state: 'opening …' });
	const [turn, setTurn] = useState(0);
	const tap = kept.current;
	tap.paused = paused;
	// The list is drawn five times a second, however much comes.
	useTick(0.2);
	useEffect(() => {
		if (filter.kinds === 'none') return void (tap.state = 'nothing is ticked');
		const url = appPath('live', filter);
		let source;
		let timer;
		const put = (entry) => {
			if (!tap.paused) tap.rows = [entry, ...tap.rows].slice(0, SHOWN);
			else if (tap.held.length < HELD) tap.held.unshift(entry);
			else tap.leftOut += 1;
		};
		const mark = (said) => put({ id: Math.random(), at: new Date().toISOString(), mark: said });
		const add = (kinds) => Object.entries(kinds).forEach(([kind, n]) => (tap.counts[kind] = (tap.counts[kind] ?? 0) + n));
		const on = (name, take) => source.addEventListener(name, ({ data }) => take(JSON.parse(data)));
		const open = () => {
			source = new EventSource(url);
			source.onopen = () => {
				if (tap.state === CUT) mark('The stream was cut here; what the server still had follows above.');
				Object.assign(tap, { state: null, refusal: null, since: tap.since ?? new Date().toISOString() });
			};
			on('message', (entry) => {
				add({ [entry.kind]: 1 });
				put(entry);
			});
			on('left_out', ({ count: n, kinds = {}, sample }) => {
				tap.leftOut += n;
				add(kinds);
				mark(n == null ? 'Entries may be missing here' : `${count(n, 'entry', 'entries')} left out here${sample ? ', what is shown is a sample' : ''}`);
			});
			on('missing', ({ nodes, redis }) => Object.assign(tap, { missing: nodes, alone: redis === false }));
			source.onerror = () => {
				tap.state = CUT;
				if (!server.gone) attempt();
				if (source.readyState === EventSource.CLOSED) why();
			};
		};
		// The browser does not say why it was refused; a request of our own is told.
		const stop = new AbortController();
		const why = async () => {
			const asking = new AbortController();
			try {
				await reach('GET', url, { signal: AbortSignal.any([stop.signal, asking.signal]) });
				timer = setTimeout(open, 1000);
			} catch (error) {
				tap.refusal = asRefusal(error);
				tap.state = 'not listening';
			}
			asking.abort();
		};
		open();
		return () => {
			source.close();
			stop.abort();
			clearTimeout(timer);
		};
	}, [JSON.stringify(filter), turn]);
	// A stream that was cut opens by itself, one that was refused when the server is back.
	const { epoch } = useServer();
	useEffect(() => tap.refusal && setTurn(turn + 1), [epoch]);
	const resume = () => Object.assign(tap, { rows: [...tap.held, ...tap.rows].slice(0, SHOWN), held: [] });
	const clear = () => Object.assign(tap, { rows: [], held: [], leftOut: 0, counts: {} });
	return { ...tap, resume, clear, again: () => setTurn(turn + 1) };
}

const CUT = 'cut, opening again …';

export function Live({ query }) {
	const [paused, setPaused] = useState(false);
	const names = Object.keys(BOXES);
	const given = query.get('kinds')?.split(',');
	const on = (box) => (given ? given.includes(BOXES[box][0]) : !OFF.includes(box));
	const kindsOf = (boxes) => boxes.flatMap((box) => BOXES[box]).join(',') || 'none';
	const filter = { kinds: kindsOf(names.filter(on)), ...Object.fromEntries(['channel', 'event', 'socket', 'user'].map((name) => [name, query.get(name)])) };
	const tap = useTap(filter, paused);
	const wanted = (query.get('text') ?? '').toLowerCase();
	const rows = wanted ? tap.rows.filter((entry) => JSON.stringify(entry).toLowerCase().includes(wanted)) : tap.rows;
	const flip = () => {
		if (paused) tap.resume();
		setPaused(!paused);
	};
	useEvent('pause', flip);
	// Who scrolls down reads: the list stays still under the eyes.
	useEvent('scroll', () => scrollY > 200 && setPaused(true));
	const tick = (box) => setQuery({ kinds: kindsOf(names.filter((other) => on(other) !== (other === box))) });
	const sum = (box) => BOXES[box].reduce((n, kind) => n + (tap.counts[kind] ?? 0), 0);
	const file = () => save(`live-${shown.app}.jsonl`, 'application/jsonl', rows.filter(({ mark }) => !mark).map((entry) => JSON.stringify(entry)).join('\n'));
	return html`<h1>Live</h1>
		<fieldset><legend>Show</legend>${names.map((box) => html`<${Check} on=${on(box)} flip=${() => tick(box)}>${box} <small>${sum(box) > 0 && number(sum(box))}</small><//>`)}</fieldset>
		<${Filters} query=${query} fields=${[['channel', 'Channel', 'private-orders.*'], ['event', 'Event'], ['socket', 'Socket'], ['user', 'User'], ['text', 'Text on this page']]} />
		<div class="row sticky"><button onClick=${flip}>${paused ? `Resume, ${number(tap.held.length)} held back` : 'Pause'}</button>
			<button onClick=${tap.clear}>Clear</button> <button disabled=${!rows.length} onClick=${file}>Export</button>
			<span>${tap.state ? lamp(tap.refusal ? 'bad' : 'warn', tap.state) : lamp('good', html`listening since ${clock(tap.since)} UTC`)} · ${count(tap.rows.filter(({ mark }) => !mark).length, 'entry', 'entries')} · ${number(tap.leftOut)} left out</span></div>
		<${Announced} n=${tap.rows.length + tap.held.length} />
		${tap.alone ? caution('Redis is away: until it is back, the list is of this node alone.') : html`<${Missing} of=${tap} />`}
		<${Refused} refusal=${tap.refusal} what="the stream" again=${tap.again} />
		${rows.length ? html`<ol class=live aria-label="Entries, the newest first">${rows.slice(0, DRAWN).map((entry) => html`<${Entry} key=${entry.id} entry=${entry} open=${query.get('entry') === String(entry.id)} />`)}</ol>` : html`<${Nothing} since=${tap.since} filtered=${wanted} />`}
		${rows.length > DRAWN && html`<p class=quiet>The newest ${number(DRAWN)} of ${number(rows.length)}; the text finds the others, Export writes all.</p>`}`;
}

function Announced({ n }) {
	const [said, setSaid] = useState({ n });
	const latest = useRef();
	latest.current = n;
	useEffect(() => {
		const timer = setInterval(() => setSaid((was) => ({ n: latest.current, more: latest.current - was.n })), 5000);
		return () => clearInterval(timer);
	}, []);
	return html`<p class=unseen aria-live=polite>${said.more > 0 && count(said.more, 'new entry', 'new entries')}</p>`;
}

function Nothing({ since, filtered }) {
	const stats = useGot(appPath('stats'), { every: 5 }).value;
	const first = useRef();
	first.current ??= stats;
	const events = grown(stats, first.current, 'events');
	return html`<div class="state empty"><p>${filtered ? 'Nothing on this page has this text.' : 'Nothing yet.'}</p>
		<p>${since && html`Listening since ${clock(since)} UTC to what is ticked above.`} ${stats && `${count(stats.connections, 'connection')}${events === null ? '' : `, ${count(events, 'event')} since this page was opened`}.`}</p>
		<p class=row><a class=button href=${here('send')}>Send a test event</a> <a class=button href=${here('doctor')}>Doctor</a></p></div>`;
}

function Entry({ entry, open }) {
	const { kind, at, node, channel, event, socket, user, receivers, bytes, code, why, mark } = entry;
	if (mark) return html`<li class=quiet>${clock(at, true)} ${mark}</li>`;
	return html`<li data-row tabindex="-1">
		<div class=line><button class=plain aria-expanded=${String(open)} aria-label=${open ? 'Close the entry' : 'Open the entry'} onClick=${() => setQuery({ entry: open ? '' : entry.id })}>${open ? '▾' : '▸'}</button>
			<small>${clock(at, true)} ${visible(node)}</small>
			<span>${lamp(receivers === 0 ? 'warn' : (LAMPS[kind] ?? 'good'), words(kind))}</span>
			<span>${channel != null && channelLink(channel)} ${event != null && html`<b>${text(event, 120)}</b>`} ${socket && !event && html`socket ${socketLink(socket)}`} ${user != null && html`user ${userLink(user)}`} ${code != null && html`<b>${code}</b>`} ${why && text(words(why), 160)}</span>
			<small>${receivers != null && count(receivers, 'receiver')} ${receivers === 0 && html`<a href=${here('traces')}>why?</a>`} ${bytes != null && size(bytes)}</small></div>
		${open && html`<${Opened} entry=${entry} />`}
	</li>`;
}

function Opened({ entry }) {
	const { kind, channel, event, data: value } = entry;
	const data = value == null || typeof value === 'string' ? value : JSON.stringify(value);
	const page = { refused: 'refusals', webhook_failed: 'webhooks', webhook_delivered: 'webhooks', app_changed: 'settings' }[kind];
	const lacks = data == null ? 'not here' : channel?.startsWith('private-encrypted-') ? 'encrypted' : entry.whole === false && 'shortened';
	const again = () => {
		sessionStorage.data = data;
		go(here('send', { channel, event }));
	};
	const body = JSON.stringify({ name: event, channels: [channel], data }).replaceAll("'", "'\\''");
	const curl = `curl -X POST -H "Authorization: Bearer $TOKEN" ${location.origin}${appPath('events')} -d '${body}'`;
	return html`<div class=opened>
		${data != null && html`<pre tabindex="0" aria-label=Data>${lines(data, 4096)}${entry.whole === false && ' …'}</pre>`}
		<${Facts} of=${entry} facts=${Object.keys(entry).filter((name) => !['id', 'data'].includes(name))} />
		<p class=row><${Copy} text=${JSON.stringify(entry)} label="Copy JSON" />
			${event && html`<${Copy} off=${lacks} text=${curl} label="Copy as curl" /> <button disabled=${lacks} onClick=${again}>Send again</button> <small>${lacks && `its data is ${lacks}`}</small>`}
			${page && html`<a class=button href=${here(page)}>${page}</a>`}</p>
	</div>`;
}
