// Owns sending an event, where it went, and the search for an event of others.
// Must never keep what was sent anywhere but in this tab.
import { appPath, post, settingsSchema } from './api.js';
import { here, setQuery, shown } from './address.js';
import { Check, Field, Line, Submit, Tabs, flipped, submitted, useAction, useGiven } from './form.js';
import { Listed, useGot } from './list.js';
import { channelLink, clock, count, html, lamp, number, size, text, useState, visible } from './shown.js';

const REMEMBERED = 20;

const INFO = ['subscription_count', 'user_count'];

function sentBefore() {
	return JSON.parse(sessionStorage.getItem(`sent ${shown.app}`) ?? '[]');
}

function remember(event) {
	const contents = (of) => JSON.stringify({ ...of, at: 0 });
	const list = [event, ...sentBefore().filter((other) => contents(other) !== contents(event))].slice(0, REMEMBERED);
	try {
		sessionStorage.setItem(`sent ${shown.app}`, JSON.stringify(list));
	} catch {
		// The tab has no room: what is sent is not remembered.
	}
	return list;
}

const SendTabs = ({ on }) => html`<${Tabs} label=Events of=${{ send: 'Send', traces: 'Find an event' }} on=${on} href=${here} />`;

export function Send({ query }) {
	const text = (name) => query.get(name) ?? '';
	const { given, set, put, of } = useGiven(() => ({ channels: query.getAll('channel'), event: text('event'), data: query.get('data') ?? sessionStorage.data ?? '', socket: text('socket'), info: [], typed: '' }));
	// Put there by Send again.
	delete sessionStorage.data;
	const [sent, setSent] = useState(sentBefore);
	const [trace, setTrace] = useState(null);
	const settings = useGot(appPath()).value?.settings;
	const { event, data, socket, info, typed } = given;
	const channels = [...new Set([...given.channels, typed.trim()].filter(Boolean))];
	const missing = [!channels.length && 'a channel', !event && 'the name of an event'].filter(Boolean).join(' and ');
	const fill = (values) => {
		set({ ...given, ...values, typed: '' });
		setTrace(null);
	};
	const sending = useAction(async () => {
		fill({ channels });
		setTrace(await post(appPath('events'), { name: event, channels, data, socket_id: socket.trim() || undefined, info: info.join() || undefined }));
		setSent(remember({ at: new Date().toISOString(), channels, event, data, socket, info }));
	});
	const submit = submitted(() => missing || sending.run());
	return html`<h1>Send an event</h1>
		<${SendTabs} on=send />
		<div class=split>
			<form onSubmit=${submit} onKeyDown=${(pressed) => pressed.key === 'Enter' && (pressed.ctrlKey || pressed.metaKey) && submit(pressed)} class=panel>
				<${Channels} channels=${given.channels} typed=${typed} type=${put('typed')} put=${put('channels')} add=${() => fill({ channels })} />
				<div class=columns>
					<${Line} label=Event note="As clients bind it: OrderShipped, or App\\Events\\OrderShipped of Laravel." ...${of('event')} />
					<${Line} label="Exclude socket" note="The connection that does not get it; empty: none." ...${of('socket')} placeholder="18054.106" />
				</div>
				<${Data} data=${data} most=${settings?.limits?.event_bytes ?? settingsSchema().limits.properties.event_bytes.default} put=${put('data')} />
				<fieldset><legend>Info</legend>${INFO.map((name) => html`<${Check} on=${info.includes(name)} flip=${() => put('info')(flipped(info, name))}>${name}<//>`)}</fieldset>
				<${Submit} of=${sending} needs=publish does=Send off=${missing}><small>${missing ? `Still needs ${missing}` : 'Ctrl-Enter'}</small><//>
				<div role=status>${trace && html`<${Trace} trace=${trace} instead=${(from, name) => fill({ channels: channels.map((other) => (other === from ? name : other)) })} />`}</div>
			</form>
			<${Sent} sent=${sent} fill=${fill} />
		</div>`;
}

function Channels({ channels, typed, type, put, add }) {
	const found = useGot(appPath('channels', { prefix: typed, limit: 100 })).value?.channels ?? [];
	const keys = (pressed) => pressed.key === 'Enter' && !pressed.ctrlKey && typed.trim() && (pressed.preventDefault(), add());
	return html`<${Field} label=Channels note="Enter adds a further one." wide>${(field) => html`
		${channels.length > 0 && html`<ul class=chips aria-label="Channels of this event">${channels.map((name) => html`<li key=${name}>${text(name)}
			<button type=button class=plain aria-label=${`Remove ${visible(name)}`} onClick=${() => put(channels.filter((other) => other !== name))}>×</button></li>`)}</ul>`}
		<span class="row nowrap"><input ...${field} value=${typed} list=channels placeholder=${channels.length ? '' : 'private-orders.7'} onInput=${(event) => type(event.target.value)} onKeyDown=${keys} />
			<button type=button aria-label="Add the channel" disabled=${!typed.trim()} onClick=${add}>+</button></span>
		<datalist id=channels>${found.map(({ name }) => html`<option value=${name} />`)}</datalist>`}<//>`;
}

