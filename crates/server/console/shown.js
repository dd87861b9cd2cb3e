// Owns how values are shown: text of strangers made visible, ages, numbers, sizes, and names as links.
// Must never put a value anywhere but into text nodes and attributes of known elements.
import { html, useEffect, useState } from './vendor/preact.js';
import { now } from './api.js';
import { here, toApp } from './address.js';

export * from './vendor/preact.js';

const LONG = 300;

// Controls, direction marks, and what has no width: shown by name. A joiner between two emoji stays.
const UNSEEN =
	/(?<![\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])\u200D|\u200D(?!\p{Extended_Pictographic})|[\0-\x1F\x7F-\x9F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180E\u200B\u200C\u200E\u200F\u2028-\u202E\u2060-\u206F\u3164\uFEFF\uFFA0\uFFF9-\uFFFB\u{E0000}-\u{E0FFF}]|\p{Surrogate}/gu;

function mark(character) {
	const code = character.codePointAt(0);
	if (code < 0x20) return String.fromCodePoint(0x2400 + code);
	if (code === 0x7f) return '␡';
	return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

export const visible = (text) => String(text ?? '').replace(UNSEEN, mark);

function nodes(text, lines) {
	const found = [];
	let from = 0;
	for (const { 0: unseen, index } of text.matchAll(UNSEEN)) {
		if (lines && /[\n\t]/.test(unseen)) continue;
		found.push(text.slice(from, index), html`<span class=mark>${mark(unseen)}</span>`);
		from = index + unseen.length;
	}
	return [...found, text.slice(from)];
}

export const text = (value, long) => html`<${Text} value=${value} long=${long} />`;
export const lines = (value, long) => html`<${Text} value=${value} long=${long} lines />`;

function Text({ value, lines, long = LONG }) {
	const [open, setOpen] = useState(false);
	const whole = String(value ?? '');
	if (whole === '') return html`<small>(empty)</small>`;
	const cut = !open && whole.length > long;
	const more = html` <button type=button class=plain onClick=${() => setOpen(!open)}>${cut ? `… all ${number(whole.length)} characters` : 'less'}</button>`;
	return html`<bdi class=${lines ? 'text lines' : 'text'}>${nodes(cut ? whole.slice(0, long) : whole, lines)}</bdi>${whole.length > long && more}`;
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

export const number = (n) => (n == null ? '–' : grouped.format(n).replaceAll(',', '\u202f'));

export function size(bytes) {
	if (bytes == null) return '–';
	const unit = Math.min(4, Math.floor(Math.log2(bytes || 1) / 10));
	const value = bytes / 1024 ** unit;
	return `${number(value < 100 ? value : Math.round(value))}\u202f${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}

export const words = (name) => name.replaceAll('_', ' ');
export const title = (name) => name[0].toUpperCase() + words(name.slice(1));

export const count = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

// The caption of a list: how many rows are shown, and of how many.
export const counted = (one, words) => (rows, { total, more_than: most } = {}, next) => {
	const shown = count(rows.length, one);
	const all = most ? `${number(rows.length)} of more than ${count(most, one)}` : total > rows.length ? `${number(rows.length)} of ${count(total, one)}` : next ? `${shown}, and more` : shown;
	return words ? `${all}, ${words}` : all;
};

const STEPS = [[60, 1, 's'], [3600, 60, 'min'], [86_400, 3600, 'h'], [Infinity, 86_400, 'd']];

function span(seconds) {
	const [, unit, word] = STEPS.find(([below]) => seconds < below);
	return `${number(Math.floor(seconds / unit))} ${word}`;
}

export const exact = (date) => `${new Date(date).toISOString().replace('T', ' ').replace(/\.?0*Z$/, '')} UTC`;

export function useTick(seconds) {
	const [, tick] = useState(0);
	useEffect(() => {
		const timer = setInterval(() => tick((n) => n + 1), seconds * 1000);
		return () => clearInterval(timer);
	}, []);
}

export const age = (at, none) => html`<${Age} at=${at} none=${none} />`;

function Age({ at, none = '–' }) {
	useTick(10);
	if (Number.isNaN(Date.parse(at))) return none;
	const seconds = (now() - Date.parse(at)) / 1000;
	const words = Math.abs(seconds) < 1.5 ? 'now' : seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
	return html`<time dateTime=${at} title=${exact(at)}>${words}</time>`;
}

export function clock(at, fine) {
	if (Number.isNaN(Date.parse(at))) return '–';
	const time = new Date(at).toISOString();
	return html`<time dateTime=${time} title=${exact(at)}>${time.slice(11, fine ? 23 : 19)}</time>`;
}

export const lamp = (is, words) => html`<span class="lamp ${is}"><span aria-hidden=true>${MARKS[is]}</span> ${words}</span>`;

const MARKS = { good: '●', warn: '▲', bad: '✗', off: '○' };

export function Copy({ text, label = 'Copy', off }) {
	const [word, setWord] = useState(label);
	const copy = async () => {
		// Over plain HTTP from elsewhere the browser has no clipboard.
		setWord(await navigator.clipboard?.writeText(text).then(() => 'Copied', () => null) ?? 'The browser refused; select the text');
		setTimeout(() => setWord(label), 2000);
	};
	return html`<button type=button class=small disabled=${off} onClick=${copy}>${word}</button>`;
}

const link = (href, name) => html`<a href=${href}>${text(name, 200)}</a>`;

export const channelLink = (name) => link(here('channels', name), name);
export const socketLink = (id) => link(here('connections', id), id);
export const userLink = (id) => link(here('users', { prefix: id }), id);

function sender(by) {
	const [kind, rest] = String(by ?? '').split(/:(.*)/s);
	if (kind === 'key') return html`<a href=${here('settings', { tab: 'keys' })}>key ${visible(rest)}…</a>`;
	if (kind === 'socket' && rest) return html`socket ${socketLink(rest)}`;
	return { feed: 'Redis', console: 'the console' }[kind] ?? text(by);
}

const LINKS = {
	channel: channelLink,
	socket: socketLink,
	user: userLink,
	by: sender,
	app: (id) => link(toApp(id), id),
};

// A field of an answer, shown as its name and its type tell.
export function field(row, name) {
	const value = row[name];
	if (value == null || value === '') return '';
	if (LINKS[name]) return LINKS[name](value);
	if (/(at|since)$/.test(name)) return age(value);
	if (/bytes$/.test(name)) return size(value);
	if (typeof value === 'number') return number(value);
	if (typeof value === 'boolean') return value ? 'yes' : 'no';
	return text(Array.isArray(value) ? value.join(', ') : typeof value === 'object' ? JSON.stringify(value) : value, 200);
}
