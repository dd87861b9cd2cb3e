// Owns the webhooks of an app: how each works, what was delivered last, adding, changing and testing one.
// Must never change another webhook of the list than the one that was edited.
import { appPath, get, patch, post, settingsSchema } from './api.js';
import { here } from './address.js';
import { Act, Check, Dialog, Do, Field, Line, Refused, Submit, Sure, flipped, linesOf, submitted, useAction, useGiven } from './form.js';
import { Fresh, Missing, States, Table, useGot, useStill } from './list.js';
import { Fixed } from './settings.js';
import { Copy, clock, count, html, lamp, lines, number, text, useState, visible } from './shown.js';

export function Webhooks() {
	const [editing, setEditing] = useState(null);
	const about = useGot(appPath());
	const works = useGot(appPath('webhooks', 'deliveries'), { every: 5 });
	const list = about.value?.settings.webhooks ?? [];
	const fixed = about.value?.source !== 'database';
	const done = (value) => {
		setEditing(null);
		about.put(value);
	};
	return html`<div class=head><h1>Webhooks</h1><${Act} needs=write class=main off=${fixed} onClick=${() => setEditing({})}>Add a webhook<//></div>
		${about.value && html`<${Fixed} app=${about.value} />`}<${Missing} of=${works.value} />
		<${Refused} refusal=${about.value && works.refusal} what="the deliveries" again=${works.again} />
		<${States} of=${about} what="the webhooks" isEmpty=${() => !list.length}
			empty=${['This app has no webhook.', 'A webhook tells your back end what happens: who came, who left, what clients sent.']}>
			${() => list.map((hook, n) => html`<${Hook} key=${hook.url} ...${{ hook, fixed, done }} place=${String(n + 1)} edit=${() => setEditing(hook)}
				state=${works.value?.webhooks.find(({ url }) => url === hook.url)} />`)}
		<//>
		${editing && html`<${Edit} done=${done} hook=${editing} onClose=${() => setEditing(null)} />`}`;
}

function working({ enabled = true }, state) {
	if (!enabled) return lamp('off', 'disabled');
	if (!state) return '';
	const { works, since, waiting } = state;
	const words = works == null ? 'nothing sent yet' : html`${works ? 'works' : 'fails'} since ${clock(since)}`;
	return html`${lamp({ true: 'good', false: 'bad' }[works] ?? 'off', words)}${waiting > 0 && `, ${count(waiting, 'event waits', 'events wait')}`}`;
}

function Hook({ hook, place, fixed, state, edit, done }) {
	const [result, setResult] = useState(null);
	const { url, events, batch, channel_prefixes: prefixes, enabled = true } = hook;
	const test = async () => {
		setResult(null);
		setResult(await post(appPath('webhooks', place, 'test'), {}));
	};
	const alter = (how) => () => change(url, how).then(done);
	return html`<section class=panel aria-label=${`Webhook ${visible(url)}`}>
		<div class=head><h2 class=url>${text(url)}</h2><span>${working(hook, state)}</span></div>
		<p class=quiet>${events.join(', ')} · ${batch ? 'several events in one request' : 'one event a request'} ${prefixes?.length > 0 && `· only channels that begin with ${prefixes.map(visible).join(' or ')}`}</p>
		<div class=row><${Do} needs=publish act=${test}>Test<//>
			<${Act} needs=write off=${fixed} onClick=${edit}>Edit<//>
			<${Do} needs=write off=${fixed} act=${alter((was) => ({ ...was, enabled: !enabled }))}>${enabled ? 'Disable' : 'Enable'}<//>
			<${Sure} label=Remove title="Remove this webhook?" needs=write class=danger off=${fixed} act=${alter(() => null)}>
				<p class=url>${text(url)}</p><p>Events that wait for it are dropped.</p><//></div>
		<div role=status>${result && html`<${Result} ...${result} />`}</div>
		${state && html`<${Deliveries} url=${url} attempts=${state.deliveries} />`}
	</section>`;
}

const Result = ({ status, ms, error, request: { key, signature, body } }) => html`<div class=result>
	<p>${error ? html`${lamp('bad', `failed after ${number(ms)} ms:`)} ${text(error.text)}` : lamp('good', `answered ${status} in ${number(ms)} ms`)}</p>
	${error?.advice && html`<p>${visible(error.advice)}</p>`}
	<details><summary>What was sent, to check the signature against</summary>
		<pre tabindex="0" aria-label="The request of the test">${lines(`X-Pusher-Key: ${key}\nX-Pusher-Signature: ${signature}\n\n${body}`)}</pre>
		<p><${Copy} text=${body} /></p></details>
</div>`;

