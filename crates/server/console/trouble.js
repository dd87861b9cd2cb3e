// Owns the pages for when something does not arrive: what was refused and why, and the doctor.
// Must never have the doctor ask an address that somebody typed.
import { html, useState } from './vendor/preact.js';
import { appPath, server, stream } from './api.js';
import { to, toApp } from './address.js';
import { Act, Line, Refused, useAction } from './form.js';
import { Listed } from './list.js';
import { count, counted, field, lamp, lines, number, text } from './shown.js';

export const Refusals = ({ app }) => html`<h1>Refusals</h1>${refusals(app)}
	${!server.session.apps && html`<p>Unknown keys and ids are of no app: see <a href=${to('node')}>the node</a>.</p>`}`;

// Those of an app, or those of none.
export const refusals = (app) => html`<${Listed} app=${app} route=${['refusals']} caption=${counted('refusal', 'equal ones counted together; kept in memory since the server started')}
		columns=${[
			['Refused', ({ code, text: why, others }) => html`<b>${code}</b> ${text(why)} ${others && html`<small>(one of several such)</small>`}`],
			['Times', (row) => `${number(row.count)}×`, 'number'],
			'first_at::First',
			'last_at::Last',
			['Such as', ({ example }) => ['channel', 'socket', 'address', 'signed'].filter((name) => example?.[name]).map((name) => html`<div>${field(app, example, name)}</div>`)],
			['What to do', ({ advice, setting }) => html`${advice && text(advice)} ${app && setting && html`<a href=${toApp(app, 'settings', { tab: 'limits' })}>${setting}</a>`}`, 'block'],
		]}
		empty=${html`<p>Nothing was refused since the server started.</p>${app && html`<p>If something does not arrive all the same, <a href=${toApp(app, 'live')}>Live</a> shows what does, and <a href=${toApp(app, 'doctor')}>the doctor</a> tries each hop.</p>`}`} />`;

const OUTCOMES = { passed: 'good', noted: 'good', failed: 'bad' };

export function Doctor({ app }) {
	const [hops, setHops] = useState([]);
	const [channel, setChannel] = useState('');
	const running = useAction(async () => {
		setHops([]);
		await stream('POST', appPath(app, 'doctor'), channel ? { channel } : {}, (hop) => setHops((was) => [...was, hop]));
	});
	const bad = hops.filter(({ outcome }) => outcome === 'failed').length;
	return html`<h1>Doctor</h1>
		<p class="narrow">It tries each hop from the server: address, certificate, signature, a message sent and received, Redis, authorization.</p>
		<${Line} label="Channel" note="Whose application is asked, where the app has an authorization.url; empty: none is asked" value=${channel} placeholder="private-orders.7" put=${setChannel} />
		<p><${Act} needs="read" class="main" off=${running.busy} onClick=${running.run}>${running.busy ? 'Running…' : 'Run'}<//></p>
		<${Refused} refusal=${running.refusal} />
		<p role="status">${hops.length > 0 && !running.busy && (bad ? `${count(bad, 'hop')} failed.` : 'Nothing failed. If a browser cannot connect, look between it and the server: a proxy, a firewall, another address.')}</p>
		${hops.length > 0 && html`<ul class="rows panel narrow">${hops.map(({ hop, outcome, what, mend }) => html`<li>${lamp(OUTCOMES[outcome] ?? 'off', hop)}<span>${lines(mend ? `${what}\n${mend}` : what)} ${outcome === 'skipped' && html`<small>(skipped)</small>`}</span></li>`)}</ul>`}`;
}
