<?php
// Where requests go: the application's own routes, and Laravel's for the authorization of channels.

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
        // /broadcasting/auth knows users by their session's cookie, /api/broadcasting/auth by a bearer token.
        Broadcast::routes();
        Broadcast::routes(['prefix' => 'api', 'middleware' => ['api', 'auth:api']]);
        require base_path('routes/channels.php');
    }
}
