<?php
// Who may listen where.

declare(strict_types=1);

use App\Models\Order;
use App\Models\User;
use Illuminate\Support\Facades\Broadcast;

Broadcast::channel('orders.{order}', fn (User $user, Order $order) => $order->user_id === $user->id);
Broadcast::channel('App.Models.Order.{order}', fn (User $user, Order $order) => $order->user_id === $user->id);
Broadcast::channel('App.Models.User.{id}', fn (User $user, int $id) => $user->id === $id);

// Who is there is told as this array.
Broadcast::channel('room.{id}', fn (User $user, string $id) => ['id' => $user->id, 'name' => $user->name]);

// On a presence channel this names nobody: a mistake that Laravel's redis broadcaster answers with a plain true.
Broadcast::channel('nameless', fn (User $user) => true);

// Yes without a look at the user: enough where Laravel sees to it that there is one. With its redis broadcaster it
// does not for a name with the Redis prefix in front, and hands over null.
Broadcast::channel('lobby', fn ($user) => true);
