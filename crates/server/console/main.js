// Owns the start of the page, and which page an address shows.
// Must never show anything of the server before somebody is logged in.
import { shown, takeCode, useAddress } from './address.js';
import { describe, login, resume, server, useServer } from './api.js';
import { Apps, NewApp } from './apps.js';
import { Refused } from './form.js';
import { Find, Frame, setTheme } from './frame.js';
import { Login, LoginAgain } from './login.js';
import { Channels } from './channels.js';
import { Connections, Users } from './connections.js';
import { Connect } from './keys.js';
import { Live } from './live.js';
import { Audit, Nodes, Tokens } from './node.js';
import { Overview } from './overview.js';
import { Send, Traces } from './send.js';
import { Settings } from './settings.js';
import { html, render, useEffect, useRef, useState, visible } from './shown.js';
import { Doctor, Refusals } from './trouble.js';
import { Usage } from './usage.js';
import { Webhooks } from './webhooks.js';

const page = (ofApp) => ([name, letter, view, at = name.toLowerCase(), within]) => ({ at, name, letter, view, ofApp, within });

// In the order of the menu: name, key behind g, view, and the address where it is not the name's.
const PAGES = [
	...[
		['Overview', 'o', Overview],
		['Live', 'l', Live],
		['Send', 's', Send],
		['Channels', 'c', Channels],
		['Connections', 'i', Connections],
		['Users', 'u', Users],
		['Refusals', 'r', Refusals],
		['Webhooks', 'w', Webhooks],
		['Usage', 'g', Usage],
		['Settings', 'e', Settings],
		['Connect', 't', Connect],
		['Doctor', 'd', Doctor],
	].map(page(true)),
	...[
		['Apps', 'p', Apps],
		['Node', 'n', Nodes],
		['Tokens', 'k', Tokens],
		['Audit', 'a', Audit],
	].map(page(false)),
];

const OTHERS = [
	page(true)(['Find', '', Find]),
	page(true)(['Find an event', '', Traces, 'traces', 'send']),
	page(false)(['Find', '', Find]),
	page(false)(['New app', '', NewApp, 'new', 'apps']),
];

// A session that is bound to one app begins there.
function pageOf(parts) {
	const [only, more] = server.session.apps ?? [];
	const [first, ...rest] = parts.length || more || !only ? parts : ['apps', only];
	const ofApp = first === 'apps' && rest.length > 0;
	const [app, at = PAGES[0].at, ...within] = ofApp ? rest : [null, first ?? 'apps', ...rest];
	return { app, page: [...PAGES, ...OTHERS].find((page) => page.at === at && page.ofApp === ofApp), parts: within };
}

const Unknown = () => html`<h1>There is no such page</h1><p>See <a href="#/apps">the apps</a>.</p>`;

// In one element: else the library misplaces parts.
const Shown = ({ view, ...given }) => html`<div>${view(given)}</div>`;

function Page() {
	const { ended } = useServer();
	const address = useAddress();
	const { app, page, parts } = pageOf(address.parts);
	const before = useRef();
	before.current = app ?? before.current;
	shown.app = app;
	const current = PAGES.find((one) => one === page || one.at === page?.within);
	useEffect(() => {
		document.title = [page?.name, app && visible(app), 'Fanfare'].filter(Boolean).join(' · ');
	}, [page, app]);
	return html`<${Frame} app=${before.current} pages=${PAGES} current=${current}>
			<${Shown} view=${page?.view ?? Unknown} key=${`${app} ${page?.at}`} app=${app} parts=${parts} query=${address.query} />
		<//>
		${ended && html`<${LoginAgain} />`}`;
}

function Start({ refused, failed }) {
	const { session, schemas } = useServer();
	const [error, setError] = useState(failed);
	useEffect(() => {
		if (session && !schemas) describe().catch(setError);
	}, [session]);
	if (error) return html`<main class=login><h1>Fanfare</h1><${Refused} refusal=${error} what="this page" again=${() => location.reload()} /></main>`;
	if (!session) return html`<${Login} refusal=${refused} />`;
	return schemas ? html`<${Page} />` : html`<p class=state role=status>Loading…</p>`;
}

async function start() {
	setTheme();
	const code = takeCode();
	const refused = code && (await login({ code }).then(() => null, (refusal) => refusal));
	const failed = code && !refused ? null : await resume().then(() => null, (refusal) => refusal);
	render(html`<${Start} refused=${refused} failed=${failed} />`, document.getElementById('page'));
}

// A link of fanfare console, opened in a tab that shows the page.
addEventListener('hashchange', () => location.hash.startsWith('#code=') && location.reload());

start();