const answered = ({ status, error }) => (error ? html`${lamp('bad')} ${text(error.text)}` : lamp('good', status));

// A row is a request: its last attempt, with the earlier ones.
function Deliveries({ url, attempts }) {
	const rows = [...Map.groupBy(attempts, ({ request, id }) => request ?? id)].map(([of, [last, ...earlier]]) => ({ ...last, of, earlier }));
	// The server forgets old ones: whatever is not there any more was delivered all the same.
	const list = useStill(url, { next: true }, rows, 'of');
	const went = (row) => html`${answered(row)}${row.earlier[0] && html`<details><summary>${count(row.earlier.length, 'earlier attempt')}</summary>${row.earlier.map((one) => html`<div>${clock(one.at, true)} attempt ${one.attempt}: ${answered(one)}</div>`)}</details>`}`;
	if (!rows.length) return html`<p class=quiet>Nothing was delivered since the server started. <a href=${here('send')}>Send an event</a>, or test it.</p>`;
	// A request that is still retried goes its own way.
	const repeat = ({ id, kept, again, status }) => kept && !again && html`<${Sure} label=Again does="Send it again" title="Send the same request again?" needs=operate class=small listed act=${() => post(appPath('webhooks', 'deliveries', id, 'again'), {})}>
		<p>${status ? `The receiver has answered ${status}` : 'No answer came'}: it may have taken the events all the same, and then gets them twice.</p><//>`;
	return html`<details class=deliveries><summary>Last ${count(rows.length, 'delivery', 'deliveries')}</summary>
		<${Fresh} of=${list} />
		<${Table} caption=${`The last deliveries to ${visible(url)}, the newest first`} rows=${list.rows} id=of columns=${[
			['Time, UTC', ({ at }) => clock(at, true), 'fit'],
			['Answer', went],
			['Took', ({ ms }) => `${number(ms)} ms`, 'number'],
			['Events', ({ count: n, events }) => text(`${n > 1 ? `${n}: ` : ''}${events.join(', ')}`)],
			['Try', ({ test, attempt, again: retried }) => (test ? 'a test' : `attempt ${attempt}${retried ? ', is tried again' : ''}`), 'number'],
			'node:fit',
			rows.some(({ answer }) => answer != null) && 'answer:block:What it said',
			['Again', repeat, 'fit'],
		]} needs=${{ Again: 'operate' }} /></details>`;
}

// Changes one webhook of the list that the server has now: `how` makes of what it is, or undefined, what it is to be, or null.
// Gives the app.
async function change(url, how) {
	const now = (await get(appPath())).settings.webhooks ?? [];
	const known = now.some((hook) => hook.url === url);
	const next = known ? now.map((hook) => (hook.url === url ? how(hook) : hook)) : [...now, how()];
	return patch(appPath(), { settings: { webhooks: next.filter(Boolean) } });
}

function Edit({ hook, onClose, done }) {
	const { given, put, of } = useGiven({ events: ['channel_existence'], batch: false, durable: false, ...hook, channel_prefixes: (hook.channel_prefixes ?? []).join('\n') });
	const saving = useAction(async () => {
		done(await change(hook.url, (was) => ({ ...was, ...given, channel_prefixes: linesOf(given.channel_prefixes) })));
	});
	const { properties: fields } = settingsSchema().webhooks.items;
	return html`<${Dialog} title=${hook.url ? 'Edit the webhook' : 'Add a webhook'} onClose=${onClose}>${(cancel) => html`
		<form onSubmit=${submitted(saving.run)}>
			<${Line} label=URL note=${fields.url.description} wide type=url required ...${of('url')} placeholder="https://example.com/webhooks" />
			<fieldset><legend>Tell it when</legend>
				${Object.entries(fields.events.items['x-meanings']).map(([name, says]) => html`<div><${Check} on=${given.events.includes(name)} flip=${() => put('events')(flipped(given.events, name))}>${says} <code class=quiet>${name}</code><//></div>`)}</fieldset>
			${['batch', 'durable'].map((name) => html`<p><${Check} on=${given[name]} flip=${() => put(name)(!given[name])}>${fields[name].description} <code class=quiet>${name}</code><//></p>`)}
			<${Field} label="Only channels that begin with" note="One a line; empty: all channels">
				${(field) => html`<textarea ...${field} class=few value=${given.channel_prefixes} onInput=${(event) => put('channel_prefixes')(event.target.value)}></textarea>`}<//>
			<${Submit} of=${saving} does=Save off=${!given.events.length}>${cancel}<//>
		</form>`}<//>`;
}
