// Owns the list of apps, making one, and deleting one.
// Must never show a secret but the one that was just made, once.
import { appPath, hasScope, post, remove, server } from './api.js';
import { go, to, toApp } from './address.js';
import { Act, Filters, Line, Once, Submit, Sure, submitted, useAction, useGiven } from './form.js';
import { Listed, useGot } from './list.js';
import { count, html, lamp, text, useState, visible } from './shown.js';

export function Apps({ query }) {
	const q = query.get('q');
	const columns = [
		['App', (app) => html`<a href=${toApp(app.id)}>${text(app.name || app.id)}</a>`],
		['Id', ({ id }) => html`<code>${id}</code>`],
		['State', ({ enabled }) => (enabled ? lamp('good', 'enabled') : lamp('off', 'disabled')), 'fit'],
		['From the', ({ source, from }) => html`${source} ${from && html`<small>${visible(from)}</small>`}`],
		'connections:number',
		['Keys', ({ keys }) => keys.filter((key) => !key.revoked_at).length, 'number'],
		'created_at::Made',
	];
	return html`<div class=head><h1>Apps</h1>${!server.session.apps && html`<${Act} needs=write class=main onClick=${() => go(to('new'))}>New app<//>`}</div>
		<${Filters} query=${query} fields=${[['q', 'Name or id']]} />
		<${Listed} route=${['apps']} columns=${columns} query=${{ q }}
			empty=${q ? 'No app begins so.' : ['There is no app yet.', html`Clients and back ends connect to an app, by its id, key and secret. <b>New app</b> makes one.`]} />`;
}

export function NewApp() {
	const { given, of } = useGiven({ name: '', id: '' });
	const [made, setMade] = useState(null);
	const making = useAction(async () => {
		setMade(await post('/v1/apps', { name: given.name || undefined, id: given.id || undefined }));
	});
	const faults = (name) => (making.refusal?.faults ?? []).filter((fault) => fault.startsWith(name));
	if (made) return html`<${Made} app=${made} />`;
	return html`<h1>New app</h1>
		<form class="panel narrow" onSubmit=${submitted(making.run)}>
			<${Line} label=Name note="For people" faults=${faults('name')} ...${of('name')} maxlength="200" />
			<${Line} label=Id note="Letters, digits, _ and -. Empty: the server makes one up." faults=${faults('id')} ...${of('id')} maxlength="64" pattern="[A-Za-z0-9_\\-]+" />
			<p class=quiet>The server makes key and secret.</p>
			<${Submit} of=${making} does="Make the app"><a class=button href=${to('apps')}>Cancel</a><//>
		</form>`;
}

const Made = ({ app: { id, keys: [made] } }) => html`<h1>The app is made</h1>
	<div class="panel narrow"><${Once} what=secret again=${hasScope('secrets')} text=${envLines(id, made)} />
		<p><a class="button main" href=${toApp(id, 'connect')}>Go on</a></p></div>`;

export const envLines = (id, { key, secret }) => `PUSHER_APP_ID=${id}\nPUSHER_APP_KEY=${key}\nPUSHER_APP_SECRET=${secret}`;

export function DeleteApp({ app, off }) {
	const [typed, setTyped] = useState('');
	const stats = useGot(appPath('stats'));
	const act = async () => {
		await remove(appPath());
		go(to('apps'));
	};
	return html`<${Sure} label="Delete …" does=Delete title=${`Delete ${visible(app.name || app.id)}?`} needs=write class=danger off=${off} act=${act} ready=${typed === app.id}>
		<p>${stats.value ? `Its ${count(stats.value.connections, 'connection is', 'connections are')}` : 'All its connections are'} closed (4001), and stock clients stay away.
			Keys and settings are gone for good. What it has used is kept.</p>
		<${Line} label=${`Type ${app.id} to delete it`} wide value=${typed} put=${setTyped} />
	<//>`;
}
