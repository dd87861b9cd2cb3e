// Owns what an app has used: curves, table and CSV; and the curve that other pages draw too.
// Must never load the library of the curves on a page without one.
import { appPath } from './api.js';
import { here, setQuery, shown, useEvent } from './address.js';
import { Check, Tabs, chosen } from './form.js';
import { States, Table, useGot } from './list.js';
import { count, exact, field, html, number, size, useEffect, useRef, useState, visible, words } from './shown.js';

const SPANS = { 24: '24 h', 168: '7 d', 720: '30 d', 2160: '90 d' };

const CURVES = [
	['Peak connections', number, { peak_connections: 'connections' }, 'max_connections'],
	['Messages', number, { backend_messages: 'from back ends', client_messages: 'from clients' }],
	['Deliveries', number, { deliveries: 'deliveries' }],
	['Bytes delivered', size, { delivered_bytes: 'bytes' }],
	['Webhooks', number, { webhook_deliveries: 'delivered', webhook_failures: 'failed attempts', webhook_events_dropped: 'events dropped' }],
];

const KEYS = CURVES.flatMap(([, , series]) => Object.keys(series));

function everyHour({ from, until, hours }) {
	const used = new Map(hours.map((hour) => [Date.parse(hour.hour), hour]));
	const nothing = Object.fromEntries(KEYS.map((key) => [key, 0]));
	const found = [];
	for (let at = Date.parse(from); at < Date.parse(until); at += 3_600_000) found.push({ ...nothing, ...used.get(at), hour: new Date(at).toISOString() });
	return found;
}

export function Usage({ query }) {
	const hours = chosen(SPANS, query.get('hours'));
	const local = query.get('zone') === 'local';
	const asTable = query.get('as') === 'table';
	const asked = useGot(appPath('usage', { hours }), { every: 60 });
	const settings = useGot(appPath()).value?.settings;
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
	// Numbers only: no text of a stranger.
	const csv = () => [['hour', ...KEYS], ...everyHour(asked.value).map((row) => [row.hour, ...KEYS.map((key) => row[key])])].join('\r\n');
	return html`<h1>Usage</h1>
		<div class=row><${Tabs} label="Span of time" of=${SPANS} on=${hours} name=hours />
			${zone !== 'UTC' && html`<${Check} on=${local} flip=${() => setQuery({ zone: local ? '' : 'local' })}>local time (${zone})<//>`}
			<${Check} on=${asTable} flip=${() => setQuery({ as: asTable ? '' : 'table' })}>as table<//>
			${asked.value && html`<button class=small onClick=${() => save(`usage-${shown.app}-${hours}h.csv`, 'text/csv', csv())}>CSV</button>`}</div>
		<${States} of=${asked} what="the usage" isEmpty=${(usage) => !usage.hours.length}
			empty=${['Nothing was used in this time.', html`<a href=${here('send')}>Send a test event</a>, or look at a longer time.`]}>
			${(value) => html`<dl class=numbers>${KEYS.filter((key) => value.total[key] || !/^(webhook|client)/.test(key)).map((key) => html`<div><dt>${words(key)}</dt><dd>${field(value.total, key)}</dd></div>`)}</dl>
				${asTable ? html`<${Numbers} rows=${everyHour(value).reverse()} local=${local} />` : html`<${Curves} rows=${everyHour(value)} local=${local} settings=${settings} />`}`}
		<//>`;
}

const Curves = ({ rows, local, settings }) => html`<div class=curves>${CURVES.map(([name, unit, series, quota]) => {
	const lines = Object.entries(series).map(([key, label]) => ({ label, values: rows.map((row) => row[key]) }));
	const most = settings?.[quota];
	if (most) lines.push({ label: `quota ${number(most)}`, values: rows.map(() => most), dashed: true });
	return html`<${Curve} ...${{ name, unit, lines, local }} times=${rows.map(({ hour }) => Date.parse(hour) / 1000)} steps />`;
})}</div>`;

