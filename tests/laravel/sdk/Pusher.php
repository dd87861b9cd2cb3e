<?php
// Replaces Pusher's PHP library, which Debian does not package: the part of its interface that Laravel's
// pusher broadcaster calls, with the requests of tests/e2e-php. ../README.md tells how to run the tests with
// the library itself.

declare(strict_types=1);

namespace Pusher;

require_once __DIR__ . '/../../e2e-php/Broadcaster.php';

final class Pusher
{
    private \Broadcaster $broadcaster;

    public function __construct(string $key, string $secret, string $appId, array $options = [])
    {
        $url = "{$options['scheme']}://{$options['host']}:{$options['port']}";
        // The path prefix is not signed; without a slash at its end the library drops the prefix.
        $path = $options['path'] ?? '';
        $url .= str_ends_with($path, '/') ? rtrim($path, '/') : '';
        $this->broadcaster = new \Broadcaster($url, $appId, $key, $secret);
    }

    public function trigger(array $channels, string $event, array $data, array $parameters = []): object
    {
        if (count($channels) > 100) {
            throw new PusherException('at most 100 channels in one call');
        }
        $socket = $parameters['socket_id'] ?? null;
        $this->refuseUnless($socket === null || $this->isSocketId($socket), "no socket id: {$socket}");
        try {
            return (object) $this->broadcaster->broadcast($channels, $event, $data, $socket);
        } catch (\BroadcastFailed $failure) {
            throw new ApiErrorException($failure->getMessage(), $failure->getCode(), $failure);
        }
    }

    public function socket_auth(string $channel, string $socketId): string
    {
        return $this->authorization($channel, $socketId, null);
    }

    /** The id is a string here, whatever the type of the user's key. */
    public function presence_auth(string $channel, string $socketId, string $userId, mixed $userInfo): string
    {
        return $this->authorization($channel, $socketId, ['user_id' => $userId, 'user_info' => $userInfo]);
    }

    private function authorization(string $channel, string $socketId, ?array $user): string
    {
        $this->refuseUnless($this->isSocketId($socketId), "no socket id: {$socketId}");
        return json_encode($this->broadcaster->authorize($socketId, $channel, $user));
    }

    private function isSocketId(string $text): bool
    {
        return preg_match('/\A\d+\.\d+\z/', $text) === 1;
    }

    private function refuseUnless(bool $fine, string $why): void
    {
        if (!$fine) {
            throw new PusherException($why);
        }
    }
}
