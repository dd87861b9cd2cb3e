// Signing and verifying with the stock Node SDK: the worked examples of the server's own tests.
//
// Uses no server. If one of these fails after an update, the SDK has changed, not Fanfare.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import PusherSdk from 'pusher';

import { APP } from './support/fanfare.js';
import { ENCRYPTION_KEY } from './support/scene.js';

const SOCKET = '1234.1234';
const sdk = new PusherSdk({
  appId: APP.id,
  key: APP.key,
  secret: APP.secret,
  encryptionMasterKeyBase64: ENCRYPTION_KEY,
});
const auth = (signature) => `${APP.key}:${signature}`;

test('auth_020 authorizeChannel', () => {
  const cases = [
    ['private-foobar', undefined, '58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4'],
    [
      'presence-foobar',
      { user_id: 10, user_info: { name: 'Mr. Channels' } },
      '31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80',
    ],
    [
      'presence-foobar',
      { user_id: 'u1', user_info: { name: 'Ann' } },
      '3e98c5ba95bf36a9e3fa948f4f7e1bec7dbf5ec66851869579bb22ed411bfb77',
    ],
    ['presence-cache-foobar', { user_id: 'u1' }, '8425122eee6e8d64dbe89f5c8e96db5bae4b12352519fad0ec7c3e3700d71c51'],
  ];
  for (const [channel, member, signature] of cases) {
    const answer = sdk.authorizeChannel(SOCKET, channel, member);
    assert.equal(answer.auth, auth(signature), channel);
    assert.equal(answer.channel_data, member && JSON.stringify(member));
  }
});

test('auth_040 an encrypted channel comes with its shared secret', () => {
  assert.deepEqual(sdk.authorizeChannel(SOCKET, 'private-encrypted-foobar'), {
    auth: auth('e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533'),
    shared_secret: '/fXNISfW5oYPsxk0w2Unhmf4ryxyOUewExp5ih8r70k=',
  });
});

test('auth_030 authenticateUser', () => {
  const cases = [
    [{ id: '12345' }, '4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba'],
    [
      { id: '12345', user_info: { name: 'Ann' }, watchlist: ['67890'] },
      '182b2be0da190bb6de0df9f748dea56b925c0db84fff01725b8328070e0397ae',
    ],
  ];
  for (const [user, signature] of cases) {
    const answer = { auth: auth(signature), user_data: JSON.stringify(user) };
    assert.deepEqual(sdk.authenticateUser(SOCKET, user), answer);
  }
});

test('auth_050 webhook', () => {
  const occupied = '{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"private-foobar"}]}';
  const added = '{"name":"member_added","channel":"presence-foobar","user_id":"u1"}';
  const said =
    '{"name":"client_event","channel":"presence-foobar","event":"client-hi","data":"{\\"a\\":1}",' +
    '"socket_id":"1234.1234","user_id":"u1"}';
  const cases = [
    [occupied, 'c9e4a34dfe004d6c993f44d9adcbdc04819c201203a4043bb5bc3120ab5321ea'],
    [
      `{"time_ms":1700000000500,"events":[${added},${said}]}`,
      '396e79aa42bcc82ca3bb71c8b30957d4714979c50c9edad1f6e0fa593af1548e',
    ],
  ];
  for (const [rawBody, signature] of cases) {
    const headers = {
      'x-pusher-key': APP.key,
      'x-pusher-signature': signature,
      'content-type': 'application/json',
    };
    const webhook = sdk.webhook({ headers, rawBody });
    assert.equal(webhook.isValid(), true);
    assert.deepEqual(webhook.getEvents(), JSON.parse(rawBody).events);
    assert.equal(webhook.getTime().getTime(), JSON.parse(rawBody).time_ms);
    const forged = { headers, rawBody: rawBody.replace('foobar', 'other') };
    assert.equal(sdk.webhook(forged).isValid(), false);
    // The only accepted content type; even a parameter is refused.
    const described = { headers: { ...headers, 'content-type': 'application/json; charset=utf-8' }, rawBody };
    assert.equal(sdk.webhook(described).isValid(), false);
  }
});
