<?php
// The tables, and the two users and orders of the tests.

declare(strict_types=1);

use App\Models\Order;
use App\Models\User;
use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\Schema;

return new class () extends Migration {
    public function up(): void
    {
        Schema::create('users', function (Blueprint $table): void {
            $table->id();
            $table->string('name');
            $table->string('api_token')->unique();
            $table->string('remember_token')->nullable();
        });
        Schema::create('orders', function (Blueprint $table): void {
            $table->id();
            $table->foreignId('user_id');
            $table->string('status')->default('open');
        });
        User::create(['name' => 'Ann', 'api_token' => 'token-of-ann']);
        User::create(['name' => 'Bob', 'api_token' => 'token-of-bob']);
        Order::withoutEvents(function (): void {
            Order::create(['user_id' => 1]);
            Order::create(['user_id' => 2]);
        });
    }
};
