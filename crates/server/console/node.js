// Owns the pages of the node: this one and those of its cluster, the tokens, and the audit log.
// Must never keep a token that was made: it is shown once.
import { now, post, remove, server } from './api.js';
import { setQuery, to } from './address.js';
import { Check, Line, Once, Submit, Sure, flipped, submitted, useAction, useGiven } from './form.js';
import { Facts, Listed, States, Table, useGot } from './list.js';
import { age, counted, field, html, lamp, number, text, useState, visible } from './shown.js';
import { refusals } from './trouble.js';

export function Nodes() {
	const own = useGot('/v1/node', { every: 5 });
	const asked = useGot('/v1/nodes', { every: 5 });
	const link = ({ up, redis, round_trip_us: us }) => html`<div>${up ? lamp('good', 'up') : lamp('bad', 'down')} ${text(redis)} ${us != null && `${number(us / 1000)} ms`}</div>`;
	const columns = [['Node', (node) => text(node.name ?? node.id)], 'version:fit', 'started_at:fit:Up since', 'last_seen_at:fit:Heard of', 'connections:number', ['State', stateOf, 'block'], ['Links', ({ links }) => links?.map(link), 'block']];
	return html`<h1>Node</h1>
		<${States} of=${own} what="the node">${(node) => html`<${Own} node=${node} />`}<//>
		<h2>Nodes of this cluster</h2>
		<${States} of=${asked} what="the nodes">${({ nodes }) => html`<${Table} caption=${counted('node')(nodes)} rows=${nodes} columns=${columns} />
			${!nodes[1] && html`<p class=quiet>This node stands alone: see the setting <code>bus.urls</code>.</p>`}`}<//>
		<h2>Refused, of no app</h2>${refusals()}`;
}

function lampsOf({ draining, ready, says, database, redis, feeds, certificate_ends_at: ends }) {
	const answers = (is) => is != null && lamp(is ? 'good' : 'bad', is ? 'answers' : 'does not answer');
	const soon = Date.parse(ends) - Date.now() < 14 * 86_400_000;
	return [
		['State', draining ? lamp('warn', 'drains: newcomers are sent elsewhere') : lamp(!ready ? 'bad' : says === 'ready' ? 'good' : 'warn', text(says))],
		['Database', answers(database)],
		['Redis', answers(redis)],
		['Feeds', feeds.all > 0 && answers(!feeds.away && !feeds.refusing)],
		['Certificate', ends && lamp(soon ? 'warn' : 'good', html`ends ${age(ends)}`)],
	].filter(([, shown]) => shown);
}

function stateOf(node) {
	if (node.lost) return lamp('bad', 'lost: it ended without a goodbye');
	return node.answers ? lampsOf(node).map(([what, shown]) => html`<div>${what} ${shown}</div>`) : lamp('warn', 'does not answer');
}

export function NodeLamps() {
	const { value } = useGot(server.session.apps ? null : '/v1/node', { every: 10 });
	return value ? html`<p class=row>${lampsOf(value).map(([what, shown]) => html`<span>${what} ${shown}</span>`)} <a href=${to('node')}>Node</a></p>` : null;
}

const Own = ({ node }) => html`<${Facts} of=${node} facts=${[
		'name',
		'version',
		'started_at::Up since',
		...lampsOf(node).map(([what, shown]) => [what, () => shown]),
		['Connections', () => `${number(node.connections)} of ${number(node.capacity)}`],
		['Descriptors', () => `${number(node.descriptors_open)} of ${number(node.descriptors_limit)}`],
		'memory_bytes::Memory',
		...Object.entries({ outboxes: 'waits for clients', cache: 'cached events', resume: 'kept for resuming', history: 'curves' }).map(([name, label]) => `${name}_bytes::– ${label}`),
	]} />
	${node.configuration?.length > 0 && html`<${Table} caption="Configuration that differs from the default" rows=${node.configuration} id=key columns=${['key::Setting', 'value', 'from']} />`}`;

const hasEnded = ({ revoked_at: revoked, expires_at: end }) => revoked || Date.parse(end) < now();

