// Owns the lists: their four states in words (loading, empty, failed, data), pages, rows that stay still while they are
// read, and the table that becomes cards on a narrow screen.
// Must never hold more rows than LONGEST.
import { appPath, asRefusal, get, hasScope, server, useServer } from './api.js';
import { Refused } from './form.js';
import { counted, field, html, number, title, useEffect, useRef, useState, visible } from './shown.js';

const LONGEST = 2000;

// By how much a counter has grown between two answers; null where a node came, went or began anew, and its counters with it.
export function grown(now, was, key) {
	const [after, before] = [now, was].map((of) => of?.by_node ?? { '': of });
	const steps = Object.entries(after).map(([node, of]) => of?.[key] - before[node]?.[key]);
	return steps.length === Object.keys(before).length && steps.every((n) => n >= 0) ? steps.reduce((sum, n) => sum + n) : null;
}

export const useGot = (path, options) => useAsked((signal) => get(path, { signal }), path, options);

// Asks when `key` changes, after a log-in, when the server is back, and every so many seconds while the page is looked at.
// What was there stays meanwhile. A key of null asks nothing.
export function useAsked(asking, key, { every } = {}) {
	const { epoch } = useServer();
	const [asked, set] = useState({ key });
	const [turn, setTurn] = useState(0);
	const put = (change) => set((was) => ({ ...(was.key === key ? was : { key }), ...change }));
	useEffect(() => {
		if (key === null) return;
		const stop = new AbortController();
		const { signal } = stop;
		let timer = setTimeout(() => put({ slow: true }), 300);
		const load = async () => {
			const change = await asking(signal).then((value) => ({ value, refusal: null }), (error) => ({ refusal: asRefusal(error) }));
			clearTimeout(timer);
			if (signal.aborted) return;
			put(change);
			if (every) timer = setTimeout(next, every * 1000);
		};
		const next = () => {
			if (document.hidden || server.gone) timer = setTimeout(next, 1000);
			else load();
		};
		load();
		return () => {
			stop.abort();
			clearTimeout(timer);
		};
	}, [key, epoch, turn]);
	return { ...(asked.key === key ? asked : { key }), again: () => setTurn(turn + 1), put: (value) => put({ value, refusal: null }) };
}

export function States({ of: { value, refusal, slow, again }, isEmpty, empty, what, children }) {
	const missing = value === undefined;
	// A bar says that the server is gone.
	if (refusal && (missing || refusal.word !== 'gone')) {
		return html`<${Refused} refusal=${refusal} what=${what} again=${again} />${!missing && children(value)}`;
	}
	if (missing) return html`<p class=state role=status>${slow && 'Loading…'}</p>`;
	return isEmpty?.(value) ? html`<div class="state empty">${[empty].flat().filter(Boolean).map((words) => html`<p>${words}</p>`)}</div>` : children(value);
}

// Rows that stay still while they are read: none comes or goes under the pointer. New ones are counted until `show`, those that
// are gone are marked. Another key begins anew.
export function useStill(key, value, rows = [], by) {
	const [, draw] = useState();
	const list = useRef({}).current;
	const id = keyOf(by);
	const begin = () => Object.assign(list, { key, seen: value, rows, next: value?.next, fresh: 0, gone: new Set() });
	// Under the pointer there is nothing yet.
	if (list.key !== key || !list.rows.length) begin();
	else if (value && value !== list.seen) {
		const now = new Map(rows.map((row) => [id(row), row]));
		const known = list.rows.map(id);
		list.rows = list.rows.map((row) => now.get(id(row)) ?? row);
		list.fresh = rows.filter((row) => !known.includes(id(row))).length;
		// Only where the answer has everything, a row that is not in it is gone.
		list.gone = new Set(value.next ? [] : known.filter((name) => !now.has(name)));
		list.seen = value;
	}
	list.show = () => {
		begin();
		draw({});
	};
	return list;
}

export const Fresh = ({ of: { fresh, show } }) => html`<p class=fresh role=status>${fresh > 0 && html`<button class=small onClick=${show}>${number(fresh)} new, show</button>`}</p>`;

