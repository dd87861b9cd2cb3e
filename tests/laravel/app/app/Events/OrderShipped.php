<?php
// To a public channel and a private one at once, under the name of this class, with its public properties.

declare(strict_types=1);

namespace App\Events;

use App\Models\Order;
use Illuminate\Broadcasting\Channel;
use Illuminate\Broadcasting\InteractsWithSockets;
use Illuminate\Broadcasting\PrivateChannel;
use Illuminate\Contracts\Broadcasting\ShouldBroadcastNow;

final class OrderShipped implements ShouldBroadcastNow
{
    use InteractsWithSockets;

    public int $id;

    /** Values that encoders disagree about: slashes, text above ASCII, floats, null, and an empty array. */
    public array $details = ['link' => 'a/b', 'to' => 'Grüße ☃', 'weight' => 2.5, 'gift' => null, 'extras' => []];

    public function __construct(Order $order)
    {
        $this->id = $order->id;
    }

    public function broadcastOn(): array
    {
        return [new Channel('orders'), new PrivateChannel("orders.{$this->id}")];
    }
}
