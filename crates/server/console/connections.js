// Owns the lists of connections and of users, the page of one connection, and closing them.
// Must never close anything without a dialog that says what the client will do.
import { appPath, post, remove } from './api.js';
import { here } from './address.js';
import { Filters, Sure } from './form.js';
import { Facts, Listed, States, useGot } from './list.js';
import { channelLink, count, html, lamp, number, text, useState, visible } from './shown.js';

const CODES = [['4200', 'comes back at once'], ['4009', 'stock clients stay away until the page is loaded anew']];

export function Connections({ parts, query }) {
	const [closed, setClosed] = useState({});
	if (parts.length) return html`<${One} socket=${parts[0]} />`;
	const asked = Object.fromEntries(['channel', 'user', 'address'].map((name) => [name, query.get(name)]));
	const close = ({ socket }) => (closed[socket] ? `closed, ${closed[socket]}` : html`<${Close} socket=${socket} class=small listed done=${(code) => setClosed((was) => ({ ...was, [socket]: code }))} />`);
	return html`<h1>Connections</h1>
		<${Filters} query=${query} fields=${[['channel', 'Channel', 'private-orders.7'], ['user', 'User', '42'], ['address', 'Address', '10.0.0.7']]} />
		<${Listed} route=${['connections']} query=${asked} id=socket
			columns=${['socket', 'user', 'subscriptions:number:Channels', 'address', 'since', 'outbox_bytes:number:Waiting', 'node:fit', ['Close', close, 'fit']]} needs=${{ Close: 'operate' }}
			empty=${Object.values(asked).some(Boolean)
				? ['No connection is like that now.', html`<a href=${here('connections')}>All connections</a>`]
				: ['Nobody is connected now.', html`<a href=${here('connect')}>Connect</a> has the lines for a client. A missing client was perhaps <a href=${here('refusals')}>refused</a>.`]} />`;
}

function One({ socket }) {
	const [closed, setClosed] = useState(null);
	const asked = useGot(appPath('connections', socket), { every: 5 });
	const way = (it) => [it.transport, it.tls === true ? 'TLS' : it.tls, it.protocol && `protocol ${it.protocol}`].filter(Boolean).map(visible).join(', ');
	return html`<div><div class=head><h1>Connection ${text(socket)}</h1>${closed ? lamp('off', `closed, ${closed}`) : html`<${Close} socket=${socket} done=${setClosed} />`}</div>
		<p class=row><a class=button href=${here('live', { socket })}>Live of this connection</a></p>
		<${States} of=${asked} what="the connection">${(it) => html`
			<${Facts} of=${it} facts=${['user', 'address', ['Transport', way], 'node', 'since', 'outbox_bytes::Waiting for it']} />
			<h2>Channels</h2>
			${it.channels?.length ? html`<ul class=bare>${it.channels.map((name) => html`<li data-row tabindex="-1">${channelLink(name)}</li>`)}</ul>` : html`<p class=quiet>It is subscribed to none.</p>`}`}
		<//></div>`;
}

const Close = ({ socket, done, ...button }) => html`<${Sure} label=Close title=${`Close connection ${visible(socket)}?`} aria-label=${`Close ${visible(socket)}`} needs=operate choices=${CODES} ...${button}
	act=${(code) => remove(appPath('connections', socket, { code })).then(() => done(code))}><p>What its client does depends on the code:</p><//>`;

export function Users({ query }) {
	const [gone, setGone] = useState([]);
	const prefix = query.get('prefix');
	// A user who comes back has another `since`.
	const terminate = ({ user, since, connections }) => (gone.includes(`${since} ${user}`) ? 'closed, 4009' : html`<${Sure} label=Terminate title=${`Terminate ${visible(user)}?`} needs=operate class=small listed
		act=${() => post(appPath('users', user, 'terminate')).then(() => setGone((was) => [...was, `${since} ${user}`]))}>
		<p>${count(connections, 'connection is', 'connections are')} closed with 4009: ${CODES[1][1]}.</p><//>`);
	return html`<h1>Users</h1>
		<${Filters} query=${query} fields=${[['prefix', 'User', '42']]} />
		<${Listed} route=${['users']} query=${{ prefix }} id=user
			columns=${[['User', ({ user }) => html`<b>${text(user, 200)}</b>`], ['Connections', ({ user, connections }) => html`<a href=${here('connections', { user })}>${number(connections)}</a>`, 'number'], 'since:fit:Signed in', ['Terminate', terminate, 'fit']]} needs=${{ Terminate: 'operate' }}
			empty=${prefix ? `No user who is signed in begins with ${visible(prefix)}.` : ['Nobody is signed in now.', html`Clients sign in with <code>pusher.signin()</code>.`]} />`;
}
