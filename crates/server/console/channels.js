// Owns the list of channels, and the page of one: who is subscribed, and who is a member.
// Must never ask for all channels: the server gives pages.
import { appPath, hasScope } from './api.js';
import { here, setQuery } from './address.js';
import { Filters, Tabs } from './form.js';
import { Facts, Listed, States, useGot } from './list.js';
import { channelLink, field, html, lines, text, visible } from './shown.js';

const KINDS = { '': 'all', public: 'public', private: 'private', presence: 'presence', cache: 'cache', encrypted: 'encrypted' };

export function Channels({ parts, query }) {
	if (parts.length) return html`<${One} name=${parts.join('/')} query=${query} />`;
	const asked = { prefix: query.get('prefix'), kind: query.get('kind'), order: query.get('order') ?? 'subscribers' };
	const sorted = (label, order, direction) => [
		asked.order === order ? direction : undefined,
		html`<button class=plain onClick=${() => setQuery({ order })}>${label}</button>`,
	];
	return html`<h1>Channels</h1>
		<${Filters} query=${query} fields=${[['prefix', 'Prefix', 'private-']]}><div class=row><${Tabs} label=Kind of=${KINDS} on=${asked.kind ?? ''} name=kind /></div><//>
		<${Listed} route=${['channels']} query=${asked} id=name
			columns=${[
				['Channel', ({ name }) => channelLink(name), '', ...sorted('Channel', 'name', 'ascending')],
				'kind:fit',
				['Subscribers', (row) => field(row, 'subscribers'), 'number', ...sorted('Subscribers', 'subscribers', 'descending')],
				'users:number',
				'cached:fit:Cached event',
			]}
			empty=${asked.prefix || asked.kind
				? ['No channel is like that now.', html`A channel exists only while somebody is subscribed to it. <a href=${here('channels')}>All channels</a>`]
				: ['No channel has a subscriber now.', html`Is a client connected? See <a href=${here('connections')}>the connections</a>.`]} />`;
}

function One({ name, query }) {
	const about = useGot(appPath('channels', name), { every: 5 });
	const presence = name.startsWith('presence-');
	const tab = presence && query.get('tab') !== 'subscribers' ? 'members' : 'subscribers';
	const cached = ({ cached: event }) => event && (event.event ? html`${text(event.event)} ${event.data != null && lines(event.data)}` : 'yes');
	return html`<div><h1>${text(name)}</h1>
		<p class=row><a class=button href=${here('live', { channel: name })}>Live of this channel</a> <a class=button href=${here('send', { channel: name })}>Send to it</a></p>
		<${States} of=${about} what="the channel">${(channel) => html`<${Facts} of=${channel} facts=${['kind', 'subscribers', 'users', ['Cached event', cached]]} />`}<//>
		${presence && html`<${Tabs} label="Who is there" of=${{ members: 'Members', subscribers: 'Subscribers' }} on=${tab} />`}
		${tab === 'members'
			? html`<${Listed} key=members route=${['channels', name, 'members']} id=user empty=${'Nobody is here now.'}
					columns=${['user', 'connections:number', hasScope('payloads') && 'user_info:block:About']} needs=${{ 'What they tell of themselves': 'payloads' }} />`
			: html`<${Listed} key=subscribers route=${['channels', name, 'subscribers']} id=socket
					columns=${['socket', 'user', 'node:fit']} empty=${['Nobody is subscribed now.', `An event to ${visible(name)} would reach nobody.`]} />`}</div>`;
}
