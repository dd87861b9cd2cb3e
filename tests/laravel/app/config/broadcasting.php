<?php
// The skeleton's, with the host options of Laravel 9 and later: users of Laravel 8 add them by hand.

declare(strict_types=1);

return [
    'default' => env('BROADCAST_DRIVER', 'null'),
    'connections' => [
        'pusher' => [
            'driver' => 'pusher',
            'key' => env('PUSHER_APP_KEY'),
            'secret' => env('PUSHER_APP_SECRET'),
            'app_id' => env('PUSHER_APP_ID'),
            'options' => [
                'host' => env('PUSHER_HOST'),
                'port' => env('PUSHER_PORT', 443),
                'scheme' => env('PUSHER_SCHEME', 'https'),
                // The slash at the end is required: without it Pusher's library drops the path.
                'path' => env('PUSHER_PATH', ''),
            ],
        ],
        'redis' => ['driver' => 'redis', 'connection' => 'default'],
    ],
];
