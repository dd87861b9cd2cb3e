// Owns the parts of forms: fields, buttons that say which scope they need, dialogs, and how a refusal is told.
import { asRefusal, hasScope, server } from './api.js';
import { queried, setQuery } from './address.js';
import { Copy, html, lamp, text, useEffect, useRef, useState, visible } from './shown.js';

export function Refused({ refusal, what, again }) {
	if (!refusal) return null;
	const { message, word, faults } = refusal;
	const advice = server.schemas?.Problem.properties.type['x-advice'][word];
	return html`<div class=refused role=alert>
		<p><span aria-hidden=true>✗</span> ${text(message)}</p>
		${faults.length > 0 && html`<ul>${faults.map((fault) => html`<li>${text(fault)}</li>`)}</ul>`}
		${advice && html`<p class=quiet>${advice}</p>`}
		${again && html`<p><button type=button class=small onClick=${again}>Try again</button> <small>could not get ${what}</small></p>`}
	</div>`;
}

// In a list the scope stands above the list.
export function Act({ needs, off, listed, children, ...button }) {
	const may = hasScope(needs);
	return html`<span><button type=button ...${button} disabled=${!may || off}>${children}</button>${!may && !listed && html` <small>needs the scope ${needs}</small>`}</span>`;
}

// What ends a form: what was refused, and the button that does it.
export const Submit = ({ of: { busy, refusal }, off, needs = 'write', does, children }) => html`<${Refused} refusal=${refusal} />
	<p class=row><${Act} needs=${needs} type=submit class=main off=${busy || off}>${does}<//> ${children}</p>`;

let last = 0;

function useId() {
	const id = useRef();
	return (id.current ??= `f${++last}`);
}

// A labelled field: the child is a function of the input's attributes.
export function Field({ label, note, faults = [], children, wide }) {
	const id = useId();
	const described = [note && `${id}n`, faults.length && `${id}e`].filter(Boolean).join(' ') || undefined;
	return html`<div class=${wide ? 'field wide' : 'field'}>
		<label for=${id}>${label}</label>
		${children({ id, 'aria-describedby': described, 'aria-invalid': faults.length ? 'true' : undefined, spellcheck: false, autocomplete: 'off' })}
		${note && html`<small id=${`${id}n`} class=quiet>${note}</small>`}
		${faults.length > 0 && html`<small id=${`${id}e`} class=fault>${faults.map(visible).join('; ')}</small>`}
	</div>`;
}

export const Line = ({ label, note, faults, wide, put, ...input }) => html`<${Field} ...${{ label, note, faults, wide }}>
	${(field) => html`<input ...${field} ...${input} onInput=${(event) => put(event.target.value)} />`}<//>`;

export const Check = ({ on, flip, disabled, children }) => html`<label class=check><input type=checkbox checked=${on} disabled=${disabled} onChange=${flip} /> <span>${children}</span></label>`;

export const Filters = ({ query, fields, children }) => html`<div class=filters>
	${fields.map(([name, label, placeholder]) => html`<${Filter} ...${{ name, label, placeholder }} value=${query.get(name) ?? ''} />`)}${children}</div>`;

function Filter({ name, value, ...line }) {
	const [typed, setTyped] = useState(value);
	useEffect(() => setTyped(value), [value]);
	useEffect(() => {
		const timer = setTimeout(() => typed !== value && setQuery({ [name]: typed }), 250);
		return () => clearTimeout(timer);
	}, [typed]);
	return html`<${Line} ...${line} type=search value=${typed} put=${setTyped} />`;
}

export const Once = ({ what, text: lines, again }) => html`
	<p class=caution>${lamp('warn', `Copy it now: ${again ? 'later only the scope secrets shows' : 'this is the only time that you see'} the ${what}.`)}</p>
	<pre tabindex="0" aria-label="Lines to copy">${lines}</pre><p><${Copy} text=${lines} /></p>`;

// A dialog over the page; Esc closes it, and the button that the child is given.
export function Dialog({ title, onClose, children, autofocus, closeWord = 'Cancel' }) {
	const element = useRef();
	const id = useId();
	useEffect(() => {
		const before = document.activeElement;
		element.current.showModal();
		// What opened it may be gone by then.
		return () => setTimeout(() => (before.isConnected ? before : document.querySelector('main')).focus());
	}, []);
	const cancel = (event) => {
		event.preventDefault();
		onClose?.();
	};
	return html`<dialog ref=${element} aria-labelledby=${id} onCancel=${cancel}>
		<h2 id=${id}>${title}</h2>
		${children(html`<button type=button autofocus=${autofocus} onClick=${onClose}>${closeWord}</button>`)}
	</dialog>`;
}

export function Do({ act, off, children, ...button }) {
	const doing = useAction(act);
	return html`<${Act} ...${button} off=${off || doing.busy} onClick=${() => doing.run()}>${children}<//><${Refused} refusal=${doing.refusal} />`;
}

// A button that asks before it acts; with `choices`, words and what each does, which of them.
export function Sure({ label, does = label, choices, title, act, ready = true, children, ...button }) {
	const [open, setOpen] = useState(false);
	const acting = useAction(async (choice) => {
		await act(choice);
		setOpen(false);
	});
	return html`<${Act} aria-label=${title.replace('?', '')} ...${button} onClick=${() => (acting.clear(), setOpen(true))}>${label}<//>
		${open && html`<${Dialog} title=${title} autofocus=${choices} onClose=${() => setOpen(false)}>${(cancel) => html`
			<form onSubmit=${submitted(() => ready && !choices && acting.run())}>
				${children}
				${choices?.map(([word, what]) => html`<p class="row nowrap"><button type=button class=danger disabled=${acting.busy} onClick=${() => acting.run(word)}>${word}</button> <span>${what}</span></p>`)}
				<${Refused} refusal=${acting.refusal} />
				<p class=row>${!choices && html`<button class=danger disabled=${!ready || acting.busy}>${does}</button>`} ${cancel}</p>
			</form>`}<//>`}`;
}

export const submitted = (act) => (event) => {
	event.preventDefault();
	event.stopPropagation();
	act();
};

export function useAction(action) {
	const [state, set] = useState({});
	const run = async (...given) => {
		if (state.busy) return;
		set({ busy: true });
		try {
			await action(...given);
			set({});
		} catch (error) {
			set({ refusal: asRefusal(error) });
		}
	};
	return { ...state, run, clear: () => set({}) };
}

// The values of a form: `put(name)` takes a new one, `of(name)` is the attributes of a Line.
export function useGiven(begin) {
	const [given, set] = useState(begin);
	const put = (name) => (value) => set((was) => ({ ...was, [name]: value }));
	return { given, set, put, of: (name) => ({ value: given[name], put: put(name) }) };
}

export const flipped = (list, item) => (list.includes(item) ? list.filter((other) => other !== item) : [...list, item]);

export const linesOf = (text) => text.split('\n').map((line) => line.trim()).filter(Boolean);

// The tab of an address, or the first.
export const chosen = (of, at) => (Object.hasOwn(of, at) ? at : Object.keys(of)[0]);

// Each has an address: a value of the query, or what `href` makes.
export const Tabs = ({ label, of, on, name = 'tab', href = (at) => queried({ [name]: at }) }) => html`<nav class=tabs aria-label=${label}>${Object.entries(of).map(
	([at, words]) => html`<a href=${href(at)} aria-current=${on === at ? 'page' : undefined}>${words}</a>`)}</nav>`;
