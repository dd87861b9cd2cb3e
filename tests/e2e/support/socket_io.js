// Laravel Echo, old and new, with the client that pages of laravel-echo-server have.
import Echo2 from 'laravel-echo';
import Echo1 from 'laravel-echo-1';
import io from 'socket.io-client-2';

export { io };
// Echo 1 is no module of JavaScript: its class is a member of what is imported.
export const ECHOES = { 'Echo 1': Echo1.default, 'Echo 2': Echo2 };