// The list of a route, of an app or of the node, in pages: `plural` of the answer, or `only` some of it, or a `few`, the first page.
export function Listed({ route, query = {}, plural = route.at(-1), id: by, every = 5, only, few, what = `the ${plural}`, caption = counted(plural.slice(0, -1)), empty, columns, needs }) {
	const id = keyOf(by);
	const key = appPath(...route, query);
	const page = (after, signal) => get(appPath(...route, { ...query, after }), { signal });
	const asked = useAsked((signal) => page(null, signal), key, { every });
	const [more, setMore] = useState({});
	const { value = {} } = asked;
	const list = useStill(key, asked.value, value[plural], id);
	const further = async () => {
		setMore({ busy: true });
		try {
			const found = await page(list.next);
			const known = new Set(list.rows.map(id));
			list.rows = [...list.rows, ...found[plural].filter((row) => !known.has(id(row)))].slice(0, LONGEST);
			list.next = list.rows.length < LONGEST ? found.next : null;
			setMore({});
		} catch (error) {
			setMore({ refusal: asRefusal(error) });
		}
	};
	const rows = only ? list.rows.filter(only) : list.rows;
	const said = (words, ...of) => (typeof words === 'function' ? words(...of) : words);
	return html`<div><${Missing} of=${value} />
		<${States} of=${asked} isEmpty=${() => !rows.length && !list.fresh} empty=${said(empty, value)} what=${what}>${() => html`
			<${Fresh} of=${list} />
			<${Table} caption=${[said(caption, rows, value, list.next), ofNodes(value)].filter(Boolean).join(', ')} columns=${columns} needs=${needs} rows=${rows} id=${id} gone=${list.gone} />
			<${Refused} refusal=${more.refusal} what=${what} again=${further} />
			${list.next && !few && html`<p><button disabled=${more.busy} onClick=${further}>More</button></p>`}
			${list.rows.length >= LONGEST && html`<p class=quiet>These are the first ${number(LONGEST)}; a filter finds the others.</p>`}`}<//></div>`;
}

// Of which nodes an answer is, in words; nothing is said where there is only one.
export function ofNodes({ of, node, nodes, missing }) {
	if (of === 'all nodes') return `of the nodes ${nodes.map(visible).join(', ')}`;
	return of === 'this node' && !missing ? `of the node ${visible(node)}${nodes ? ' alone' : ''}` : '';
}

export const caution = (words) => html`<p class=caution>${words}</p>`;

export function Missing({ of: { missing } = {} }) {
	if (missing?.length) return caution(`Without what these nodes have, which did not answer: ${missing.map(visible).join(', ')}`);
	return missing === null && caution('The other nodes cannot be asked at the moment; they may have more.');
}

const keyOf = (by = 'id') => (typeof by === 'string' ? (row) => row[by] : by);

// A column of a table, or a fact: the name of a field, how the column is, and its label, 'outbox_bytes:number:Waiting'; or
// [label, cell(row), how it is, its order, its head]. It is a number, fit (no wider than its content) or block (below its label
// in a card).
function columnOf(spec) {
	if (typeof spec !== 'string') return spec;
	const [name, is, label = title(name)] = spec.split(':');
	return [label, (row) => field(row, name), is || (/(at|since)$/.test(name) ? 'fit' : undefined)];
}

export const Facts = ({ of, facts }) => html`<dl class="pairs panel narrow">${facts.map((spec) => {
	const [label, cell] = columnOf(spec);
	const shown = cell(of);
	return shown || shown === 0 ? html`<dt>${label}</dt><dd>${shown}</dd>` : null;
})}</dl>`;

// `needs` has the scope for what a column is for.
export function Table({ caption, columns, rows, id: by, gone, needs = {} }) {
	const id = keyOf(by);
	const all = columns.filter(Boolean).map(columnOf);
	const cell = ([label, cell, is], row, n) => (n === 0
		? html`<th scope=row class=${is} data-label=${label}><div>${cell(row)}</div></th>`
		: html`<td class=${is} data-label=${label}><div>${cell(row)}</div></td>`);
	return html`<table>
		<caption>${caption}${Object.entries(needs).map(([what, scope]) => !hasScope(scope) && ` · ${what} needs the scope ${scope}`)}</caption>
		<thead><tr>${all.map(([label, , is, sort, head = label]) => html`<th scope=col class=${is} aria-sort=${sort}>
			${head}${sort && html`<span aria-hidden=true>${sort === 'ascending' ? ' ▴' : ' ▾'}</span>`}</th>`)}</tr></thead>
		<tbody>${rows.map((row) => html`<tr key=${id(row)} data-row tabindex="-1" class=${gone?.has(id(row)) ? 'gone' : ''}>${all.map((column, n) => cell(column, row, n))}</tr>`)}</tbody>
	</table>`;
}
