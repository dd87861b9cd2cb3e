// Owns the addresses of the page: what stands behind the # of the URL, read and written.
// Must never hold a secret; the code of a log-in link is taken out as soon as it is read.
import { useEffect, useState } from './vendor/preact.js';

// The parts as a path, escaped. An object at the end becomes the query, without what is empty.
export function joined(...parts) {
	const query = typeof parts.at(-1) === 'object' ? parts.pop() : {};
	const given = Object.entries(query).filter(([, value]) => value !== '' && value != null);
	return `/${parts.map(encodeURIComponent).join('/')}${given.length ? `?${new URLSearchParams(given)}` : ''}`;
}

export const to = (...parts) => `#${joined(...parts)}`;
export const toApp = (app, ...parts) => to('apps', app, ...parts);

// The app whose page is shown; null on a page of the node.
export const shown = { app: null };

export const here = (...parts) => toApp(shown.app, ...parts);

function parse(hash) {
	const [path, query = ''] = hash.slice(1).split(/\?(.*)/s);
	return { parts: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(part) {
	try {
		return decodeURIComponent(part);
	} catch {
		return part;
	}
}

export const go = (hash) => {
	location.hash = hash;
};

// The address of the page that is open, with other values in its query.
export function queried(values) {
	const { parts, query } = parse(location.hash);
	return to(...parts, { ...Object.fromEntries(query), ...values });
}

export function setQuery(values) {
	history.replaceState(null, '', queried(values));
	dispatchEvent(new Event('hashchange'));
}

// The one-time code of a link of `fanfare console`, which is gone from the address afterwards; &at= is the page to show.
export function takeCode() {
	const [, code, at = ''] = /^#code=([^&]+)(?:&at=(.*))?$/.exec(location.hash) ?? [];
	if (code) history.replaceState(null, '', `#${at}`);
	return code;
}

// Acts on an event of the window.
export function useEvent(name, act) {
	useEffect(() => {
		addEventListener(name, act);
		return () => removeEventListener(name, act);
	});
}

export function useAddress() {
	const [, draw] = useState();
	useEvent('hashchange', () => draw({}));
	return parse(location.hash);
}