function kindOf(data) {
	if (data.trim() === '') return 'empty; clients get an empty text';
	try {
		JSON.parse(data);
		return 'valid JSON';
	} catch {
		return 'no JSON; clients get it as a text';
	}
}

function Data({ data, most, put }) {
	const bytes = new TextEncoder().encode(data).length;
	const faults = bytes > most ? [`${number(bytes - most)} bytes too many: the app's setting limits.event_bytes is ${number(most)}`] : [];
	return html`<${Field} label=Data note=${`${number(bytes)} ${most ? `of ${number(most)} ` : ''}bytes · ${kindOf(data)}`} faults=${faults} wide>
		${(field) => html`<textarea ...${field} placeholder=${'{"id": 7}'} value=${data} onInput=${(event) => put(event.target.value)}></textarea>`}<//>`;
}

const Sent = ({ sent, fill }) => html`<section class=panel><h2>Last sent</h2>
	${!sent.length && html`<p class=quiet>Nothing yet. This tab lists what you send until it is closed.</p>`}
	<ul class=rows>${sent.map((event) => html`<li><small>${clock(event.at)}</small><span>${text(event.event, 60)} → ${event.channels.map((name) => html`${text(name, 60)} `)}</span>
		<button type=button class=small onClick=${() => fill(event)} aria-label=${`Again: ${visible(event.event)}`}>Again</button></li>`)}</ul>
</section>`;

function Went({ channel: { channel, subscribers, nodes, took, excluded, slow, hint }, instead }) {
	const parts = Object.entries(nodes ?? {}).map(([node, n]) => `${visible(node)} ${number(n)}`);
	const words = [
		`${count(subscribers, 'subscriber')}${parts.length > 1 ? ` (${parts.join(', ')})` : ''}`,
		`${number(took)} took it`,
		excluded && `${number(excluded)} excluded`,
		slow && `${number(slow)} read too slowly, and get it late`,
	].filter(Boolean).join(', ');
	const is = took > 0 ? (hint || slow ? 'warn' : 'good') : 'bad';
	return html`<li>${lamp(is, took > 0 ? 'sent to' : 'nobody got it on')} ${channelLink(channel)}: ${words}
		${hint && html`<br /><span class=hint>${text(hint.text[0].toUpperCase() + hint.text.slice(1))}. ${instead && hint.channel && hint.channel !== channel
			&& html`<button type=button class=small onClick=${() => instead(channel, hint.channel)}>Send to ${visible(hint.channel)} instead</button>`}</span>`}</li>`;
}

const Trace = ({ trace: { event_id: id, at, bytes, channels, refused, info, channels_left_out: out }, instead, listed }) => html`<div class=trace>
	${refused
		? html`<p>${lamp('bad', refused.status ? `refused, ${refused.status}:` : 'refused:')} ${text(refused.text)}</p>`
		: html`<ul class=bare>${channels.map((channel) => html`<${Went} ...${{ channel, instead }} />`)}</ul>`}
	${info && html`<p>Info: <code>${text(JSON.stringify(info))}</code></p>`}
	${out > 0 && html`<p class=quiet>and ${count(out, 'further channel')}, not kept</p>`}
	<p class=quiet>${id && html`<a href=${here('traces', { event_id: id })}>${id}</a> · `}${!listed && html`${clock(at, true)} UTC · `}${size(bytes)}</p>
</div>`;

export function Traces({ query }) {
	const wanted = query.get('event_id') ?? '';
	const [typed, setTyped] = useState(wanted);
	const empty = ({ trace }) => (!trace
		? ['This app keeps no traces.', html`Switch on <a href=${here('settings', { tab: 'features' })}>its setting trace</a>; then the last 200 publishes are listed here, without their data.`]
		: wanted
			? [`No event ${visible(wanted)} is kept.`, 'Each node keeps the last 200 publishes that it accepted.']
			: ['Nothing was published since this app keeps traces.', html`<a href=${here('send')}>Send a test event</a>.`]);
	return html`<h1>Find an event</h1>
		<${SendTabs} on=traces />
		<form class=filters onSubmit=${submitted(() => setQuery({ event_id: typed.trim() }))}>
			<${Line} label="Event id" wide note="The header Fanfare-Event-Id of the answer to a publish" value=${typed} placeholder="01KBSX3E6YV2D0B8K9W4R1T7QZ" put=${setTyped} />
			<p class=row><button>Find</button>${wanted && html`<a class=button href=${here('traces')} onClick=${() => setTyped('')}>All</a>`}</p>
		</form>
		<${Listed} route=${['traces']} query=${{ event_id: wanted, limit: 50 }} id=${(row) => `${row.event_id} ${row.node} ${row.at} ${row.event}`} caption="The last publishes, the newest first" what="the last events" empty=${empty}
			columns=${[['Time', ({ at }) => clock(at, true), 'fit'], 'event', 'by:fit', ['Where it went', (row) => html`<${Trace} trace=${row} listed />`, 'block']]} />`;
}
