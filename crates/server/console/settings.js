// Owns the settings of an app: a form made from the schema of the OpenAPI document, and what ends an app.
// Must never send a field that was not changed, nor overwrite what others changed without asking.
import { appPath, ask, get, hasScope, patch, server, settingsSchema } from './api.js';
import { DeleteApp } from './apps.js';
import { Act, Dialog, Do, Field, Refused, Sure, Tabs, chosen, linesOf, submitted, useAction } from './form.js';
import { Keys } from './keys.js';
import { States, useGot } from './list.js';
import { count, html, lamp, number, useEffect, useRef, useState, visible } from './shown.js';

const TABS = { general: 'General', limits: 'Limits', features: 'Features', authorization: 'Authorization', redis: 'Redis', keys: 'Keys' };

const typeOf = (field) => [field.type].flat()[0];

function allFields() {
	const fields = [{ name: 'name', field: server.schemas.Name, tab: 'general' }];
	for (const [name, field] of Object.entries(settingsSchema())) {
		const tab = field['x-group'] ?? 'general';
		if (field.properties) for (const [part, within] of Object.entries(field.properties)) fields.push({ name: `${name}.${part}`, field: within, tab });
		else fields.push({ name, field, tab });
	}
	return fields;
}

const ownOf = (app, name) => (name === 'name' ? app.name : name.split('.').reduce((value, part) => value?.[part], app.settings)) ?? null;

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

const asText = (value) => (value == null ? '' : Array.isArray(value) ? value.join('\n') : String(value));

function asValue(name, field, typed) {
	if (typeof typed !== 'string' || name === 'name') return typed;
	if (typeOf(field) === 'array') {
		const entries = linesOf(typed);
		return entries.length ? entries : null;
	}
	// One text may be empty.
	if (typed.trim() === '') return name === 'redis_feed.prefix' ? '' : null;
	return typeOf(field) === 'integer' && /^\s*\d+\s*$/.test(typed) ? Number(typed) : typed.trim();
}

function said(value, field) {
	if (typeof value === 'boolean') return value ? 'on' : 'off';
	if (value == null || value.length === 0) return field.items ? 'all' : 'none';
	return typeof value === 'number' ? number(value) : visible(asText(value).replaceAll('\n', ', '));
}

function bodyOf(changes) {
	const body = {};
	for (const { name, value } of changes) {
		const parts = name === 'name' ? [name] : ['settings', ...name.split('.')];
		const last = parts.pop();
		parts.reduce((into, part) => (into[part] ??= {}), body)[last] = value;
	}
	return body;
}

function isOf(fault, name) {
	const words = fault.match(/[\w.]+/g) ?? [];
	return words.includes(name) || words[0] === name.split('.').at(-1);
}

// Why an app of the configuration cannot be changed on the page.
export const Fixed = ({ app: { source, from } }) => source === 'configuration' && html`<p class="caution narrow">This app stands in the configuration${from && ` (${visible(from)})`}, and is changed there.</p>`;

export function Settings({ query }) {
	const tab = chosen(TABS, query.get('tab'));
	const asked = useGot(appPath());
	return html`<h1>Settings</h1>
		<${Tabs} label=Settings of=${TABS} on=${tab} />
		<${States} of=${asked} what="the app">${(value) => html`
			<${Fixed} app=${value} />
			${tab === 'keys' ? html`<${Keys} app=${value} />` : html`<${Form} app=${value} tab=${tab} put=${asked.put} />`}`}
		<//>`;
}

