<?php
// An order broadcasts its changes to private-App.Models.Order.ID.

declare(strict_types=1);

namespace App\Models;

use Illuminate\Database\Eloquent\BroadcastsEvents;
use Illuminate\Database\Eloquent\Model;

final class Order extends Model
{
    use BroadcastsEvents;

    public $timestamps = false;

    protected $guarded = [];
}
