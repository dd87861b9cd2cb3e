<?php
// The authorization of channels.

declare(strict_types=1);

use App\Models\Order;
use App\Models\User;
use Illuminate\Support\Facades\Broadcast;

Broadcast::channel('orders.{order}', fn (User $user, Order $order) => $order->user_id === $user->id);
Broadcast::channel('App.Models.Order.{order}', fn (User $user, Order $order) => $order->user_id === $user->id);
Broadcast::channel('App.Models.User.{id}', fn (User $user, int $id) => $user->id === $id);

// The member's data is this array.
Broadcast::channel('room.{id}', fn (User $user, string $id) => ['id' => $user->id, 'name' => $user->name]);

// On a presence channel this answer names no user: a mistake that Laravel's redis broadcaster answers with a
// plain true.
Broadcast::channel('nameless', fn (User $user) => true);

// Yes without checking the user: enough where Laravel ensures that there is one. Laravel's redis broadcaster
// does not for a name with the Redis prefix in front, and passes null.
Broadcast::channel('lobby', fn ($user) => true);