function Form({ app, tab, put }) {
	const [typed, setTyped] = useState({});
	const [conflict, setConflict] = useState(null);
	const [saved, setSaved] = useState('');
	const form = useRef();
	const fields = allFields();
	const changes = fields
		.filter(({ name }) => name in typed)
		.map((one) => ({ ...one, value: asValue(one.name, one.field, typed[one.name]), old: ownOf(app, one.name) }))
		.filter(({ value, old }) => !same(value, old));
	const type = (name, value) => {
		setTyped((was) => ({ ...was, [name]: value }));
		setSaved('');
	};
	const saving = useAction(async (anyway) => {
		const { value: now, headers } = await ask('GET', appPath());
		const others = changes.map((one) => ({ ...one, now: ownOf(now, one.name) })).filter(({ old, now }) => !same(old, now));
		setConflict(others.length && !anyway ? others : null);
		if (others.length && !anyway) return;
		const etag = headers.get('ETag');
		put(await patch(appPath(), bodyOf(changes), etag && { 'If-Match': etag }));
		setSaved(`Saved: ${changes.map(({ name }) => name).join(', ')}.`);
		setTyped({});
	});
	useEffect(() => {
		if (saving.refusal) form.current.querySelector('[aria-invalid], .refused')?.scrollIntoView({ block: 'center' });
	}, [saving.refusal]);
	const faults = saving.refusal?.faults ?? [];
	const unplaced = faults.filter((fault) => !fields.some(({ name }) => isOf(fault, name)));
	const fixed = app.source === 'configuration';
	const elsewhere = Object.keys(TABS).filter((at) => at !== tab && changes.some((one) => one.tab === at)).map((at) => TABS[at]);
	return html`<div><form ref=${form} class="settings narrow" onSubmit=${submitted(() => changes.length && saving.run(false))}>
		<div class=panel>${fields.filter((one) => one.tab === tab).map((one) => html`<${Setting} key=${one.name} ...${one} own=${ownOf(app, one.name)} typed=${typed[one.name]}
			changed=${changes.some(({ name }) => name === one.name)} readOnly=${fixed || !hasScope('write')} faults=${faults.filter((fault) => isOf(fault, one.name))} type=${(value) => type(one.name, value)} />`)}</div>
		${saving.refusal && html`<${Refused} refusal=${{ word: saving.refusal.word, message: saving.refusal.message, faults: unplaced }} />`}
		<p class=${changes.length ? 'row save due' : 'row save'}><${Act} needs=write type=submit class=main off=${!changes.length || saving.busy || fixed}>${changes.length ? `Save ${count(changes.length, 'change')}` : 'Save'}<//>
			${changes.length > 0 && html`<button type=button onClick=${() => (setTyped({}), saving.clear())}>Discard</button>`}
			<span class=quiet role=status>${saved || (elsewhere.length ? `also on ${elsewhere.join(', ')}` : '')}</span></p>
		${conflict && html`<${Dialog} title="Somebody else has changed this meanwhile" onClose=${() => setConflict(null)}>${(cancel) => html`
			<ul>${conflict.map(({ name, old, now, value, field }) => html`<li><b>${name}</b>: was ${said(old, field)}, is now ${said(now, field)}, you want ${said(value, field)}</li>`)}</ul>
			<p class=row><button type=button class=main onClick=${() => saving.run(true)}>Save mine</button>
				<button type=button onClick=${async () => (setTyped({}), setConflict(null), put(await get(appPath())))}>Take theirs</button> ${cancel}</p>`}<//>`}
	</form>
	${tab === 'general' && html`<${Danger} ...${{ app, put, fixed }} />`}</div>`;
}

function Setting({ name, field, own, typed, changed, readOnly, faults, type }) {
	const kind = typeOf(field);
	const value = typed === undefined ? own : typed;
	const hasOwn = name !== 'name' && value != null;
	const facts = [
		name !== 'name' && `default: ${said(field.default, field)}`,
		kind === 'integer' && field.minimum != null && `${number(field.minimum)} to ${number(field.maximum)}`,
		changed ? 'not saved yet' : hasOwn && 'own value',
	];
	const note = html`${field.description && `${field.description}.`}<span class=facts>${facts.filter(Boolean).join(' · ')} ${
		hasOwn && !readOnly && html`<button type=button class=plain aria-label=${`${name}: back to the default`} onClick=${() => type(null)}>back to the default</button>`}</span>`;
	const input = { disabled: readOnly, value: asText(value), onInput: (event) => type(event.target.value) };
	return html`<${Field} label=${name} note=${note} faults=${faults} wide=${kind === 'string'}>${(attributes) => (kind === 'boolean'
		? html`<input ...${attributes} type=checkbox disabled=${readOnly} checked=${value ?? field.default} onChange=${(event) => type(event.target.checked)} />`
		: kind === 'array' ? html`<textarea ...${attributes} ...${input} class=few placeholder="one a line"></textarea>`
		: html`<input ...${attributes} ...${input} inputmode=${kind === 'integer' ? 'numeric' : undefined} placeholder=${asText(field.default ?? field.examples?.[0])} maxlength=${field.maxLength} />`)}<//>`;
}

function Danger({ app, put, fixed }) {
	const turn = async () => put(await patch(appPath(), { enabled: !app.enabled }));
	return html`<section class="panel narrow danger-zone" aria-label=Danger>
		<h2>Danger</h2>
		<p>This app is ${app.enabled ? lamp('good', 'enabled') : lamp('off', 'disabled: its connections are refused with 4003')}</p>
		<p class=row>${app.enabled
			? html`<${Sure} label=Disable title=${`Disable ${visible(app.name || app.id)}?`} needs=write off=${fixed} act=${turn}>
					<p>${server.schemas.Update.properties.enabled.description}.</p><//>`
			: html`<${Do} needs=write off=${fixed} act=${turn}>Enable<//>`}
			<${DeleteApp} app=${app} off=${fixed} /></p>
	</section>`;
}
