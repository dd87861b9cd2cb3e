<?php
// Tests PHP's client side, as in Laravel's broadcaster, with the built binary. Exits with status 1 on a
// failure.

declare(strict_types=1);

require __DIR__ . '/Broadcaster.php';
require __DIR__ . '/RunningFanfare.php';
require __DIR__ . '/Subscriber.php';

/** Fails unless both are the same, type and order included. */
function same(mixed $expected, mixed $found): void
{
    if ($expected !== $found) {
        throw new RuntimeException('expected ' . json_encode($expected) . ', found ' . json_encode($found));
    }
}

/** Fails unless the call fails like the PHP library, with this status. */
function refused(int $status, string $words, callable $call): void
{
    try {
        $call();
    } catch (BroadcastFailed $failure) {
        same($status, $failure->getCode());
        same(true, str_contains($failure->getMessage(), $words) ?: $failure->getMessage());
        return;
    }
    throw new RuntimeException('was accepted');
}

function broadcaster(RunningFanfare $server, string $secret = RunningFanfare::SECRET): Broadcaster
{
    return new Broadcaster($server->url(), RunningFanfare::ID, RunningFanfare::KEY, $secret);
}

function subscriber(RunningFanfare $server): Subscriber
{
    return new Subscriber($server->host, $server->port, RunningFanfare::KEY);
}

/** A signed-in subscriber. */
function signedIn(RunningFanfare $server, array $user): Subscriber
{
    $subscriber = subscriber($server);
    same($user, $subscriber->signIn(broadcaster($server)->authenticate($subscriber->socketId, $user)));
    return $subscriber;
}

