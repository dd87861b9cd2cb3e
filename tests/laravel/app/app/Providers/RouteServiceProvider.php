<?php
// The application's own routes, and Laravel's routes for the authorization of channels.

declare(strict_types=1);

namespace App\Providers;

use Illuminate\Foundation\Support\Providers\RouteServiceProvider as ServiceProvider;
use Illuminate\Support\Facades\Broadcast;
use Illuminate\Support\Facades\Route;

final class RouteServiceProvider extends ServiceProvider
{
    public function boot(): void
    {
        $this->routes(function (): void {
            Route::middleware('web')->group(base_path('routes/web.php'));
            Route::prefix('api')->middleware(['api', 'auth:api'])->group(base_path('routes/api.php'));
        });
        // /broadcasting/auth identifies users by the session cookie, /api/broadcasting/auth by a bearer
        // token.
        Broadcast::routes();
        Broadcast::routes(['prefix' => 'api', 'middleware' => ['api', 'auth:api']]);
        require base_path('routes/channels.php');
    }
}
