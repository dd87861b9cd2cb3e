// Owns the pages for when something does not arrive: what was refused and why, and the doctor.
// Must never have the doctor ask an address that somebody typed.
import { appPath, path, server, stream } from './api.js';
import { here, shown, to } from './address.js';
import { Act, Line, Refused, useAction } from './form.js';
import { Listed, useGot } from './list.js';
import { count, counted, field, html, lamp, lines, number, text, useState, words } from './shown.js';

export const Refusals = () => html`<h1>Refusals</h1>${refusals()}
	${!server.session.apps && html`<${OfNoApp} />`}`;

function OfNoApp() {
	const { value } = useGot(path('refusals', { limit: 1 }), { every: 30 });
	return html`<p>${value ? `${number(value.total)} more` : 'Others'} of no app (unknown keys and ids): see <a href=${to('node')}>the node</a>.</p>`;
}

// Those of an app, or those of none.
export const refusals = () => html`<${Listed} route=${['refusals']} caption=${counted('refusal', 'equal ones counted together; kept in memory since the server started')}
		columns=${[
			['Refused', ({ code, kind, text: why, others }) => html`<b>${code ?? words(kind)}</b> ${text(why)} ${others && html`<small>(one of several such)</small>`}`],
			['Times', (row) => `${number(row.count)}×`, 'number'],
			'first_at::First',
			'last_at::Last',
			['Such as', ({ example }) => ['channel', 'socket', 'address', 'signed'].filter((name) => example?.[name]).map((name) => html`<div>${field(example, name)}</div>`)],
			['What to do', ({ advice, setting }) => html`${advice && text(advice)} ${shown.app && setting && html`<a href=${here('settings', { tab: 'limits' })}>${setting}</a>`}`, 'block'],
		]}
		empty=${['Nothing was refused since the server started.', shown.app && html`If something does not arrive all the same, <a href=${here('live')}>Live</a> shows what does, and <a href=${here('doctor')}>the doctor</a> tries each hop.`]} />`;

const OUTCOMES = { passed: 'good', noted: 'good', failed: 'bad' };

export function Doctor() {
	const [hops, setHops] = useState([]);
	const [channel, setChannel] = useState('');
	const running = useAction(async () => {
		setHops([]);
		await stream('POST', appPath('doctor'), channel ? { channel } : {}, (hop) => setHops((was) => [...was, hop]));
	});
	const bad = hops.filter(({ outcome }) => outcome === 'failed').length;
	return html`<h1>Doctor</h1>
		<p class=narrow>It tries each hop from the server: address, certificate, signature, a message sent and received, Redis, authorization.</p>
		<${Line} label=Channel note="Whose application is asked, where the app has an authorization.url; empty: none is asked" value=${channel} placeholder="private-orders.7" put=${setChannel} />
		<p><${Act} needs=read class=main off=${running.busy} onClick=${running.run}>${running.busy ? 'Running…' : 'Run'}<//></p>
		<${Refused} refusal=${running.refusal} />
		<p role=status>${hops.length > 0 && !running.busy && (bad ? `${count(bad, 'hop')} failed.` : 'Nothing failed. If a browser cannot connect, look between it and the server: a proxy, a firewall, another address.')}</p>
		${hops.length > 0 && html`<ul class="rows panel narrow">${hops.map(({ hop, outcome, what, mend }) => html`<li>${lamp(OUTCOMES[outcome] ?? 'off', hop)}<span>${lines(mend ? `${what}\n${mend}` : what)} ${outcome === 'skipped' && html`<small>(skipped)</small>`}</span></li>`)}</ul>`}`;
}
