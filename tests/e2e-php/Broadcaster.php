<?php
// PHP's client side as in Laravel's broadcaster: the same requests and the same checks of answers as with
// Pusher's PHP library, rewritten here with cURL, so that no package is needed.

declare(strict_types=1);

/** Raised where the PHP library raises: any status but 200, and any body that is no JSON object. */
final class BroadcastFailed extends RuntimeException
{
}

final class Broadcaster
{
    private CurlHandle $curl;

    /** The number of TCP connections so far. */
    public int $connections = 0;

    public function __construct(
        private readonly string $url,
        private readonly string $id,
        private readonly string $key,
        private readonly string $secret,
    ) {
        // One handle for all requests, as in a queue worker: the handle keeps its connection alive.
        $this->curl = curl_init();
    }

    /** `channel` for one channel, `channels` for several; `socket_id` only if there is one. */
    public function broadcast(array $channels, string $event, array $payload, ?string $socketId = null): array
    {
        $body = ['name' => $event, 'data' => json_encode($payload)];
        $body += count($channels) === 1 ? ['channel' => $channels[0]] : ['channels' => $channels];
        if ($socketId !== null) {
            $body['socket_id'] = $socketId;
        }
        return $this->request('POST', '/events', [], json_encode($body));
    }

    public function get(string $path, array $query = []): array
    {
        return $this->request('GET', $path, $query, null);
    }

    /** The answer of `/broadcasting/auth` for a private or (with a user) a presence channel. */
    public function authorize(string $socketId, string $channel, ?array $user = null): array
    {
        $signed = "{$socketId}:{$channel}";
        $answer = [];
        if ($user !== null) {
            $answer['channel_data'] = json_encode($user);
            $signed .= ':' . $answer['channel_data'];
        }
        return ['auth' => $this->key . ':' . hash_hmac('sha256', $signed, $this->secret)] + $answer;
    }

    /** The answer of `/broadcasting/user-auth` for a user who signs in. */
    public function authenticate(string $socketId, array $user): array
    {
        $data = json_encode($user);
        $signature = hash_hmac('sha256', "{$socketId}::user::{$data}", $this->secret);
        return ['auth' => "{$this->key}:{$signature}", 'user_data' => $data];
    }

    public function sendToUser(string $user, string $event, array $payload): array
    {
        return $this->broadcast(["#server-to-user-{$user}"], $event, $payload);
    }

    public function terminateUserConnections(string $user): array
    {
        return $this->request('POST', "/users/{$user}/terminate_connections", [], '{}');
    }

    private function request(string $method, string $path, array $query, ?string $body): array
    {
        $path = "/apps/{$this->id}{$path}";
        $address = $this->url . $path . '?' . $this->signed($method, $path, $query, $body);
        $headers = ['Content-Type: application/json', 'X-Pusher-Library: pusher-http-php 7.2.6', 'Expect:'];
        $options = [
            CURLOPT_URL => $address,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 10,
        ];
        curl_reset($this->curl);
        curl_setopt_array($this->curl, $body === null ? $options : $options + [CURLOPT_POSTFIELDS => $body]);
        $answer = curl_exec($this->curl);
        $this->connections += curl_getinfo($this->curl, CURLINFO_NUM_CONNECTS);
        return $this->judged($answer);
    }

    /** Signs the plain values, and sends them percent-encoded (RFC 3986). */
    private function signed(string $method, string $path, array $query, ?string $body): string
    {
        $query += ['auth_key' => $this->key, 'auth_timestamp' => (string) time(), 'auth_version' => '1.0'];
        if ($body !== null) {
            $query['body_md5'] = md5($body);
        }
        ksort($query);
        $pairs = array_map(fn ($name, $value) => "{$name}={$value}", array_keys($query), $query);
        $text = "{$method}\n{$path}\n" . implode('&', $pairs);
        $query['auth_signature'] = hash_hmac('sha256', $text, $this->secret);
        return http_build_query($query, '', '&', PHP_QUERY_RFC3986);
    }

    private function judged(string|bool $answer): array
    {
        if ($answer === false) {
            $why = 'cURL error ' . curl_errno($this->curl) . ': ' . curl_error($this->curl);
            throw new BroadcastFailed("Pusher error: {$why}");
        }
        $status = curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE);
        if ($status !== 200) {
            throw new BroadcastFailed("Pusher error: {$answer}.", $status);
        }
        // As an object first, because an empty list would pass for an empty map otherwise.
        if (!is_object(json_decode($answer))) {
            throw new BroadcastFailed("Data decoding error: {$answer}", $status);
        }
        return json_decode($answer, true);
    }
}
