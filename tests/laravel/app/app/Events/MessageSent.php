<?php
// To the members of a room, with a name and a payload of its own.

declare(strict_types=1);

namespace App\Events;

use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Broadcasting\PresenceChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;

final class MessageSent implements ShouldBroadcastNow
{
    use InteractsWithSockets;

    public function __construct(private string $room, private string $from, private string $text)
    {
    }

    public function broadcastOn(): PresenceChannel
    {
        return new PresenceChannel("room.{$this->room}");
    }

    public function broadcastAs(): string
    {
        return 'message.sent';
    }

    public function broadcastWith(): array
    {
        return ['from' => $this->from, 'text' => $this->text];
    }
}