export function Tokens({ query }) {
	const all = query.get('all');
	const [made, setMade] = useState(null);
	const [turn, setTurn] = useState(0);
	const changed = () => setTurn((n) => n + 1);
	const revoke = (row) => (row.revoked_at ? lamp('off', 'revoked') : html`<${Sure} label=Revoke title=${`Revoke ${visible(row.name)}?`} needs=write class=small listed act=${() => remove(`/v1/tokens/${row.number}`).then(changed)}>
		<p>It is refused from the next request on, and its sessions of this console end.${row.number === server.session.token && ' It is the one that you are logged in with.'}</p><//>`);
	return html`<h1>Tokens</h1>
		<p><${Check} on=${all} flip=${() => setQuery({ all: all ? '' : 'true' })}>also those that have ended or were revoked<//></p>
		<${Listed} key=${turn} route=${['tokens']} id=number needs=${{ Revoke: 'write' }} only=${(row) => all || !hasEnded(row)} empty=${'There is no token.'}
			columns=${[['Token', (row) => html`#${row.number} <b>${text(row.name)}</b> ${row.number === server.session.token && html`<small>this session</small>`}`], 'scopes', ['Apps', ({ apps }) => apps?.map((app) => html`${field({ app }, 'app')} `) ?? 'all'], ['Used', (row) => age(row.last_used_at, 'never'), 'fit'], ['Expires', (row) => age(row.expires_at, 'never'), 'fit'], ['Revoke', revoke, 'fit']]} />
		${made ? html`<section class="panel narrow" aria-label="The new token"><${Once} what=token text=${made} /></section>` : html`<${NewToken} made=${({ token }) => (setMade(token), changed())} />`}`;
}

function NewToken({ made }) {
	const mine = server.session;
	const { given, put, of } = useGiven({ name: '', scopes: ['read'], apps: mine.apps?.join(', ') ?? '', days: '90' });
	const days = given.days.trim();
	const fault = /^\d*$/.test(days) && days !== '0' ? [] : ['a whole number of days, such as 90'];
	const making = useAction(async () => {
		const apps = given.apps.split(/[\s,]+/).filter(Boolean);
		made(await post('/v1/tokens', { name: given.name, scopes: given.scopes, apps: apps.length ? apps : null, expires_in: days ? days * 86_400 : null }));
	});
	return html`<form class="panel narrow" onSubmit=${submitted(making.run)}><h2>New token</h2>
		<${Line} label=Name note="Whose it is, or what it is for" required ...${of('name')} />
		<fieldset><legend>Scopes</legend>${Object.entries(server.schemas.NewToken.properties.scopes.items['x-meanings']).map(([scope, says]) => html`<div><${Check} on=${given.scopes.includes(scope)} disabled=${!mine.scopes.includes(scope)} flip=${() => put('scopes')(flipped(given.scopes, scope))}><code>${scope}</code>: ${says}<//></div>`)}</fieldset>
		<${Line} label=Apps note="Ids; empty: all apps" ...${of('apps')} />
		<${Line} label="Days until it expires" note="Empty: never" inputmode=numeric faults=${fault} ...${of('days')} />
		<${Submit} of=${making} does="Make the token" off=${!given.scopes.length || fault[0]} /></form>`;
}

export function Audit() {
	const said = (value) => (value == null ? 'default' : typeof value === 'string' ? value : JSON.stringify(value));
	const details = ({ detail: { old, new: next, ...more } }) => {
		const changes = Object.keys({ ...old, ...next }).map((name) => `${name} ${said(old?.[name])} → ${said(next?.[name])}`);
		return text([...changes, ...Object.entries(more).map(([name, value]) => `${name} ${said(value)}`)].join('; ') || '–');
	};
	return html`<h1>Audit</h1>
		<${Listed} route=${['audit']} plural=entries every=${10} what="the audit log" caption="The newest first; no secret stands here" 
			columns=${['at::When', ['Who', (row) => html`${text(row.name ?? '–')} ${row.token != null && html`<small>#${row.token}</small>`}`], 'address:fit:From', 'app:fit', 'action:fit:What', ['Details', details, 'block']]}
			empty=${['Nothing was changed yet.', 'Changes, looks at secrets, closes, sent events and log-ins stand here.']} />`;
}