function Numbers({ rows, local }) {
	const time = (at) => (local ? new Date(at).toLocaleString('sv-SE') : at.replace('T', ' ')).slice(0, 16);
	return html`<${Table} caption=${`${count(rows.length, 'hour')}, the newest first`} rows=${rows} id=hour columns=${[
		[local ? 'Hour, local time' : 'Hour, UTC', ({ hour }) => html`<time dateTime=${hour} title=${exact(hour)}>${time(hour)}</time>`, 'fit'],
		...KEYS.map((key) => `${key}:number`),
	]} />`;
}

export function save(name, type, text) {
	const link = document.createElement('a');
	link.href = URL.createObjectURL(new Blob([text], { type }));
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const HEIGHT = 190;

let library;

function uPlotLibrary() {
	library ??= import('./vendor/uplot.js').then((module) => {
		document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: 'vendor/uplot.css' }));
		return module.default;
	});
	return library;
}

function colour(name) {
	const probe = document.createElement('span');
	probe.style.color = `var(--${name})`;
	document.body.append(probe);
	const found = getComputedStyle(probe).color;
	probe.remove();
	return found;
}

export function Curve({ name, unit = number, times, lines, local, steps }) {
	const place = useRef();
	const [failed, setFailed] = useState(false);
	const [theme, setTheme] = useState(0);
	useEvent('theme', () => setTheme(theme + 1));
	useEffect(() => {
		let plot;
		let resized;
		const box = place.current;
		uPlotLibrary().then((UPlot) => {
			if (!box.isConnected) return;
			// A value of an hour holds until the hour's end.
			const held = (values, end) => (steps ? [...values, end] : values);
			const data = [held(times, 2 * times.at(-1) - times.at(-2)), ...lines.map(({ values }) => held(values, values.at(-1)))];
			plot = new UPlot(options(UPlot, { lines, unit, local, steps, width: box.clientWidth }), data, box);
			resized = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: HEIGHT }));
			resized.observe(box);
		}, () => setFailed(true));
		return () => {
			resized?.disconnect();
			plot?.destroy();
		};
	}, [JSON.stringify([times, lines]), local, theme]);
	const said = ({ label, values, dashed }, n) => (dashed ? ` · ${label}` : html`${n > 0 && ' · '}<span class="key k${n}">${visible(label)}</span> at most ${unit(Math.max(...values))}, now ${unit(values.at(-1))}`);
	return html`<figure class="panel curve">
		<figcaption><b>${name}</b> <small>${lines.map(said)} · ${local ? 'local time' : 'UTC'}</small></figcaption>
		<div ref=${place} class=plot aria-hidden=true></div>
		${failed && html`<p class=quiet>The curve could not be loaded.</p>`}
	</figure>`;
}

function timeOf(seconds, local, step) {
	const at = new Date(seconds * 1000);
	const timeZone = local ? undefined : 'UTC';
	const hour = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: step < 60 ? '2-digit' : undefined, timeZone });
	return step < 86_400 && !/^00:00(:00)?$/.test(hour) ? hour : at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone });
}

function options(UPlot, { lines, unit, local, steps, width }) {
	const grid = { stroke: colour('line'), width: 1 };
	const axis = { stroke: colour('quiet'), grid, ticks: grid, font: '12px system-ui' };
	return {
		width,
		height: HEIGHT,
		legend: { show: false },
		cursor: { show: false },
		tzDate: local ? undefined : (seconds) => UPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
		scales: { y: { range: (plot, low, high) => [0, Math.max(1, high * 1.1)] } },
		axes: [
			{ ...axis, values: (plot, at, index, space, step) => at.map((seconds) => timeOf(seconds, local, step)) },
			{ ...axis, size: 72, values: (plot, values) => values.map((value) => (Number.isInteger(value) || unit === size ? unit(value) : '')) },
		],
		series: [{}, ...lines.map(({ label, dashed }, n) => ({
			label,
			stroke: colour(dashed ? 'quiet' : ['accent', 'warn', 'bad'][n]),
			width: 2,
			dash: dashed && [6, 4],
			points: { show: false },
			paths: steps && !dashed ? UPlot.paths.stepped({ align: 1 }) : undefined,
		}))],
	};
}
