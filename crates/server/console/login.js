// Owns the log-in: the page of it, and the dialog over a page whose session has ended.
// Must never keep the token: the field is empty again as soon as the server has it.
import { login } from './api.js';
import { Dialog, Line, submitted } from './form.js';
import { count, html, useEffect, useRef, useState } from './shown.js';

const tries = ({ wrong, allowed }) => wrong > 1 && `${count(wrong, 'wrong token')} from this address; at ${allowed} it waits a minute`;

function Form({ refusal: before }) {
	const [token, setToken] = useState('');
	const [refusal, setRefusal] = useState(before);
	const [busy, setBusy] = useState(false);
	const [left, setLeft] = useState(before?.retryAfter ?? 0);
	const form = useRef();
	useEffect(() => form.current.querySelector('input').focus(), [refusal]);
	useEffect(() => {
		const timer = left > 0 && setTimeout(() => setLeft(left - 1), 1000);
		return () => clearTimeout(timer);
	}, [left]);
	const submit = async () => {
		setBusy(true);
		setToken('');
		await login({ token: token.trim() }).catch((error) => {
			setRefusal(error);
			setLeft(error.retryAfter);
			setBusy(false);
		});
	};
	const fault = left > 0 ? `Too many wrong tokens have come from this address. It waits ${left} s.` : refusal?.status === 429 ? 'Try again now.' : refusal && [refusal.message, tries(refusal)].filter(Boolean).join('. ');
	return html`<form ref=${form} onSubmit=${submitted(() => !busy && token && submit())}>
		<${Line} label=Token faults=${fault ? [fault] : []} wide type=password required value=${token} put=${setToken} />
		<p><button class=main disabled=${busy || left > 0}>Log in</button></p>
		<p class=quiet>No token yet? On the server, <code>fanfare console</code> prints a link that logs in.</p>
	</form>`;
}

export const Login = ({ refusal }) => html`<main class=login>
	<h1><span class=flag aria-hidden=true></span>Fanfare</h1>
	<${Form} refusal=${refusal} />
</main>`;

export const LoginAgain = () => html`<${Dialog} title="Your session has ended">${() => html`
	<p>Log in again, and the page goes on where it was.</p>
	<${Form} />`}<//>`;
