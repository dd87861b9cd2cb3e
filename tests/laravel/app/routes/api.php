<?php
// The broadcasts of the tests. Each answer confirms the sending.

declare(strict_types=1);

use App\Events\MessageSent;
use App\Events\OrderShipped;
use App\Events\PriceChanged;
use App\Models\Order;
use App\Models\User;
use App\Notifications\OrderPaid;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Route;

Route::post('/orders/{order}/ship', function (Request $request, Order $order) {
    $event = broadcast(new OrderShipped($order));
    if ($request->boolean('to_others')) {
        $event->toOthers();
    }
    // The event is sent when the pending broadcast is destroyed, as at the end of any line that does not keep
    // it.
    unset($event);
    return ['sent' => true];
});

Route::post('/orders/{order}/pay', function (Order $order) {
    $order->update(['status' => 'paid']);
    return ['sent' => true];
});

Route::post('/rooms/{room}/messages', function (Request $request, string $room) {
    broadcast(new MessageSent($room, $request->user()->name, $request->input('text')))->toOthers();
    return ['sent' => true];
});

// One event for each group of so many channels: from Laravel 9.12 on its pusher driver splits the list by
// itself.
Route::post('/prices', function (Request $request) {
    $names = array_map(fn (int $number) => "price.{$number}", range(1, (int) $request->input('channels')));
    foreach (array_chunk($names, (int) $request->input('at_a_time')) as $some) {
        broadcast(new PriceChanged($some));
    }
    return ['sent' => true];
});

Route::post('/users/{user}/notify', function (User $user) {
    $user->notify(new OrderPaid('Order 7 is paid'));
    return ['sent' => true];
});