$tests = [
    'api_080 an event with backslashes for one channel arrives byte for byte' => function (RunningFanfare $server) {
        $subscriber = subscriber($server);
        $subscriber->subscribe('orders');
        $payload = ['url' => 'a/b', 'text' => 'grüße', 'float' => 1.0, 'none' => null];
        same([], broadcaster($server)->broadcast(['orders'], 'App\\Events\\OrderShipped', $payload));
        $frame = $subscriber->next('App\\Events\\OrderShipped');
        same('{"url":"a\/b","text":"gr\u00fc\u00dfe","float":1,"none":null}', $frame['data']);
        same('orders', $frame['channel']);
    },
    'an event for several channels arrives on each, and an empty payload as a list' => function ($server) {
        $broadcaster = broadcaster($server);
        $subscriber = subscriber($server);
        $private = 'private-App.Models.User.7';
        $subscriber->subscribe('orders');
        $subscriber->subscribe($private, $broadcaster->authorize($subscriber->socketId, $private));
        $broadcaster->broadcast(['orders', $private], 'order.shipped', []);
        $frames = [$subscriber->next('order.shipped'), $subscriber->next('order.shipped')];
        $channels = array_column($frames, 'channel');
        sort($channels);
        same(['orders', $private], $channels);
        same(['[]', '[]'], array_column($frames, 'data'));
    },
    'api_080 toOthers leaves out the connection that X-Socket-ID named' => function (RunningFanfare $server) {
        [$sender, $other] = [subscriber($server), subscriber($server)];
        $sender->subscribe('orders');
        $other->subscribe('orders');
        $broadcaster = broadcaster($server);
        $broadcaster->broadcast(['orders'], 'for.others', [], $sender->socketId);
        $broadcaster->broadcast(['orders'], 'for.all', []);
        $other->next('for.others');
        $other->next('for.all');
        $sender->next('for.all');
    },
    'auth_020 a presence channel takes channel_data as PHP encodes it' => function (RunningFanfare $server) {
        $broadcaster = broadcaster($server);
        $subscriber = subscriber($server);
        $user = ['user_id' => '7', 'user_info' => ['name' => 'Müller/Ann']];
        $auth = $broadcaster->authorize($subscriber->socketId, 'presence-room', $user);
        $frame = $subscriber->subscribe('presence-room', $auth);
        $presence = ['count' => 1, 'ids' => ['7'], 'hash' => ['7' => ['name' => 'Müller/Ann']]];
        same(['presence' => $presence], json_decode($frame['data'], true));
        same(['users' => [['id' => '7']]], $broadcaster->get('/channels/presence-room/users'));
    },
    'auth_006 query values are signed as they are and sent percent-encoded' => function (RunningFanfare $server) {
        $broadcaster = broadcaster($server);
        $subscriber = subscriber($server);
        $name = 'presence-a=b@c,d.e;f';
        $user = ['user_id' => '7'];
        $subscriber->subscribe($name, $broadcaster->authorize($subscriber->socketId, $name, $user));
        $query = ['filter_by_prefix' => 'presence-a=b@c,', 'info' => 'user_count,subscription_count'];
        $found = $broadcaster->get('/channels', $query)['channels'];
        same([$name], array_keys($found));
        same(1, $found[$name]['user_count']);
    },
    'api_001 one connection carries many requests, refused ones included' => function (RunningFanfare $server) {
        $broadcaster = broadcaster($server);
        for ($i = 0; $i < 20; $i++) {
            same([], $broadcaster->broadcast(['orders'], 'order.shipped', ['i' => $i]));
            same([], $broadcaster->get('/channels')['channels']);
            refused(400, 'Invalid channel name', fn () => $broadcaster->broadcast(['a b'], 'x', []));
        }
        same(1, $broadcaster->connections);
    },
    'auth_030 ws_192 a message to a user reaches every connection of the user' => function (RunningFanfare $server) {
        $ann = ['id' => '7', 'user_info' => ['name' => 'Müller/Ann']];
        $tabs = [signedIn($server, $ann), signedIn($server, $ann)];
        $bob = signedIn($server, ['id' => '8']);
        same([], broadcaster($server)->sendToUser('7', 'order.shipped', ['id' => 1]));
        same([], broadcaster($server)->sendToUser('8', 'for.bob', []));
        foreach ($tabs as $tab) {
            $frame = $tab->next('order.shipped');
            same(['#server-to-user-7', '{"id":1}'], [$frame['channel'], $frame['data']]);
        }
        $bob->next('for.bob');
    },
    'api_060 api_062 ending the connections of a user closes all of them and no other' => function ($server) {
        $tabs = [signedIn($server, ['id' => '7']), signedIn($server, ['id' => '7'])];
        $bob = signedIn($server, ['id' => '8']);
        $broadcaster = broadcaster($server);
        same([], $broadcaster->terminateUserConnections('7'));
        same([], $broadcaster->terminateUserConnections('nobody'));
        foreach ($tabs as $tab) {
            same([4009, 'You got disconnected by the app.'], $tab->closed());
        }
        $broadcaster->sendToUser('8', 'still.here', []);
        $bob->next('still.here');
        refused(401, 'Invalid signature', fn () => broadcaster($server, 'wrong')->terminateUserConnections('8'));
    },
    'ws_171 api_036 a cache channel keeps the last event, and tells it' => function (RunningFanfare $server) {
        $broadcaster = broadcaster($server);
        $broadcaster->broadcast(['private-cache-prices'], 'price', ['euro' => 2]);
        $subscriber = subscriber($server);
        $auth = $broadcaster->authorize($subscriber->socketId, 'private-cache-prices');
        $subscriber->subscribe('private-cache-prices', $auth);
        same('{"euro":2}', $subscriber->next('price')['data']);
        $found = $broadcaster->get('/channels/private-cache-prices', ['info' => 'cache,subscription_count']);
        same([true, 1, '{"euro":2}'], [$found['occupied'], $found['subscription_count'], $found['cache']['data']]);
    },
    'a wrong secret and too much data say in one line what is wrong' => function (RunningFanfare $server) {
        $wrong = broadcaster($server, 'not-the-secret');
        $words = 'Invalid signature: you should have sent HmacSHA256Hex(';
        refused(401, $words, fn () => $wrong->broadcast(['orders'], 'order.shipped', []));
        $big = ['text' => str_repeat('x', 10240)];
        $words = 'The data content of this event exceeds the allowed maximum (10240 bytes)';
        refused(413, $words, fn () => broadcaster($server)->broadcast(['orders'], 'order.shipped', $big));
    },
];

$failed = 0;
foreach ($tests as $name => $test) {
    $server = null;
    try {
        $server = new RunningFanfare();
        $test($server);
        $server->stop();
        echo "ok      {$name}\n";
    } catch (Throwable $failure) {
        $failed++;
        echo "FAILED  {$name}\n        {$failure->getMessage()} ({$failure->getFile()}:{$failure->getLine()})\n";
        $server?->kill();
    }
}
echo count($tests) - $failed, ' passed, ', $failed, " failed\n";
exit($failed === 0 ? 0 : 1);
