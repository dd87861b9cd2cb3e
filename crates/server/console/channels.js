// Owns the list of channels, and the page of one: who is subscribed, and who is a member.
// Must never ask for all channels: the server gives pages.
import { html } from './vendor/preact.js';
import { appPath, hasScope } from './api.js';
import { setQuery, toApp } from './address.js';
import { Filters, Tabs } from './form.js';
import { Facts, Listed, States, useGot } from './list.js';
import { channelLink, counted, field, lines, text, visible } from './shown.js';

const KINDS = { '': 'all', public: 'public', private: 'private', presence: 'presence', cache: 'cache', encrypted: 'encrypted' };

export function Channels({ app, parts, query }) {
	if (parts.length) return html`<${One} app=${app} name=${parts.join('/')} query=${query} />`;
	const asked = { prefix: query.get('prefix'), kind: query.get('kind'), order: query.get('order') ?? 'subscribers' };
	const sorted = (label, order, direction) => [
		asked.order === order ? direction : undefined,
		html`<button class="plain" onClick=${() => setQuery({ order })}>${label}</button>`,
	];
	return html`<h1>Channels</h1>
		<${Filters} query=${query} fields=${[['prefix', 'Prefix', 'private-']]}><div class="row"><${Tabs} label="Kind" of=${KINDS} on=${asked.kind ?? ''} href=${(kind) => toApp(app, 'channels', { ...asked, kind })} /></div><//>
		<${Listed} app=${app} route=${['channels']} query=${asked} id="name" caption=${counted('channel')}
			columns=${[
				['Channel', ({ name }) => channelLink(app, name), '', ...sorted('Channel', 'name', 'ascending')],
				'kind:fit',
				['Subscribers', (row) => field(app, row, 'subscribers'), 'number', ...sorted('Subscribers', 'subscribers', 'descending')],
				'users:number',
				'cached:fit:Cached event',
			]}
			empty=${asked.prefix || asked.kind
				? html`<p>No channel is like that now.</p><p>A channel exists only while somebody is subscribed to it. <a href=${toApp(app, 'channels')}>All channels</a></p>`
				: html`<p>No channel has a subscriber now.</p><p>Is a client connected? See <a href=${toApp(app, 'connections')}>the connections</a>.</p>`} />`;
}

function One({ app, name, query }) {
	const about = useGot(appPath(app, 'channels', name), { every: 5 });
	const presence = name.startsWith('presence-');
	const tab = presence && query.get('tab') !== 'subscribers' ? 'members' : 'subscribers';
	const cached = ({ cached: event }) => event && (event.event ? html`${text(event.event)} ${event.data != null && lines(event.data)}` : 'yes');
	return html`<div><h1>${text(name)}</h1>
		<p class="row"><a class="button" href=${toApp(app, 'live', { channel: name })}>Live of this channel</a> <a class="button" href=${toApp(app, 'send', { channel: name })}>Send to it</a></p>
		<${States} of=${about} what="the channel">${(channel) => html`<${Facts} app=${app} of=${channel} facts=${['kind', 'subscribers', 'users', ['Cached event', cached]]} />`}<//>
		${presence && html`<${Tabs} label="Who is there" of=${{ members: 'Members', subscribers: 'Subscribers' }} on=${tab} href=${(at) => toApp(app, 'channels', name, { tab: at })} />`}
		${tab === 'members'
			? html`<${Listed} key="members" app=${app} route=${['channels', name, 'members']} id="user" caption=${counted('member')} empty=${html`<p>Nobody is here now.</p>`}
					columns=${['user', 'connections:number', hasScope('payloads') ? 'user_info:block:About' : ['About', () => html`<small>needs the scope payloads</small>`]]} />`
			: html`<${Listed} key="subscribers" app=${app} route=${['channels', name, 'subscribers']} id="socket" caption=${counted('subscriber')}
					columns=${['socket', 'user', 'node:fit']} empty=${html`<p>Nobody is subscribed now.</p><p>An event to ${visible(name)} would reach nobody.</p>`} />`}</div>`;
}
