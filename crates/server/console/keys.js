// Owns the keys of an app, the walk that replaces one, and the lines to paste for clients and back ends.
// Must never keep a secret on the page for longer than SHOWN, but one that was just made.
import { appPath, get, hasScope, post, remove } from './api.js';
import { setQuery } from './address.js';
import { envLines } from './apps.js';
import { Act, Check, Do, Field, Filters, Once, Sure, Tabs, chosen } from './form.js';
import { States, Table, caution, useGot } from './list.js';
import { Copy, age, html, lamp, lines, number, useEffect, useRef, useState, visible } from './shown.js';

const SHOWN = 30;

function useForAWhile() {
	const [value, set] = useState(null);
	useEffect(() => {
		const timer = value && setTimeout(() => set(null), SHOWN * 1000);
		return () => clearTimeout(timer);
	}, [value]);
	return [value, set];
}

export function Keys({ app: { id, keys: known, source } }) {
	const [made, setMade] = useState(null);
	const asked = useGot(appPath('keys'), { every: 5 });
	const keys = asked.value?.keys ?? known;
	const fixed = source === 'configuration';
	const valid = keys.filter((key) => !key.revoked_at).length;
	const step = made ? 1 : valid < 2 ? 0 : 2;
	const steps = [
		html`<b>Make a new key.</b> The old one stays valid.<p><${Do} needs=write off=${fixed} class=${step ? '' : 'main'} act=${() => post(appPath('keys'), {}).then(setMade)}>New key<//></p>`,
		html`<b>Copy it to clients and back ends.</b> Webhooks are signed with the old one until step 3: let receivers accept both. ${made && html`<${Once} what=secret text=${envLines(id, made)} again=${hasScope('secrets')} />`}`,
		html`<b>Revoke the old one</b>, in the list above, once its numbers stay at 0. Connections that came by it stay open; pages that reconnect with it are refused. The last valid key cannot be revoked.`,
	];
	return html`
		<${Table} caption="Keys of this app, revoked ones included" rows=${keys} id=key columns=${[
			['Key', ({ key }) => html`<code>${visible(key)}</code>`],
			['State', ({ revoked_at: at }) => (at ? lamp('off', html`revoked ${age(at)}`) : lamp('good', 'valid')), 'fit'],
			['Made', ({ created_at: at }) => (at ? age(at) : 'in the configuration'), 'fit'],
			'requests_last_hour:number:Requests, last hour',
			'connections:number',
			['Secret', (key) => !key.revoked_at && html`<${Secret} name=${key.key} />`],
			['Revoke', (key) => !key.revoked_at && html`<${Revoke} of=${key} off=${fixed || valid < 2} />`, 'fit'],
		]} needs=${{ Show: 'secrets', Revoke: 'write' }} />
		<section class="panel narrow" aria-label="Replace a key"><h2>Replace a key without downtime</h2>
			<ol class=walk>${steps.map((words, n) => html`<li aria-current=${n === step ? 'step' : undefined}>${words}</li>`)}</ol>
		</section>`;
}

function Secret({ name }) {
	const [secret, setSecret] = useForAWhile();
	const show = async () => {
		const { keys } = await get(appPath('keys', { secrets: true }));
		setSecret(keys.find(({ key }) => key === name)?.secret ?? 'sealed with a master key that this server does not have');
	};
	if (secret) return html`<code>${visible(secret)}</code>`;
	return html`<span aria-hidden=true>••••••••</span> <${Do} needs=secrets class=small listed act=${show} aria-label=${`Show the secret of ${visible(name)}`}>Show<//>`;
}

const Revoke = ({ of: { key, connections, requests_last_hour: requests }, off }) => html`<${Sure} label=Revoke title=${`Revoke ${visible(key)}?`} needs=write class=small listed off=${off} act=${() => remove(appPath('keys', key))}>
	<p>From now on nobody can connect or publish with it; connections that are open stay open. This cannot be undone.</p>
	${(requests || connections) > 0 && html`<p class=caution>It is in use: ${number(requests)} requests in the last hour, ${number(connections)} connections.</p>`}<//>`;

const LINES = { laravel: '.env', reverb: '.env for reverb', pusher_js: 'pusher-js', echo: 'Echo', backend: 'Back end' };

export function Connect({ query }) {
	const [secrets, setSecrets] = useForAWhile();
	const { host, port, tls, key, tab: wanted } = Object.fromEntries(query);
	const asked = useGot(appPath('connect', { host, port, tls, key, secrets }));
	// What stands in the fields stays until the next lines come.
	const last = useRef({});
	const { place = {}, keys = [], fill_in: unknown = [] } = (last.current = asked.value ?? last.current);
	const over = (tls ?? `${place.tls}`) === 'true';
	const tab = chosen(LINES, wanted);
	return html`<h1>Connect</h1>
		<${Filters} query=${query} fields=${[['host', 'Host', place.host], ['port', 'Port', place.port]]}>
			${keys[1] && html`<${Field} label=Key>${(field) => html`<select ...${field} onChange=${({ target }) => (setSecrets(null), setQuery({ key: target.value }))}>${keys.map((name) => html`<option value=${name} selected=${name === key}>${name}</option>`)}</select>`}<//>`}
			<p><${Check} on=${over} flip=${() => setQuery({ tls: !over })}>TLS<//>
				<${Act} needs=secrets class=small onClick=${() => setSecrets(secrets ? null : true)}>${secrets ? 'Mask the secret' : 'Show the secret'}<//></p><//>
		${unknown[0] && caution(`Fill in ${unknown.join(' and ')}: behind a proxy the server does not know by which its clients come.`)}
		<${Tabs} label=For of=${LINES} on=${tab} />
		<${States} of=${asked} what="the lines">${(value) => html`<pre tabindex="0" aria-label=${`Lines for ${LINES[tab]}`}>${lines(value[tab], Infinity)}</pre><p><${Copy} text=${value[tab]} /> ${!secrets && 'without the secret'}</p>`}<//>`;
}
