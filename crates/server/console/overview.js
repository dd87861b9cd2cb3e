// Owns the first page of an app: now, the last hour, what needs a look, the busiest channels.
// Must never show a number that another page would not show.
import { appPath, get } from './api.js';
import { here } from './address.js';
import { Listed, Missing, States, grown, ofNodes, useAsked, useGot } from './list.js';
import { channelLink, html, lamp, number, text, title, useRef, words } from './shown.js';
import { Curve } from './usage.js';
import { NodeLamps } from './node.js';

export function Overview() {
	const before = useRef(null);
	const asked = useAsked(async (signal) => {
		const now = await get(appPath('stats'), { signal });
		const was = before.current;
		const seconds = (Date.parse(now.at) - Date.parse(was?.at)) / 1000;
		before.current = now;
		const rate = (key) => {
			const by = grown(now, was, key);
			return seconds > 0 && by !== null ? by / seconds : null;
		};
		return { ...now, rate };
	}, '', { every: 5 });
	const tile = (label, shown, page, least) => {
		const said = `${least ? '≥ ' : ''}${number(shown)}`;
		return html`<div><dt>${label}</dt><dd>${page ? html`<a href=${here(page)}>${said}</a>` : said}</dd></div>`;
	};
	return html`<h1>Overview</h1><${NodeLamps} />
		<${States} of=${asked} what="the numbers">${(now) => html`
			<dl class=numbers>${tile('Connections', now.connections, 'connections')}${now.max_connections && tile('of at most', now.max_connections, 'settings')}
				${['channels', 'users'].map((at) => tile(title(at), now[at], at, now.at_least.includes(at)))}${tile('Events/s', now.rate('events'))}${tile('Deliveries/s', now.rate('deliveries'))}</dl>
			<${Missing} of=${now} />${ofNodes(now) && html`<p class=quiet>Numbers ${ofNodes(now)}</p>`}
			${now.connections === 0 && html`<div class="state empty"><p>Nobody is connected yet.</p><p><a href=${here('connect')}>Connect</a> has the lines to paste; <a href=${here('doctor')}>the doctor</a> tries the way.</p></div>`}
			${now.history?.length > 1 && html`<${Hour} history=${now.history} />`}`}
		<//>
		${asked.refusal?.status !== 404 && html`<div class=columns><${Look} now=${asked.value} /><${Busiest} /></div>`}`;
}

function Hour({ history }) {
	const times = history.map(({ at }) => Date.parse(at) / 1000);
	const line = (label, key) => ({ label, values: history.map((point) => point[key]) });
	return html`<div class=curves>
		<${Curve} name="Connections, last hour" times=${times} lines=${[line('connections', 'connections')]} />
		<${Curve} name="Events, last hour" times=${times} lines=${[line('from back ends', 'backend_messages'), line('from clients', 'client_messages')]} />
	</div>`;
}

function Look({ now }) {
	const [about, refusals, deliveries] = [[], ['refusals'], ['webhooks', 'deliveries']].map((parts) => useGot(appPath(...parts), { every: 10 }));
	const off = about.value?.enabled === false;
	const unknown = Object.entries({ refusals, webhooks: deliveries }).filter(([, { refusal }]) => refusal);
	const refused = refusals.value?.refusals.filter(({ last_at: at }) => Date.now() - Date.parse(at) < 3_600_000) ?? [];
	const failing = deliveries.value?.webhooks.filter(({ enabled, works }) => enabled && works === false) ?? [];
	const full = now?.max_connections && now.connections > 0.8 * now.max_connections;
	const isWell = now && !off && refusals.value && deliveries.value && !unknown[0] && !refused[0] && !failing[0] && !full;
	return html`<section class=panel><h2>Needs a look</h2>
		${isWell && html`<p class=quiet>Nothing: no refusal in the last hour, no webhook fails, no quota is nearly full.</p>`}
		<ul class=bare>
			${off && html`<li>${lamp('bad', 'This app is disabled: clients get 4003.')} <a href=${here('settings')}>Settings</a></li>`}
			${unknown.map(([what, { refusal }]) => html`<li>${lamp('warn', `${what} not known:`)} ${text(refusal.message)}</li>`)}
			${full && html`<li>${lamp('warn', 'quota:')} <a href=${here('settings', { tab: 'limits' })}>${number(now.connections)} of at most ${number(now.max_connections)} connections</a></li>`}
			${refused.slice(0, 5).map((row) => html`<li>${lamp('bad', `${number(row.count)}×`)} <a href=${here('refusals')}>${text(`${row.code ?? words(row.kind)} ${row.text}`, 120)}</a></li>`)}
			${failing.map(({ url }) => html`<li>${lamp('warn', 'webhook fails:')} <a href=${here('webhooks')}>${text(url)}</a></li>`)}
		</ul></section>`;
}

const Busiest = () => html`<section class=panel><h2>Busiest channels</h2>
	<${Listed} route=${['channels']} query=${{ order: 'subscribers', limit: 10 }} id=name few caption="" empty=${'No channel has a subscriber now.'}
		columns=${[['Channel', ({ name }) => channelLink(name)], 'subscribers:number']} /></section>`;
