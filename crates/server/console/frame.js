// Owns what stands around every page: menu, choice of the app, search, theme, keys, the bar of a gone server.
// Must never act on a key while a text is being typed.
import { appPath, attempt, hasScope, logout, path, server, useServer } from './api.js';
import { go, to, toApp, useAddress, useEvent } from './address.js';
import { Check, Dialog, Do, flipped } from './form.js';
import { Missing, States, useGot } from './list.js';
import { channelLink, clock, html, socketLink, useEffect, useRef, useState, useTick, userLink, visible } from './shown.js';

const KEYS = {
	'/': 'search',
	g: 'and then the letter underlined in the menu: to that page',
	p: 'pause and resume the live list',
	j: 'to the next row',
	k: 'to the row before',
	'?': 'these keys',
	Enter: 'opens the row',
	Esc: 'closes a dialog or the menu',
};

const stored = (name, otherwise) => JSON.parse(localStorage.getItem(name)) ?? otherwise;
const store = (name, value) => localStorage.setItem(name, JSON.stringify(value));

const THEMES = { system: '◐', light: '○', dark: '●' };

matchMedia('(prefers-color-scheme: dark)').onchange = () => dispatchEvent(new Event('theme'));

export function setTheme(theme = stored('theme', 'system')) {
	document.documentElement.dataset.theme = theme;
	store('theme', theme);
	dispatchEvent(new Event('theme'));
	return theme;
}

function Theme() {
	const [theme, set] = useState(document.documentElement.dataset.theme);
	const names = Object.keys(THEMES);
	const next = names[(names.indexOf(theme) + 1) % names.length];
	return html`<${Icon} label=${`Theme: ${theme}. Change to ${next}`} sign=${THEMES[theme]} onClick=${() => set(setTheme(next))} />`;
}

const Icon = ({ label, sign, ...button }) => html`<button class=icon aria-label=${label} title=${label} ...${button}><span aria-hidden=true>${sign}</span></button>`;

const addressOf = (page, app) => (page.ofApp ? toApp(app, page.at) : to(page.at));

function Menu({ app, pages, current }) {
	const items = (ofApp) => pages.filter((page) => page.ofApp === ofApp && (ofApp || !server.session.apps || page.at === 'apps')).map((page) => {
		const [before, after] = page.name.split(new RegExp(`${page.letter}(.*)`, 'is'));
		const letter = page.name[before.length];
		return html`<li><a href=${addressOf(page, app)} aria-current=${page === current ? 'page' : undefined}>${before}<u>${letter}</u>${after}</a></li>`;
	});
	return html`${app && html`<ul>${items(true)}</ul>`}<h2>node</h2><ul>${items(false)}</ul>`;
}

function Chooser({ app, page }) {
	const known = useGot(hasScope('read') ? path('apps', { limit: 100 }) : null).value?.apps ?? [];
	const choose = ({ target: { value } }) => go(value ? toApp(value, page?.ofApp ? page.at : '') : to('apps'));
	return html`<select aria-label=App value=${app ?? ''} onChange=${choose}>
		${app && !known.some(({ id }) => id === app) && html`<option value=${app}>${visible(app)}</option>`}
		${known.map(({ id, name }) => html`<option value=${id}>${visible(name ? `${name} (${id})` : id)}</option>`)}
		<option value="">All apps…</option>
	</select>`;
}

function Search({ app }) {
	const submit = (event) => {
		event.preventDefault();
		const q = event.target.elements.q.value.trim();
		if (q) go(app ? toApp(app, 'find', { q }) : to('find', { q }));
	};
	return html`<form role=search onSubmit=${submit}>
		<input id=search name=q type=search aria-label="Find a channel, socket, user or app" placeholder="/ find channel, socket, user …" autocomplete=off spellcheck=${false} /></form>`;
}

function Account({ session: { name, token, scopes, apps, server_version: version } }) {
	return html`<details class=account onKeyDown=${(event) => event.key === 'Escape' && (event.currentTarget.open = false)}>
		<summary>${visible(name)}</summary>
		<div><p>Token ${token}, ${visible(name)}</p><p>Scopes: ${scopes.join(', ')}</p><p>Apps: ${apps ? apps.map(visible).join(', ') : 'all'}</p><p>Fanfare ${visible(version)}</p>
			<p><${Do} act=${logout}>Log out<//></p></div>
	</details>`;
}

function Gone({ until }) {
	useTick(1);
	return html`<div class=bar><span role=alert>The server does not answer. What you see may be old.</span>
		<span>Next attempt in ${Math.max(0, Math.ceil((until - Date.now()) / 1000))} s</span> <button class=small onClick=${attempt}>Try now</button></div>`;
}

function AsOf() {
	useTick(1);
	return html`<footer>${server.asOf && html`as of ${clock(server.asOf)} UTC · node ${visible(server.session.node)}`}</footer>`;
}

