<?php
// Identified by a session or by the token in `api_token`. Notifications go to private-App.Models.User.ID.

declare(strict_types=1);

namespace App\Models;

use Illuminate\Foundation\Auth\User as Authenticatable;
use Illuminate\Notifications\Notifiable;

final class User extends Authenticatable
{
    use Notifiable;

    public $timestamps = false;

    protected $guarded = [];
}
