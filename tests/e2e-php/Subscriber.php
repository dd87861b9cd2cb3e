<?php
// A WebSocket subscriber with the part of RFC 6455 for text frames below 64 KiB.

declare(strict_types=1);

final class Subscriber
{
    /** @var resource */
    private $stream;

    public readonly string $socketId;

    public function __construct(string $host, int $port, string $key)
    {
        $this->stream = stream_socket_client("tcp://{$host}:{$port}", $code, $why, 10);
        stream_set_timeout($this->stream, 10);
        $lines = [
            "GET /app/{$key}?protocol=7&client=test&version=1 HTTP/1.1",
            "Host: {$host}:{$port}",
            'Upgrade: websocket',
            'Connection: Upgrade',
            'Sec-WebSocket-Key: ' . base64_encode(random_bytes(16)),
            'Sec-WebSocket-Version: 13',
        ];
        fwrite($this->stream, implode("\r\n", $lines) . "\r\n\r\n");
        $status = fgets($this->stream);
        if (!str_starts_with((string) $status, 'HTTP/1.1 101')) {
            throw new RuntimeException("no upgrade: {$status}");
        }
        while (trim(fgets($this->stream)) !== '') {
        }
        $this->socketId = json_decode($this->next('pusher:connection_established')['data'], true)['socket_id'];
    }

    /** The next event, which must have this name; a timeout of 10 s is an error. */
    public function next(string $event): array
    {
        $frame = json_decode($this->frame(0x81), true);
        if (($frame['event'] ?? null) !== $event) {
            throw new RuntimeException("expected {$event}, got " . json_encode($frame));
        }
        return $frame;
    }

    public function subscribe(string $channel, array $authorization = []): array
    {
        $frame = ['event' => 'pusher:subscribe', 'data' => ['channel' => $channel] + $authorization];
        $this->send(json_encode($frame));
        return $this->next('pusher_internal:subscription_succeeded');
    }

    /** Signs in and subscribes to the user's messages; returns the user in the server's answer. */
    public function signIn(array $credentials): array
    {
        $this->send(json_encode(['event' => 'pusher:signin', 'data' => $credentials]));
        $data = json_decode($this->next('pusher:signin_success')['data'], true);
        $user = json_decode($data['user_data'], true);
        $this->subscribe("#server-to-user-{$user['id']}");
        return $user;
    }

    /** Code and reason of the close frame, which must be the next frame. */
    public function closed(): array
    {
        $content = $this->frame(0x88);
        return [unpack('n', $content)[1], substr($content, 2)];
    }

    public function close(): void
    {
        fclose($this->stream);
    }

    private function send(string $text): void
    {
        $mask = random_bytes(4);
        $length = strlen($text);
        $head = $length < 126 ? chr(0x80 | $length) : chr(0x80 | 126) . pack('n', $length);
        $masked = $text ^ str_pad('', $length, $mask);
        fwrite($this->stream, chr(0x81) . $head . $mask . $masked);
    }

    /** The content of the next frame, which must be whole and of this kind. */
    private function frame(int $wanted): string
    {
        [$kind, $length] = array_values(unpack('C2', $this->bytes(2)));
        if ($length === 126) {
            $length = unpack('n', $this->bytes(2))[1];
        }
        $content = $this->bytes($length);
        if ($kind !== $wanted) {
            throw new RuntimeException(sprintf('expected a frame of kind 0x%02x, got 0x%02x', $wanted, $kind));
        }
        return $content;
    }

    private function bytes(int $count): string
    {
        $bytes = $count === 0 ? '' : stream_get_contents($this->stream, $count);
        if (strlen($bytes) !== $count) {
            throw new RuntimeException('the connection ended, or nothing came for 10 s');
        }
        return $bytes;
    }
}
