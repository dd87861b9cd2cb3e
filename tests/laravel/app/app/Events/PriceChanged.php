<?php
// One event for many public channels. An empty payload is `[]` in PHP.

declare(strict_types=1);

namespace App\Events;

use Illuminate\Broadcasting\Channel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;

final class PriceChanged implements ShouldBroadcastNow
{
    /** @param string[] $names */
    public function __construct(private array $names)
    {
    }

    public function broadcastOn(): array
    {
        return array_map(fn (string $name) => new Channel($name), $this->names);
    }
}
