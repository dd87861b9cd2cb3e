<?php
// The application as in the skeleton of Laravel 8, but loaded from Debian's packages instead of Composer's.

declare(strict_types=1);

use Illuminate\Contracts\Console\Kernel as ConsoleKernelContract;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as HttpKernelContract;
use Illuminate\Foundation\Application;

require_once 'Illuminate/autoload.php';

// The real Pusher library sends its requests with Guzzle, a separate package of Debian.
if (stream_resolve_include_path('GuzzleHttp/autoload.php')) {
    require_once 'GuzzleHttp/autoload.php';
}

// PSR-4, as in composer.json. The tests set the path of Pusher's library: see ../README.md.
spl_autoload_register(function (string $class): void {
    $folders = ['App\\' => dirname(__DIR__) . '/app/', 'Pusher\\' => getenv('PUSHER_PHP_LIBRARY') . '/'];
    foreach ($folders as $namespace => $folder) {
        $file = $folder . str_replace('\\', '/', substr($class, strlen($namespace))) . '.php';
        if (str_starts_with($class, $namespace) && is_file($file)) {
            require $file;
        }
    }
});

$app = new Application(dirname(__DIR__));
$app->singleton(HttpKernelContract::class, App\Http\Kernel::class);
$app->singleton(ConsoleKernelContract::class, Illuminate\Foundation\Console\Kernel::class);
$app->singleton(ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);

return $app;