function Keys({ onClose }) {
	const [off, setOff] = useState(stored('keys off', []));
	const flip = (key) => {
		const next = flipped(off, key);
		store('keys off', next);
		setOff(next);
	};
	return html`<${Dialog} title=Keys closeWord=Close onClose=${onClose}>${(close) => html`
		<p class=quiet>None while a text is typed.</p>
		<ul class=bare>${Object.entries(KEYS).map(([key, does]) => html`<li><${Check} on=${!off.includes(key)} disabled=${key.length > 1} flip=${() => flip(key)}><kbd>${key}</kbd> ${does}<//></li>`)}</ul>
		<p>${close}</p>`}<//>`;
}

function step(by) {
	const rows = [...document.querySelectorAll('[data-row]')];
	const at = rows.findIndex((row) => row.contains(document.activeElement));
	const row = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
	(row?.querySelector('a, button, summary') ?? row)?.focus();
}

let lead = 0;

function useKeys(pages, app, help) {
	const does = { g: () => (lead = Date.now()), '/': () => document.getElementById('search').focus(), j: () => step(1), k: () => step(-1), '?': help, p: () => dispatchEvent(new Event('pause')) };
	useEvent('keydown', (event) => {
		const { key, target } = event;
		const typing = target.matches?.('input:not([type=checkbox], [type=radio]), textarea, select');
		if (event.ctrlKey || event.metaKey || event.altKey || typing || document.querySelector('dialog[open]')) return;
		const led = Date.now() - lead < 1500;
		lead = 0;
		const page = led && pages.find((one) => one.letter === key && (app || !one.ofApp));
		if (page) go(addressOf(page, app));
		else if (does[key] && !stored('keys off', []).includes(key)) does[key]();
		else return;
		event.preventDefault();
	});
}

export function Frame({ app, pages, current, children }) {
	const { session, gone } = useServer();
	const [open, setOpen] = useState(false);
	const [help, setHelp] = useState(false);
	const main = useRef();
	const first = useRef(true);
	const place = useAddress().parts.join('/');
	useKeys(pages, app, () => setHelp(true));
	useEffect(() => {
		setOpen(false);
		if (!first.current) main.current.focus();
		first.current = false;
		scrollTo(0, 0);
	}, [place]);
	const close = (event) => event.key === 'Escape' && setOpen(false);
	return html`
		<header onKeyDown=${close}>
			<button class=skip onClick=${() => main.current.focus()}>Skip to the page</button>
			<${Icon} class="icon drawer" label=Menu sign="☰" aria-expanded=${String(open)} aria-controls=menu onClick=${() => setOpen(!open)} />
			<a class=brand href=${to('apps')}><span class=flag aria-hidden=true></span>Fanfare</a>
			<${Chooser} app=${app} page=${current} /><${Search} app=${app} /><${Theme} />
			<${Icon} label=Keys sign="?" onClick=${() => setHelp(true)} /><${Account} session=${session} />
		</header>
		<nav id=menu class=${open ? 'open' : ''} aria-label=Pages onKeyDown=${close}><${Menu} app=${app} pages=${pages} current=${current} /></nav>
		<main ref=${main} tabindex="-1">${gone && html`<${Gone} ...${gone} />`}${children}</main>
		<${AsOf} />
		${help && html`<${Keys} onClose=${() => setHelp(false)} />`}`;
}

export function Find({ app, query }) {
	const q = query.get('q') ?? '';
	const asked = useGot(appPath('search', { q }));
	const found = (answer) => [
		['apps', 'Apps', ({ id, name }) => html`<a href=${toApp(id)}>${visible(name ? `${name} (${id})` : id)}</a>`],
		['connections', 'Connections', ({ socket }) => socketLink(socket)],
		['channels', 'Channels', ({ name }) => channelLink(name)],
		['users', 'Users', ({ user }) => userLink(user)],
	].filter(([list]) => answer[list]?.length);
	return html`<h1>Find</h1>
		<p>What is called <b>${visible(q)}</b>, or begins so${app && ', in this app'}:</p>
		<${Missing} of=${asked.value} />
		<${States} of=${asked} what="what was searched for" isEmpty=${(answer) => !found(answer).length}
			empty=${[html`Nothing here is called <b>${visible(q)}</b> now.`, `The search looks for beginnings of names of apps${app ? ', channels and users, and for socket ids' : ''}. A channel exists while somebody is subscribed.`]}>
			${(answer) => found(answer).map(([list, name, link]) => html`<h2>${name}</h2>
				<ul class=bare>${answer[list].map((row) => html`<li data-row tabindex="-1">${link(row)}</li>`)}</ul>
				${answer.more.includes(list) && html`<p class=quiet>and more: go on typing</p>`}`)}
		<//>`;
}
